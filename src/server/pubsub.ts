import type { Bytes } from "../base/bytes.ts";
import { globMatches } from "../commands/glob.ts";
import type { ChannelSpace, SubscriptionView } from "../commands/pubsub_view.ts";
import { PushReply } from "../resp/reply.ts";

/** One that messages are sent to: a connection, or a stream of server-sent events. */
export interface Subscriber {
  /**
   * A message: `message channel payload`, `pmessage pattern channel payload` or
   * `smessage channel payload` are its items.
   */
  receive(message: PushReply): void;
}

/** What hears of this node's subscriptions and messages: the other nodes. */
export interface PubSubRelay {
  /** This many subscribe here now; settles when the others know, undefined: there are none. */
  announce(space: ChannelSpace, names: readonly Bytes[]): Promise<void> | undefined;
  /** Sends a message to the other nodes that have subscribers; returns how many those are. */
  publish(space: "channel" | "shard", channel: Bytes, payload: Bytes): number;
  /** Subscribers of a name on other nodes. */
  count(space: ChannelSpace, name: Bytes): number;
  /** What is subscribed to on other nodes. */
  names(space: ChannelSpace): Iterable<Bytes>;
}

export const CHANNEL_SPACES: readonly ChannelSpace[] = ["channel", "pattern", "shard"];

const NO_RELAY: PubSubRelay = {
  announce: () => undefined,
  publish: () => 0,
  count: () => 0,
  names: () => [],
};

/**
 * Who listens to which channel, on this node; and by the relay on others.
 *
 * To listen: `pubsub.open(subscriber)`, then `add` and `announced` of what it returns, and `close`
 * in the end. Messages are not kept: who is not there misses them.
 */
export class PubSub {
  /** The way to other nodes. */
  relay: PubSubRelay = NO_RELAY;
  readonly #spaces: Readonly<Record<ChannelSpace, Map<Bytes, Set<Subscriber>>>> = {
    channel: new Map(),
    pattern: new Map(),
    shard: new Map(),
  };

  /** A subscription to nothing yet. `changed` is called with the number of what it is to. */
  open(subscriber: Subscriber, changed: (total: number) => void = () => {}): Subscription {
    return new Subscription(this, subscriber, changed);
  }

  /** Sends a message to all subscribers in the cluster; returns how many those are. */
  publish(space: "channel" | "shard", channel: Bytes, payload: Bytes): number {
    return this.publishHere(space, channel, payload) +
      this.relay.publish(space, channel, payload);
  }

  /** Sends a message to the subscribers on this node; returns how many those are. */
  publishHere(space: "channel" | "shard", channel: Bytes, payload: Bytes): number {
    let receivers = 0;
    const listeners = this.#spaces[space].get(channel);
    if (listeners !== undefined) {
      const word = space === "channel" ? "message" : "smessage";
      receivers += send(listeners, new PushReply([word, channel, payload]));
    }
    if (space === "shard") return receivers;
    for (const [pattern, subscribers] of this.#spaces.pattern) {
      if (!globMatches(pattern, channel)) continue;
      receivers += send(subscribers, new PushReply(["pmessage", pattern, channel, payload]));
    }
    return receivers;
  }

  /** Whether anyone here listens to anything but shard channels. */
  get isHeard(): boolean {
    return this.#spaces.channel.size > 0 || this.#spaces.pattern.size > 0;
  }

  /** Subscribers of a name in the cluster. */
  count(space: ChannelSpace, name: Bytes): number {
    return this.countHere(space, name) + this.relay.count(space, name);
  }

  countHere(space: ChannelSpace, name: Bytes): number {
    return this.#spaces[space].get(name)?.size ?? 0;
  }

  /** What is subscribed to in the cluster, each once. */
  names(space: ChannelSpace): Set<Bytes> {
    const names = new Set(this.#spaces[space].keys());
    for (const name of this.relay.names(space)) names.add(name);
    return names;
  }

  namesHere(space: ChannelSpace): Iterable<Bytes> {
    return this.#spaces[space].keys();
  }

  /** Of Subscription. */
  enter(space: ChannelSpace, name: Bytes, subscriber: Subscriber): void {
    const subscribers = this.#spaces[space].get(name);
    if (subscribers === undefined) this.#spaces[space].set(name, new Set([subscriber]));
    else subscribers.add(subscriber);
  }

  /** Of Subscription. */
  leave(space: ChannelSpace, names: readonly Bytes[], subscriber: Subscriber): void {
    for (const name of names) {
      const subscribers = this.#spaces[space].get(name);
      subscribers?.delete(subscriber);
      if (subscribers?.size === 0) this.#spaces[space].delete(name);
    }
    if (names.length > 0) this.relay.announce(space, names);
  }
}

function send(subscribers: ReadonlySet<Subscriber>, message: PushReply): number {
  for (const subscriber of subscribers) subscriber.receive(message);
  return subscribers.size;
}

/** What one subscriber listens to. */
export class Subscription implements SubscriptionView {
  readonly #hub: PubSub;
  readonly #subscriber: Subscriber;
  readonly #changed: (total: number) => void;
  readonly #names: Readonly<Record<ChannelSpace, Set<Bytes>>> = {
    channel: new Set(),
    pattern: new Set(),
    shard: new Set(),
  };
  /** Added and not yet told to other nodes. */
  #fresh: (readonly [ChannelSpace, Bytes])[] = [];
  #isWaiting = false;
  #held: PushReply[] = [];

  constructor(hub: PubSub, subscriber: Subscriber, changed: (total: number) => void) {
    this.#hub = hub;
    this.#changed = changed;
    this.#subscriber = {
      receive: (message) => {
        if (this.#isWaiting) this.#held.push(message);
        else subscriber.receive(message);
      },
    };
  }

  names(space: ChannelSpace): readonly Bytes[] {
    return [...this.#names[space]];
  }

  count(space: ChannelSpace): number {
    return this.#names[space].size;
  }

  get #total(): number {
    const { channel, pattern, shard } = this.#names;
    return channel.size + pattern.size + shard.size;
  }

  add(space: ChannelSpace, name: Bytes): void {
    if (this.#names[space].has(name)) return;
    this.#names[space].add(name);
    this.#hub.enter(space, name, this.#subscriber);
    this.#fresh.push([space, name]);
    this.#changed(this.#total);
  }

  remove(space: ChannelSpace, name: Bytes): void {
    if (!this.#names[space].delete(name)) return;
    this.#hub.leave(space, [name], this.#subscriber);
    this.#changed(this.#total);
  }

  /**
   * Tells other nodes of what was added, so that a message from any of them arrives; settles when
   * they know. What arrives before that is received after it. Undefined: there are no others.
   */
  announced(): Promise<void> | undefined {
    const waits: Promise<void>[] = [];
    for (const space of CHANNEL_SPACES) {
      const names = this.#fresh.filter(([of]) => of === space).map(([, name]) => name);
      const wait = names.length === 0 ? undefined : this.#hub.relay.announce(space, names);
      if (wait !== undefined) waits.push(wait);
    }
    this.#fresh = [];
    if (waits.length === 0) return undefined;
    this.#isWaiting = true;
    return Promise.all(waits).then(() => {});
  }

  /** The client knows of its subscription: messages held back meanwhile are received. */
  confirmed(): void {
    if (!this.#isWaiting) return;
    this.#isWaiting = false;
    const held = this.#held;
    this.#held = [];
    for (const message of held) this.#subscriber.receive(message);
  }

  /** Ends all of it. */
  close(): void {
    for (const space of CHANNEL_SPACES) {
      const names = [...this.#names[space]];
      this.#names[space].clear();
      this.#hub.leave(space, names, this.#subscriber);
    }
    this.#held = [];
    this.#changed(0);
  }
}
