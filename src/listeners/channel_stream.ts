import { type Bytes, utf8Decode } from "../base/bytes.ts";
import type { PushReply } from "../resp/reply.ts";
import type { PubSub, Subscription } from "../server/pubsub.ts";
import type { EventSource } from "./event_stream.ts";
import { TOO_SLOW, WaitingText } from "./waiting_text.ts";

/**
 * Messages of channels or patterns, each one line as `@upstash/redis` reads it:
 * `data: message,CHANNEL,PAYLOAD`. Nothing is kept for who does not read: a slow one is dropped.
 */
export class ChannelStream implements EventSource {
  isDropped = false;
  readonly #wake: () => void;
  readonly #subscription: Subscription;
  readonly #waiting = new WaitingText();

  constructor(
    pubsub: PubSub,
    space: "channel" | "pattern",
    names: readonly Bytes[],
    wake: () => void,
  ) {
    this.#wake = wake;
    this.#subscription = pubsub.open({ receive: (message) => this.#receive(message) });
    for (const name of names) this.#subscription.add(space, name);
    const word = space === "channel" ? "subscribe" : "psubscribe";
    const confirm = () => {
      if (this.isOver) return;
      for (const [at, name] of names.entries()) this.#tell(`${word},${line(name)},${at + 1}`);
      this.#subscription.confirmed();
    };
    const announced = this.#subscription.announced();
    if (announced === undefined) confirm();
    else announced.then(confirm);
  }

  get isOver(): boolean {
    return this.#waiting.isOver;
  }

  next(): string {
    return this.#waiting.take();
  }

  heartbeat(): string {
    return ": heartbeat\n\n";
  }

  farewell(): string {
    this.#drop();
    return TOO_SLOW;
  }

  close(): void {
    this.#waiting.isOver = true;
    this.#subscription.close();
  }

  #drop(): void {
    this.isDropped = true;
    this.close();
  }

  #receive({ items }: PushReply): void {
    const [word, ...names] = items as readonly Bytes[];
    const payload = names.pop() as Bytes;
    const text = payloadText(payload, word === "pmessage");
    this.#tell([word, ...names.map(line), text].join(","));
  }

  #tell(data: string): void {
    if (this.isOver) return;
    if (!this.#waiting.add(data)) this.#drop();
    this.#wake();
  }
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
