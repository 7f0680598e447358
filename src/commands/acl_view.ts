import type { Bytes } from "../base/bytes.ts";
import type { User } from "../storage/users_table.ts";

/** One entry of ACL LOG: what was refused, how often of late, to whom. */
export interface AclLogEntry {
  count: number;
  /** Of the entries since the start, which one. */
  readonly id: number;
  /** Unix time of the first time, in milliseconds. */
  readonly createdAtMs: number;
  readonly reason: "command" | "key" | "channel" | "auth";
  readonly context: "toplevel" | "multi" | "lua";
  readonly object: Bytes;
  readonly username: Bytes;
  /** Unix time of the last time, in milliseconds. */
  atMs: number;
  /** The client as CLIENT LIST shows it. */
  clientInfo: Bytes;
}

/** The users of this node, and what was refused to them. */
export interface AclView {
  /** In the order of their bytes. */
  readonly names: readonly Bytes[];
  user(name: Bytes): User | undefined;
  /** Whether it is on and the password one of its own. Each wrong one takes the same time. */
  checkPassword(user: Bytes, password: Bytes): boolean;
  /** Newest first. */
  readonly log: { readonly entries: readonly AclLogEntry[]; reset(): void };
  /** Random hexadecimal digits. */
  randomHex(digits: number): Bytes;
  /** The password that this node was given for the default user; "" for none. */
  readonly nodePassword: Bytes;
  /** The rule for channels that new users and selectors begin with (acl-pubsub-default). */
  readonly newUserChannels: "allchannels" | "resetchannels";
}
