import { PUBLISH_BYTES_MAX } from "../constants.ts";
import type { Bytes } from "../base/bytes.ts";
import type { Clock, Timer } from "../base/clock.ts";
import { globMatches } from "../commands/glob.ts";
import type { ChannelSpace } from "../commands/pubsub_view.ts";
import type { NodeId } from "../raft/types.ts";
import { BatchFormatError, decodeArguments, encodeArguments } from "./batch.ts";
import type { PeerLink } from "./peer_link.ts";
import { CHANNEL_SPACES, type PubSub, type PubSubRelay } from "./pubsub.ts";

/** A subscription is confirmed to its client after this time, whoever may not know of it yet. */
const ANNOUNCE_MS_MAX = 500;
/** Names in one frame of those that a new connection begins with. */
const NAMES_PER_FRAME = 10_000;

/** How many subscribers each name has on another node. */
type RemoteCounts = Readonly<Record<ChannelSpace, Map<Bytes, number>>>;

interface Announcement {
  /** Who has not answered yet. */
  readonly waitsFor: Set<NodeId>;
  readonly settle: () => void;
  readonly timer: Timer;
}

/**
 * Channels across the cluster, over the connections between nodes and beside the log: messages are
 * neither durable nor in order with writes of others.
 *
 * Each node knows what the others subscribe to. So PUBLISH counts all receivers at once, and a
 * message goes to the nodes that have some. Words: `reset` (a new connection: nothing is subscribed
 * to but what follows), `counts ID space name count …` (answered by `known ID`),
 * `publish space channel payload`.
 */
export class PubSubPeers implements PubSubRelay {
  readonly #hub: PubSub;
  readonly #link: PeerLink;
  readonly #clock: Clock;
  readonly #nodes = new Map<NodeId, RemoteCounts>();
  readonly #announcements = new Map<string, Announcement>();
  #lastId = 0;

  constructor(hub: PubSub, link: PeerLink, clock: Clock) {
    this.#hub = hub;
    this.#link = link;
    this.#clock = clock;
  }

  /** A connection to a node is up: it is told everything, as it may know nothing. */
  connected(node: NodeId): void {
    if (!this.#nodes.has(node)) this.#nodes.set(node, noCounts());
    this.#link.sendPubSub(node, encodeArguments(["reset"]));
    for (const space of CHANNEL_SPACES) {
      const names = [...this.#hub.namesHere(space)];
      for (let at = 0; at < names.length; at += NAMES_PER_FRAME) {
        this.#sendCounts(node, "", space, names.slice(at, at + NAMES_PER_FRAME));
      }
    }
  }

  disconnected(node: NodeId): void {
    this.#nodes.delete(node);
    for (const id of this.#announcements.keys()) this.#known(id, node);
  }

  /** Words from another node. */
  receive(from: NodeId, data: Uint8Array): void {
    let words: Bytes[];
    try {
      words = decodeArguments(data);
    } catch (error) {
      if (error instanceof BatchFormatError) return;
      throw error;
    }
    const [verb, second, third, fourth] = words;
    if (verb === "publish" && (second === "channel" || second === "shard")) {
      this.#hub.publishHere(second, third, fourth);
    } else if (verb === "reset") {
      this.#nodes.set(from, noCounts());
    } else if (verb === "counts") {
      const counts = this.#nodes.get(from);
      if (counts !== undefined) setCounts(counts, words);
      if (second !== "") this.#link.sendPubSub(from, encodeArguments(["known", second]));
    } else if (verb === "known") {
      this.#known(second, from);
    }
  }

  announce(space: ChannelSpace, names: readonly Bytes[]): Promise<void> | undefined {
    if (this.#nodes.size === 0) return undefined;
    const id = String(++this.#lastId);
    const waitsFor = new Set<NodeId>();
    for (const node of this.#nodes.keys()) {
      if (this.#sendCounts(node, id, space, names)) waitsFor.add(node);
    }
    if (waitsFor.size === 0) return undefined;
    return new Promise((settle) => {
      const timer = this.#clock.after(ANNOUNCE_MS_MAX, () => this.#settle(id));
      this.#announcements.set(id, { waitsFor, settle, timer });
    });
  }

  publish(space: "channel" | "shard", channel: Bytes, payload: Bytes): number {
    // A script's; PUBLISH refuses it.
    if (channel.length + payload.length > PUBLISH_BYTES_MAX) return 0;
    let receivers = 0;
    let words: Bytes | undefined;
    for (const [node, counts] of this.#nodes) {
      const there = receiversOf(counts, space, channel);
      if (there === 0) continue;
      words ??= encodeArguments(["publish", space, channel, payload]);
      if (this.#link.sendPubSub(node, words)) receivers += there;
    }
    return receivers;
  }

  count(space: ChannelSpace, name: Bytes): number {
    let count = 0;
    for (const counts of this.#nodes.values()) count += counts[space].get(name) ?? 0;
    return count;
  }

  *names(space: ChannelSpace): Iterable<Bytes> {
    for (const counts of this.#nodes.values()) yield* counts[space].keys();
  }

  #sendCounts(node: NodeId, id: string, space: ChannelSpace, names: readonly Bytes[]): boolean {
    const words: Bytes[] = ["counts", id];
    for (const name of names) words.push(space, name, String(this.#hub.countHere(space, name)));
    return this.#link.sendPubSub(node, encodeArguments(words));
  }

  #known(id: string, node: NodeId): void {
    const announcement = this.#announcements.get(id);
    announcement?.waitsFor.delete(node);
    if (announcement?.waitsFor.size === 0) this.#settle(id);
  }

  #settle(id: string): void {
    const announcement = this.#announcements.get(id);
    this.#announcements.delete(id);
    announcement?.timer.cancel();
    announcement?.settle();
  }
}

function noCounts(): RemoteCounts {
  return { channel: new Map(), pattern: new Map(), shard: new Map() };
}

function setCounts(counts: RemoteCounts, words: readonly Bytes[]): void {
  for (let at = 2; at + 2 < words.length; at += 3) {
    const names = counts[words[at] as ChannelSpace];
    const count = Number(words[at + 2]);
    if (count > 0) names?.set(words[at + 1], count);
    else names?.delete(words[at + 1]);
  }
}

function receiversOf(
  { channel, pattern, shard }: RemoteCounts,
  space: "channel" | "shard",
  name: Bytes,
): number {
  if (space === "shard") return shard.get(name) ?? 0;
  let receivers = channel.get(name) ?? 0;
  for (const [glob, count] of pattern) if (globMatches(glob, name)) receivers += count;
  return receivers;
}
