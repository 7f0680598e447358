import type { AppliedState } from "../storage/redis_operations.ts";

/** How often the leader tells the others its digest. */
const ANNOUNCE_INTERVAL_MS = 1000;
/** Digests of the latest applied entries that are remembered. */
const REMEMBERED = 8192;

/** Remembers the digest at recent applied indexes, to compare it with the leader's. */
export class DigestHistory {
  readonly #indexes = new Float64Array(REMEMBERED);
  readonly #digests = new Float64Array(REMEMBERED);
  #announcedMs = 0;

  /** Whether the leader is to tell its digest now. */
  isDue(nowMs: number): boolean {
    if (nowMs - this.#announcedMs < ANNOUNCE_INTERVAL_MS) return false;
    this.#announcedMs = nowMs;
    return true;
  }

  applied({ index, digest }: Readonly<AppliedState>): void {
    this.#indexes[index % REMEMBERED] = index;
    this.#digests[index % REMEMBERED] = digest;
  }

  /** Whether this node had another digest at that index; false when it is not known. */
  differs(index: number, digest: number): boolean {
    return this.#indexes[index % REMEMBERED] === index &&
      this.#digests[index % REMEMBERED] !== digest;
  }
}

/** This node's data has come apart from the leader's: it must not serve it any more. */
export class DivergenceError extends Error {
  override name = "DivergenceError";
  constructor(index: number) {
    super(
      `The data of this node differs from the leader's at index ${index}: it stops serving. ` +
        "Remove it from the cluster, wipe its data directory and let it join again.",
    );
  }
}
