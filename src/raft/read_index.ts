import type { ReadState } from "./types.ts";

/** Rounds with reads under way at once; later reads share the next one. */
const READ_ROUNDS_MAX = 8;
/** Rounds whose time of sending is remembered. */
const ROUND_SLOTS = 256;

interface ReadRound {
  readonly round: number;
  readonly index: number;
  readonly ids: readonly number[];
}

/**
 * The rounds of one leader in one term (section 6.4 of the thesis). A round is a number that
 * goes out with appends and heartbeats and comes back; an answer confirms that its sender still
 * followed this leader at a moment after the round began, for all earlier rounds too.
 */
export class ReadRounds {
  #waiting: number[] = [];
  readonly #underWay: ReadRound[] = [];
  /** The last round begun; 0: none. */
  last = 0;
  readonly #sentMs = new Array<number>(ROUND_SLOTS).fill(0);

  add(id: number): void {
    this.#waiting.push(id);
  }

  /** Whether reads wait for a round and one may begin. */
  get wantsRound(): boolean {
    return this.#waiting.length > 0 && this.#underWay.length < READ_ROUNDS_MAX;
  }

  begin(nowMs: number): void {
    this.last++;
    this.#sentMs[this.last % ROUND_SLOTS] = nowMs;
  }

  /** Puts all that wait into the round just begun; they are to see `index`. */
  assign(index: number): void {
    if (this.#waiting.length === 0) return;
    this.#underWay.push({ round: this.last, index, ids: this.#waiting });
    this.#waiting = [];
  }

  /** A quorum answered `round`: the reads of it and of earlier rounds are appended to `out`. */
  confirm(round: number, out: ReadState[]): void {
    let count = 0;
    while (count < this.#underWay.length && this.#underWay[count].round <= round) {
      const { ids, index } = this.#underWay[count++];
      for (const id of ids) out.push({ id, index });
    }
    if (count > 0) this.#underWay.splice(0, count);
  }

  /** When `round` was sent, as of the tick before; undefined when too long ago. */
  sentMs(round: number): number | undefined {
    if (round <= 0 || round > this.last || round <= this.last - ROUND_SLOTS) return undefined;
    return this.#sentMs[round % ROUND_SLOTS];
  }

  /** All reads that can no longer be confirmed. */
  fail(out: number[]): void {
    for (const { ids } of this.#underWay) {
      for (const id of ids) out.push(id);
    }
    for (const id of this.#waiting) out.push(id);
    this.#underWay.length = 0;
    this.#waiting = [];
  }
}
