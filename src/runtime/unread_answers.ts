import type { ServerResponse } from "node:http";

/** A client takes at least so much of an answer within the idle time-out. */
const TAKEN_BYTES_MIN = 4 << 20;

interface Taken {
  /** What the connection had been given when it was looked at last … */
  bytes: number;
  /** … how much of that was new, which is all that may be unread … */
  newBytes: number;
  /** … and since when it is that; milliseconds on the clock of `look`. */
  sinceMs: number;
}

/**
 * Cuts connections whose client does not take its answer, which would hold it in memory for good;
 * node:http has no time-out for that which tells a slow client from one that stopped on Deno too.
 */
export class UnreadAnswers {
  readonly #open = new Map<ServerResponse, Taken>();
  readonly #idleTimeoutMs: number;

  constructor(idleTimeoutMs: number) {
    this.#idleTimeoutMs = idleTimeoutMs;
  }

  /** Looks after an answer until it is sent. */
  watch(answer: ServerResponse): void {
    this.#open.set(answer, { bytes: bytesGiven(answer), newBytes: 0, sinceMs: 0 });
    answer.once("close", () => this.#open.delete(answer));
  }

  look(nowMs: number): void {
    for (const [answer, taken] of this.#open) {
      const bytes = bytesGiven(answer);
      const isWaiting = answer.writableEnded || answer.writableNeedDrain;
      if (!isWaiting || bytes !== taken.bytes || taken.sinceMs === 0) {
        if (bytes !== taken.bytes) taken.newBytes = bytes - taken.bytes;
        taken.bytes = bytes;
        taken.sinceMs = nowMs;
        continue;
      }
      const allowedMs = this.#idleTimeoutMs * (1 + taken.newBytes / TAKEN_BYTES_MIN);
      if (nowMs - taken.sinceMs > allowedMs) answer.socket?.destroy();
    }
  }
}

function bytesGiven(answer: ServerResponse): number {
  return answer.socket?.bytesWritten ?? 0;
}
