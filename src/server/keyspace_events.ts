import type { Bytes } from "../base/bytes.ts";
import type { EventClass, Notifier } from "../commands/data_context.ts";
import type { TouchKind } from "../storage/change_recorder.ts";
import type { RedisOperations } from "../storage/redis_operations.ts";
import type { PubSub } from "./pubsub.ts";
import type { Touches, TouchListener } from "./touches.ts";

/** The letter of each class in notify-keyspace-events. */
const LETTERS: Readonly<Record<EventClass, string>> = {
  generic: "g",
  string: "$",
  list: "l",
  set: "s",
  hash: "h",
  zset: "z",
  stream: "t",
  expired: "x",
  miss: "m",
  new: "n",
};
/** What "A" stands for. */
const ALL = "g$lshzxetd";

export interface KeyspaceEventsOptions {
  readonly pubsub: PubSub;
  readonly touches: Touches;
  readonly ops: RedisOperations;
  /** Tells commands where their events go; undefined: nowhere. */
  readonly setNotifier: (notifier: Notifier | undefined) => void;
}

/**
 * Keyspace notifications: what commands tell as they are applied becomes messages to subscribers of
 * this node. Every node applies every write, so nothing of it goes between nodes; only a missed
 * key, met by a read on one node alone, is told to the others.
 */
export class KeyspaceEvents implements TouchListener {
  readonly #options: KeyspaceEventsOptions;
  #letters: ReadonlySet<string> = new Set();

  constructor(options: KeyspaceEventsOptions) {
    this.#options = options;
    options.touches.add(this);
  }

  /** Takes a value of notify-keyspace-events. */
  configure(classes: Bytes): void {
    this.#letters = new Set(classes.replace("A", ALL));
    const isOn = this.#letters.has("K") || this.#letters.has("E");
    this.#options.setNotifier(isOn ? this.#notify : undefined);
    this.#options.touches.update();
  }

  get isIdle(): boolean {
    return !this.#letters.has("n");
  }

  /** A key that is about to be written and is not there is a new one. */
  touched(kind: TouchKind, db: number, key: Bytes): void {
    if (kind !== "set" || this.#options.ops.peek(db, key) !== undefined) return;
    this.#notify("new", "new", key, db);
  }

  readonly #notify: Notifier = (eventClass, event, key, db) => {
    if (!this.#letters.has(LETTERS[eventClass])) return;
    const { pubsub } = this.#options;
    const send = (channel: Bytes, payload: Bytes) =>
      eventClass === "miss"
        ? pubsub.publish("channel", channel, payload)
        : pubsub.publishHere("channel", channel, payload);
    if (eventClass !== "miss" && !pubsub.isHeard) return;
    if (this.#letters.has("K")) send(`__keyspace@${db}__:${key}`, event);
    if (this.#letters.has("E")) send(`__keyevent@${db}__:${event}`, key);
  };
}
