import { ErrorReply, KeyedReply, type Reply, Status, TransactionReply } from "../resp/reply.ts";

const LONG_TEXT = 64;

/**
 * Mixes a write's reply into a digest (unsigned 32 bits): two nodes whose data differ soon answer
 * differently, and so get different digests. Of a long text only length, start and end count.
 */
export function digestReply(digest: number, reply: Reply): number {
  if (typeof reply === "number") return mix(digest, reply | 0);
  if (reply === null) return mix(digest, 0x6e696c);
  if (typeof reply === "string") return digestText(digest, reply);
  if (reply instanceof Status || reply instanceof ErrorReply) {
    return mix(digest, reply.text.length);
  }
  if (reply instanceof TransactionReply) return digestReply(digest, reply.dataReplies);
  if (reply instanceof KeyedReply) return digestReply(digest, reply.entries);
  if (typeof reply === "bigint") return digestText(digest, String(reply));
  if (Array.isArray(reply)) {
    let mixed = mix(digest, reply.length);
    for (const item of reply as readonly Reply[]) mixed = digestReply(mixed, item);
    return mixed;
  }
  return mix(digest, 0x6f626a);
}

function digestText(digest: number, text: string): number {
  let mixed = mix(digest, text.length);
  const isLong = text.length > LONG_TEXT;
  const end = isLong ? LONG_TEXT / 2 : text.length;
  for (let i = 0; i < end; i++) mixed = mix(mixed, text.charCodeAt(i));
  if (!isLong) return mixed;
  for (let i = text.length - LONG_TEXT / 2; i < text.length; i++) {
    mixed = mix(mixed, text.charCodeAt(i));
  }
  return mixed;
}

function mix(digest: number, value: number): number {
  return (Math.imul(digest ^ value, 0x01000193) ^ (digest >>> 15)) >>> 0;
}
