import type { Bytes } from "../base/bytes.ts";
import type { ClientView } from "./local_context.ts";

/** What names subscribe to: channels, patterns of them, or shard channels, which are apart. */
export type ChannelSpace = "channel" | "pattern" | "shard";

/** What one client is subscribed to. */
export interface SubscriptionView {
  /** In the order of subscription. */
  names(space: ChannelSpace): readonly Bytes[];
  count(space: ChannelSpace): number;
  add(space: ChannelSpace, name: Bytes): void;
  remove(space: ChannelSpace, name: Bytes): void;
  /** Settles when other nodes know of what was added; undefined: there are none to tell. */
  announced(): Promise<void> | undefined;
}

/** The channels of the cluster. */
export interface PubSubView {
  subscription(client: ClientView): SubscriptionView;
  /** Sends a message; returns the number of subscribers that it goes to. */
  publish(space: "channel" | "shard", channel: Bytes, payload: Bytes): number;
  /** What is subscribed to, each once. */
  names(space: ChannelSpace): Iterable<Bytes>;
  /** Subscribers of a name. */
  count(space: ChannelSpace, name: Bytes): number;
}
