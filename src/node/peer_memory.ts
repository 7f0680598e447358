import { Buffer } from "node:buffer";
import * as v from "valibot";
import type { Message, NodeId } from "../raft/types.ts";
import { isDiskFull } from "../storage/snapshot_maker.ts";
import type { LogStore, PeerRecord } from "../storage/raft_log_types.ts";
import type { PeerIdentity } from "../transport/handshake.ts";

const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const RecordSchema = v.strictObject({ incarnation: count, run: count, term: count, match: count });
const RecordsSchema = v.record(v.string(), RecordSchema);

/** What it needs of the log: the place where it is durable. */
export type PeerRecordStore = Pick<LogStore, "identity" | "peerRecords" | "setPeerRecords">;

/**
 * What this node knows of the past of the others, so that none comes back with less than it once
 * had: a directory restored from a copy has forgotten votes and entries that were counted on.
 *
 * Two things give a copy away. Each run of a process draws a random number and keeps those of its
 * former runs; who cannot name the one that was met here ran elsewhere since. And what a node has
 * said in a term, it must still have: the term, and the entries that it acknowledged. Nodes tell
 * each other what they know, since only a leader is acknowledged to.
 */
export class PeerMemory {
  readonly #log: PeerRecordStore;
  readonly #records = new Map<NodeId, PeerRecord>();
  #isLoaded = false;
  /** More was heard of somebody than is durable. */
  #isAhead = false;

  constructor(log: PeerRecordStore) {
    this.#log = log;
  }

  /**
   * Why a node with this past is not let in; undefined when it has all that is known of it.
   * `incarnation`: of its commands that were applied here.
   */
  refusal(remote: PeerIdentity, incarnation: number): string | undefined {
    const { nodeId } = remote;
    const wipe = `node ${nodeId} has run since this copy of its data directory was made: ` +
      "wipe it and let it join again";
    if (remote.incarnation < incarnation) return wipe;
    const known = this.#known().get(nodeId);
    if (known === undefined) return undefined;
    if (remote.incarnation < known.incarnation) return wipe;
    // Of a run too long ago nothing is told; its term and log still speak.
    const told = remote.runs[remote.incarnation - known.incarnation] ?? known.run;
    if (told !== known.run) return wipe;
    // The very process that was met: what it says now may be older than what was heard since.
    if (remote.runs[0] === known.run) return undefined;
    const isBehind = remote.term < known.term ||
      (remote.term === known.term && remote.lastIndex < known.match);
    if (!isBehind) return undefined;
    const { term, lastIndex } = remote;
    return `node ${nodeId} stands at entry ${lastIndex} of term ${term}, but was at ` +
      `${known.match} of term ${known.term}: its data directory is an old copy; ` +
      "wipe it and let it join again";
  }

  /** Remembers the run of a node that is let in: durably, before anything it says counts. */
  met({ nodeId, incarnation, runs }: PeerIdentity): void {
    const records = this.#known();
    const known = records.get(nodeId);
    const run = runs[0] ?? 0;
    if (known?.run === run && known.incarnation === incarnation) return;
    records.set(nodeId, { term: 0, match: 0, ...known, incarnation, run });
    this.#write();
  }

  /** A message that a node has sent; what it reveals is durable there. */
  heard(message: Message): void {
    const { type, from, term } = message;
    // A pre-vote speaks of a term that may never be.
    if ((type === "vote" || type === "vote_response") && message.preVote) return;
    const known = this.#records.get(from);
    if (known === undefined || term < known.term) return;
    if (term > known.term) {
      known.term = term;
      known.match = 0;
      this.#isAhead = true;
    }
    const isMatch = type === "install_snapshot_response" ||
      (type === "append_response" && message.success);
    if (!isMatch || message.index <= known.match) return;
    known.match = message.index;
    this.#isAhead = true;
  }

  /** A node is gone, for long perhaps: what was heard of it is made durable. */
  lost(): void {
    if (this.#isAhead) this.#write();
  }

  /** What others should know too. */
  encode(): Buffer {
    return Buffer.from(JSON.stringify(Object.fromEntries(this.#known())));
  }

  /** Takes over what a peer knows of `members`, where that is more. */
  learn(payload: Buffer, members: ReadonlySet<NodeId>): void {
    const records = this.#known();
    let isNews = false;
    for (const [key, told] of Object.entries(parseRecords(payload))) {
      const id = Number(key);
      const known = records.get(id);
      if (!members.has(id) || (known !== undefined && !isLater(told, known))) continue;
      records.set(id, told);
      isNews = true;
    }
    if (isNews) this.#write();
  }

  /** Forgets all but these nodes: an id that was removed does not come again. */
  keep(members: ReadonlySet<NodeId>): void {
    const records = this.#known();
    const gone = [...records.keys()].filter((id) => !members.has(id));
    for (const id of gone) records.delete(id);
    if (gone.length > 0) this.#write();
  }

  /** The records; of the cluster that this node is in. */
  #known(): Map<NodeId, PeerRecord> {
    const { identity, peerRecords } = this.#log;
    if (this.#isLoaded || identity === undefined) return this.#records;
    this.#isLoaded = true;
    if (peerRecords.clusterId !== identity.clusterId) return this.#records;
    for (const [id, record] of Object.entries(peerRecords.nodes)) {
      this.#records.set(Number(id), { ...record });
    }
    return this.#records;
  }

  #write(): void {
    const { identity } = this.#log;
    if (identity === undefined) return;
    try {
      const nodes = Object.fromEntries(this.#records);
      this.#log.setPeerRecords({ clusterId: identity.clusterId, nodes });
      this.#isAhead = false;
    } catch (error) {
      // Without room it is remembered until this node stops, and written with the next news.
      if (!isDiskFull(error)) throw error;
      this.#isAhead = true;
    }
  }
}

function isLater(a: PeerRecord, b: PeerRecord): boolean {
  if (a.incarnation !== b.incarnation) return a.incarnation > b.incarnation;
  if (a.run !== b.run) return false;
  return a.term > b.term || (a.term === b.term && a.match > b.match);
}

/** None when they cannot be read: what a peer sends does no harm. */
function parseRecords(payload: Buffer): Readonly<Record<string, PeerRecord>> {
  try {
    const parsed = v.safeParse(RecordsSchema, JSON.parse(payload.toString("utf8")));
    return parsed.success ? parsed.output : {};
  } catch {
    return {};
  }
}
