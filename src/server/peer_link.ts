import type { Bytes } from "../base/bytes.ts";
import type { Message, NodeId } from "../raft/types.ts";

/** What the server sends to other nodes. Nothing is certain to arrive. */
export interface PeerLink {
  send(messages: readonly Message[]): void;
  /** Commands for the leader of `term`, as an encoded segment; false when it is out of reach. */
  forward(leader: NodeId, term: number, segment: Bytes): boolean;
  /** Asks the leader for a read point; false when it is out of reach. */
  requestReadPoint(leader: NodeId, id: number): boolean;
  /** Answers such a request; `index` -1: this node leads no more. */
  answerReadPoint(to: NodeId, id: number, index: number): void;
  /** The digest of this leader's state at an applied index, to compare. */
  announceDigest(to: NodeId, index: number, digest: number): void;
  /** Words on channels, encoded arguments; false when the node is out of reach. */
  sendPubSub(to: NodeId, words: Bytes): boolean;
}
