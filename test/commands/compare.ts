import { expect } from "bun:test";
import type { Bytes } from "../../src/base/bytes.ts";
import type { Protocol } from "../../src/resp/encoder.ts";
import { splitInline } from "../../src/resp/inline.ts";
import { sameStream } from "../compat/compare.ts";
import { LocalRunner } from "./local_runner.ts";
import { bulkStrings, type RedisReference } from "./redis_reference.ts";

/** How far a remaining time may differ: the clock of redis-server moves, ours stands. */
const TTL_TOLERANCE_SECONDS = 120;

/**
 * Whether two encoded replies to a command say the same: byte for byte, save for what Redis
 * leaves to chance (the order of KEYS, SCAN and sets) and to its clock (positive remaining times).
 */
export function sameReply(argv: readonly Bytes[], ours: Bytes, theirs: Bytes): boolean {
  if (ours === theirs) return true;
  switch (argv[0].toLowerCase()) {
    case "keys":
    case "smembers":
    case "sinter":
    case "sunion":
    case "sdiff":
      return sortedStrings(ours) === sortedStrings(theirs);
    case "scan":
      // "*2\r\n$1\r\n0\r\n" stands before the keys.
      return ours.startsWith("*2\r\n$1\r\n0\r\n") && theirs.startsWith("*2\r\n$1\r\n0\r\n") &&
        sortedStrings(ours.slice(11)) === sortedStrings(theirs.slice(11));
    case "ttl":
    case "expiretime":
      return isClose(ours, theirs, TTL_TOLERANCE_SECONDS);
    case "pttl":
    case "pexpiretime":
      return isClose(ours, theirs, TTL_TOLERANCE_SECONDS * 1000);
    case "xpending":
    case "xinfo":
      return sameStream(ours, theirs);
    default:
      return false;
  }
}

function sortedStrings(reply: Bytes): string {
  return /^[*~]/.test(reply) ? reply[0] + JSON.stringify(bulkStrings(reply).sort()) : reply;
}

function isClose(ours: Bytes, theirs: Bytes, tolerance: number): boolean {
  const [a, b] = [Number(ours.slice(1)), Number(theirs.slice(1))];
  return a > 0 && b > 0 && Math.abs(a - b) <= tolerance;
}

/** Runs rows, one command in inline syntax each, against both; each reply must be the same. */
export async function compareRows(
  reference: RedisReference,
  rows: string,
  protocol: Protocol,
): Promise<void> {
  const requests = rows.split("\n").filter((row) => row !== "" && !row.startsWith("# "))
    .map((row) => splitInline(row) ?? []);
  const connection = await reference.connect(protocol);
  const [, ...theirs] = await connection.exec([["FLUSHALL"], ...requests]);
  connection.close();
  const runner = new LocalRunner(Date.now());
  const differences: string[] = [];
  for (const [index, argv] of requests.entries()) {
    const ours = runner.exec(argv, protocol);
    if (sameReply(argv, ours, theirs[index])) continue;
    differences.push(`${show(argv)}\n  ours:  ${quote(ours)}\n  redis: ${quote(theirs[index])}`);
  }
  expect(differences.join("\n")).toBe("");
}

/** A request in inline syntax. */
export function show(argv: readonly Bytes[]): string {
  return argv.map((text) => /^[\w.:*+-]+$/.test(text) ? text : quote(text)).join(" ");
}

function quote(text: Bytes): string {
  const short = text.length > 400 ? text.slice(0, 400) + "…" : text;
  return JSON.stringify(short).replace(/[\u007f-\u00ff]|\\u00(..)/g, (char, hex) => {
    return "\\x" + (hex ?? char.charCodeAt(0).toString(16));
  });
}
