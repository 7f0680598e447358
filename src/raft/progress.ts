import type { NodeId, PeerStatus } from "./types.ts";

/**
 * What the leader knows of one node.
 *
 * - `probe`: where the logs meet is unknown; one append at a time.
 * - `replicate`: it follows; appends are sent ahead of their answers, within the window.
 * - `snapshot`: it needs what was compacted; no appends until the snapshot is there.
 */
export class Progress {
  readonly id: NodeId;
  state: PeerStatus["state"] = "probe";
  /** All up to here is durable there and equal to the leader's log. */
  match = 0;
  /** The next entry to send. */
  next: number;
  /** In `probe`: an append is under way; a heartbeat's answer frees it too. */
  paused = false;
  /** Something may have been lost: send an append even if it is empty. */
  nudged = false;
  /** In `snapshot`: the round when the transfer was reported done; 0 before. */
  snapshotRound = 0;
  /** The largest commit index sent. */
  commitSent = 0;
  /** The largest round answered. */
  roundAcked = 0;
  /** When it was last heard from. */
  heardMs: number;

  readonly #window: number[];
  #windowHead = 0;
  #windowCount = 0;

  constructor(id: NodeId, next: number, nowMs: number, inflightMax: number) {
    this.id = id;
    this.next = next;
    this.heardMs = nowMs;
    this.#window = new Array<number>(inflightMax).fill(0);
  }

  get inflight(): number {
    return this.#windowCount;
  }

  get inflightFull(): boolean {
    return this.#windowCount === this.#window.length;
  }

  /** Whether no append may be sent now. */
  get isPaused(): boolean {
    if (this.state === "probe") return this.paused;
    return this.state === "snapshot" || this.inflightFull;
  }

  #reset(state: PeerStatus["state"]): void {
    this.state = state;
    this.paused = false;
    this.nudged = false;
    this.snapshotRound = 0;
    this.#windowHead = 0;
    this.#windowCount = 0;
  }

  becomeProbe(next: number): void {
    this.#reset("probe");
    this.next = Math.max(next, this.match + 1);
  }

  becomeReplicate(): void {
    this.#reset("replicate");
    this.next = this.match + 1;
  }

  becomeSnapshot(): void {
    this.#reset("snapshot");
  }

  /** An append with entries up to `lastIndex` leaves (none: lastIndex = next - 1). */
  sent(lastIndex: number): void {
    this.nudged = false;
    if (this.state === "probe") {
      this.paused = true;
      return;
    }
    if (lastIndex < this.next) return;
    this.next = lastIndex + 1;
    const slot = (this.#windowHead + this.#windowCount) % this.#window.length;
    this.#window[slot] = lastIndex;
    this.#windowCount++;
  }

  /** Frees the appends up to `index`. */
  free(index: number): void {
    while (this.#windowCount > 0 && this.#window[this.#windowHead] <= index) {
      this.#windowHead = (this.#windowHead + 1) % this.#window.length;
      this.#windowCount--;
    }
  }

  /** Takes over that all up to `index` matches; false when that is no news. */
  advance(index: number): boolean {
    if (index <= this.match) return false;
    this.match = index;
    if (this.next <= index) this.next = index + 1;
    return true;
  }

  /**
   * Takes a refusal of the append behind `prevIndex`; `hint` is the last index that can match.
   * False when the answer is stale.
   */
  refused(prevIndex: number, hint: number): boolean {
    if (this.state === "replicate") {
      if (prevIndex <= this.match) return false;
      this.becomeProbe(this.match + 1);
      return true;
    }
    if (this.state === "snapshot" || this.next - 1 !== prevIndex) return false;
    this.becomeProbe(Math.min(prevIndex, hint + 1));
    return true;
  }
}
