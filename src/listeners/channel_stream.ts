import { type Bytes, utf8Decode } from "../base/bytes.ts";
import type { PushReply } from "../resp/reply.ts";
import type { PubSub } from "../server/pubsub.ts";
import { LineStream } from "./line_stream.ts";

/**
 * Messages of channels or patterns, each one line as `@upstash/redis` reads it:
 * `data: message,CHANNEL,PAYLOAD`.
 */
export function channelStream(
  pubsub: PubSub,
  space: "channel" | "pattern",
  names: readonly Bytes[],
  wake: () => void,
): LineStream {
  return new LineStream(wake, (stream) => {
    const subscription = pubsub.open({ receive: (message) => stream.tell(messageLine(message)) });
    for (const name of names) subscription.add(space, name);
    const word = space === "channel" ? "subscribe" : "psubscribe";
    const confirm = () => {
      if (stream.isOver) return;
      for (const [at, name] of names.entries()) stream.tell(`${word},${line(name)},${at + 1}`);
      subscription.confirmed();
    };
    const announced = subscription.announced();
    if (announced === undefined) confirm();
    else announced.then(confirm);
    return () => subscription.close();
  });
}

function messageLine({ items }: PushReply): string {
  const [word, ...names] = items as readonly Bytes[];
  const payload = names.pop() as Bytes;
  const text = payloadText(payload, word === "pmessage");
  return [word, ...names.map(line), text].join(",");
}

/** A name as a part of one line. */
function line(name: Bytes): string {
  return utf8Decode(name).replace(/[\r\n]/g, " ");
}

/**
 * A payload as it is, where that is one line. The SDK parses what it gets for patterns as JSON and
 * fails on other text, so there, and for more lines, it is a JSON string.
 */
function payloadText(payload: Bytes, isPattern: boolean): string {
  const text = utf8Decode(payload);
  if (/[\r\n]/.test(text)) return isJson(text) ? oneLine(text) : JSON.stringify(text);
  return !isPattern || isJson(text) ? text : JSON.stringify(text);
}

/** JSON has line breaks between its tokens only. */
function oneLine(json: string): string {
  return json.replace(/[\r\n]+/g, " ");
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
