import process from "node:process";
import { toBuffer } from "../base/bytes.ts";
import type { Logger } from "../base/log.ts";
import { LOG_AGE_MAX_MS, LOG_BYTES_HARD_MAX, LOG_BYTES_SOFT_MAX } from "../constants.ts";
import { decodeConfiguration } from "../raft/membership.ts";
import type { RaftStatus, SnapshotMeta } from "../raft/types.ts";
import type { NodeStorage } from "./node_storage.ts";

/** A position the log can be cut at. */
interface Mark {
  readonly meta: SnapshotMeta;
  readonly endBytes: number;
  readonly timeMs: number;
}

/** Who else needs the log. */
export interface LogUsers {
  status(): RaftStatus;
  /** The first index after the snapshots being made and sent; Infinity without any. */
  snapshotHold(): number;
}

/** In test runs a fraction of it. */
const SOFT_MAX = Number(process.env.BALSA_TEST_LOG_BYTES ?? LOG_BYTES_SOFT_MAX);

/**
 * Drops the entries that state.db durably covers, by size and age. It keeps the newer half of what
 * a log may be, since a follower that was away for a moment is served from it; what an active
 * follower still needs, up to the hard limit; and what follows a snapshot on its way to a peer.
 */
export class LogPurger {
  readonly #storage: NodeStorage;
  readonly #logger: Logger;
  readonly #softMax: number;
  readonly #hardMax: number;
  readonly #markBytes: number;
  /** Oldest first. */
  #marks: Mark[] = [];
  #isPurging = false;

  /** `softMax`: bytes at which the log begins to be purged. */
  constructor(storage: NodeStorage, logger: Logger, softMax = SOFT_MAX) {
    this.#storage = storage;
    this.#logger = logger;
    this.#softMax = softMax;
    this.#hardMax = softMax * (LOG_BYTES_HARD_MAX / LOG_BYTES_SOFT_MAX);
    this.#markBytes = softMax / 16;
  }

  /** Purges when it is due; `nowMs` on a monotonic clock. */
  async run(nowMs: number, users: LogUsers): Promise<void> {
    this.#mark(nowMs);
    if (this.#isPurging) return;
    const target = this.#target(nowMs, users);
    if (target !== undefined) await this.purgeTo(target);
  }

  /** Drops the entries up to there, once the state that covers them is durable. */
  async purgeTo(meta: SnapshotMeta): Promise<void> {
    const { log, ops } = this.#storage;
    if (meta.index <= log.snapshot.index || meta.index > ops.durable.index) return;
    this.#isPurging = true;
    try {
      await this.#storage.syncState();
      // A snapshot may have been installed meanwhile.
      if (log.term(meta.index) !== meta.term) return;
      log.compact(meta);
      this.#marks = this.#marks.filter((mark) => mark.meta.index > meta.index);
      this.#logger.debug("log purged", { index: meta.index, bytes: log.bytes });
    } finally {
      this.#isPurging = false;
    }
  }

  /** The position up to which state.db holds all. */
  get durable(): SnapshotMeta {
    const { index, term, configuration } = this.#storage.ops.durable;
    return {
      index,
      term,
      configuration: configuration === ""
        ? this.#storage.log.snapshot.configuration
        : decodeConfiguration(toBuffer(configuration)),
    };
  }

  #mark(timeMs: number): void {
    const { log, ops } = this.#storage;
    const last = this.#marks.length > 0 ? this.#marks[this.#marks.length - 1] : undefined;
    if (last !== undefined && log.endBytes - last.endBytes < this.#markBytes) return;
    if (ops.durable.index <= Math.max(log.snapshot.index, last?.meta.index ?? 0)) return;
    this.#marks.push({ meta: this.durable, endBytes: log.endBytes, timeMs });
  }

  #target(nowMs: number, users: LogUsers): SnapshotMeta | undefined {
    const { log } = this.#storage;
    const isLong = log.bytes > this.#softMax;
    const isOld = (mark: Mark) => nowMs - mark.timeMs > LOG_AGE_MAX_MS;
    if (!isLong && (log.bytes < this.#markBytes || !this.#marks.some(isOld))) return undefined;
    const limit = this.#limit(users);
    let target: Mark | undefined;
    for (const mark of this.#marks) {
      const isOlderHalf = isLong && log.endBytes - mark.endBytes >= this.#softMax / 2;
      const isDue = isOlderHalf || isOld(mark) || log.bytes > this.#hardMax;
      if (isDue && mark.meta.index <= limit) target = mark;
    }
    return target?.meta;
  }

  /** The last index that nobody needs. */
  #limit(users: LogUsers): number {
    const { log } = this.#storage;
    let limit = Infinity;
    // A transfer that finds the log gone when it ends begins anew: it may hold as much again as
    // the state, which each new attempt would cost.
    if (log.bytes < Math.max(this.#hardMax, this.#storage.stateBytes())) {
      limit = users.snapshotHold();
    }
    if (log.bytes > this.#hardMax) return limit;
    for (const { active, state, match } of users.status().peers) {
      if (active && state !== "snapshot") limit = Math.min(limit, match);
    }
    return limit;
  }
}
