import type { Bytes } from "../base/bytes.ts";
import { err, ErrorReply, NOT_INTEGER, SYNTAX_ERROR } from "../resp/reply.ts";
import { optionName, parseOffset } from "./parse.ts";

const TIMEOUT_NOT_INTEGER = err("timeout is not an integer or out of range");
const TIMEOUT_NEGATIVE = err("timeout is negative");
const UNBALANCED = err(
  "Unbalanced XREAD list of streams: for each stream key an ID or '$' must be specified.",
);
const NO_GROUP_OPTION = err("Missing GROUP option for XREADGROUP");

function onlyOfGroups(option: string): ErrorReply {
  return err(
    `The ${option} option is only supported by XREADGROUP. You called XREAD instead.`,
  );
}

/** What XREAD or XREADGROUP asks for. */
export interface ReadRequest {
  /** Where the names of streams begin in argv; as many ids follow. */
  readonly keysAt: number;
  readonly keys: readonly Bytes[];
  readonly ids: readonly Bytes[];
  /** Entries of each stream; 0 for all. */
  readonly count: number;
  /** 0: for ever; undefined: it does not wait. */
  readonly blockMs: number | undefined;
  readonly noAck: boolean;
  /** Of XREADGROUP. */
  readonly group: Bytes;
  readonly consumer: Bytes;
}

/** The request of XREAD or (`ofGroup`) XREADGROUP; Redis's error when it is none. */
export function parseRead(argv: readonly Bytes[], ofGroup: boolean): ReadRequest | ErrorReply {
  let keysAt = 0;
  let count = 0;
  let blockMs: number | undefined;
  let noAck = false;
  let group: Bytes | undefined;
  let consumer: Bytes = "";
  for (let i = 1; i < argv.length && keysAt === 0; i++) {
    const name = optionName(argv[i]);
    const left = argv.length - 1 - i;
    if (name === "block" && left > 0) {
      const parsed = parseBlock(argv[++i]);
      if (parsed instanceof ErrorReply) return parsed;
      blockMs = parsed;
    } else if (name === "count" && left > 0) {
      const parsed = parseOffset(argv[++i]);
      if (parsed === undefined) return NOT_INTEGER;
      count = Math.max(0, parsed);
    } else if (name === "streams" && left > 0) {
      if (left % 2 !== 0) return UNBALANCED;
      keysAt = i + 1;
    } else if (name === "group" && left >= 2) {
      if (!ofGroup) return onlyOfGroups("GROUP");
      group = argv[++i];
      consumer = argv[++i];
    } else if (name === "noack") {
      if (!ofGroup) return onlyOfGroups("NOACK");
      noAck = true;
    } else {
      return SYNTAX_ERROR;
    }
  }
  if (keysAt === 0) return SYNTAX_ERROR;
  if (ofGroup && group === undefined) return NO_GROUP_OPTION;
  const idsAt = keysAt + (argv.length - keysAt) / 2;
  const [keys, ids] = [argv.slice(keysAt, idsAt), argv.slice(idsAt)];
  return { keysAt, keys, ids, count, blockMs, noAck, group: group ?? "", consumer };
}

/** A time-out in milliseconds. */
function parseBlock(text: Bytes): number | ErrorReply {
  const timeoutMs = parseOffset(text);
  if (timeoutMs === undefined) return TIMEOUT_NOT_INTEGER;
  return timeoutMs < 0 ? TIMEOUT_NEGATIVE : timeoutMs;
}
