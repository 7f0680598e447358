import type { Bytes } from "../../src/base/bytes.ts";
import { replyEnd } from "./real_redis.ts";

/** A reply as it stood on the wire, its RESP type kept. */
export type Decoded =
  | { kind: "bulk" | "status" | "error" | "integer" | "double" | "boolean" | "big"; text: Bytes }
  | { kind: "verbatim"; text: Bytes }
  | { kind: "null" }
  | { kind: "array" | "set" | "push"; items: Decoded[] }
  | { kind: "map"; entries: [Decoded, Decoded][] };

const LINES = {
  "+": "status",
  "-": "error",
  ":": "integer",
  ",": "double",
  "#": "boolean",
  "(": "big",
} as const;

/** The one complete reply that `text` holds. */
export function decodeReply(text: Bytes): Decoded {
  const lineEnd = text.indexOf("\r\n");
  const kind = text[0];
  const head = text.slice(1, lineEnd);
  if (kind in LINES) return { kind: LINES[kind as keyof typeof LINES], text: head };
  if (kind === "_" || head === "-1") return { kind: "null" };
  const body = text.slice(lineEnd + 2);
  if (kind === "$") return { kind: "bulk", text: body.slice(0, -2) };
  if (kind === "=") return { kind: "verbatim", text: body.slice(0, -2) };
  const items: Decoded[] = [];
  for (let at = 0; at < body.length;) {
    const end = replyEnd(body, at);
    items.push(decodeReply(body.slice(at, end)));
    at = end;
  }
  if (kind === "*") return { kind: "array", items };
  if (kind === "~") return { kind: "set", items };
  if (kind === ">") return { kind: "push", items };
  if (kind !== "%") throw new Error(`no RESP type: ${kind}`);
  const entries: [Decoded, Decoded][] = [];
  for (let i = 0; i < items.length; i += 2) entries.push([items[i], items[i + 1]]);
  return { kind: "map", entries };
}
