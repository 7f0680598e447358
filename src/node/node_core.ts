import { assert } from "../base/assert.ts";
import { randomFraction, randomUint32 } from "../base/entropy.ts";
import type { Logger } from "../base/log.ts";
import { RAFT_DEFAULTS } from "../constants.ts";
import { Raft } from "../raft/raft.ts";
import type { RaftOptions } from "../raft/types.ts";
import type { ServeConfig } from "../server/config.ts";
import { DiskGuard } from "../server/disk_guard.ts";
import { Housekeeper } from "../server/housekeeper.ts";
import { LogPurger } from "../server/log_purger.ts";
import type { NodeStorage } from "../server/node_storage.ts";
import { Server } from "../server/server.ts";
import { ClusterNode, type ClusterNodeOptions } from "./cluster_node.ts";
import type { Outside } from "./outside.ts";

/** A leader whose disk stays full this long asks another voter to lead, and again after a while. */
const FULL_DISK_HANDOVER_MS = 500;
const FULL_DISK_HANDOVER_RETRY_MS = 10_000;

export interface NodeCoreOptions {
  readonly config: ServeConfig;
  readonly logger: Logger;
  readonly storage: NodeStorage;
  readonly outside: Outside;
  readonly fatal: (error: unknown) => void;
  readonly beginAnew?: ClusterNodeOptions["beginAnew"];
  readonly raft?: Partial<RaftOptions>;
  /** The size at which the log begins to be purged. */
  readonly logBytesMax?: number;
  /** How long a snapshot is kept that nobody asks for. */
  readonly snapshotIdleMs?: number;
  /** Of large commands in the log; its own default otherwise. */
  readonly pieceBytes?: number;
}

/** A node without its listeners: storage, Raft core, server, and its part in the cluster. */
export class NodeCore {
  readonly cluster: ClusterNode;
  server: Server | undefined;
  readonly #options: NodeCoreOptions;
  readonly #housekeeper: Housekeeper;
  /** On the monotonic clock; Infinity while there is room. */
  #handOverAtMs = Infinity;
  #isLogFull = false;
  #isStopped = false;

  constructor(options: NodeCoreOptions) {
    this.#options = options;
    const { logger, storage, outside, fatal, beginAnew = () => {} } = options;
    const purger = new LogPurger(storage, logger, options.logBytesMax);
    this.cluster = new ClusterNode({ ...options, purger, beginAnew });
    this.#housekeeper = new Housekeeper({
      storage,
      clock: outside.clock,
      logger,
      purger,
      users: {
        status: () => this.server!.driver.raft.status(),
        snapshotHold: () => this.cluster.snapshotHold(),
      },
      fatal,
      onStep: () => this.server?.stateWritten(),
    });
  }

  /** Makes the server of a node that has an identity; `prepare` is called before it runs. */
  run(prepare: (server: Server) => void): void {
    const server = this.#makeServer();
    this.server = server;
    prepare(server);
    this.cluster.attach(server);
  }

  /** The loop's clockwork: call it every TICK_MS. */
  tick(): void {
    const { server } = this;
    if (server === undefined) return;
    const nowMs = this.#options.outside.clock.monotonicMs();
    server.tick();
    this.cluster.tick(nowMs);
    this.#housekeeper.tick(nowMs);
    this.#handOverWhenFull(server, nowMs);
    this.#tellWhenFull(server);
  }

  stop(): void {
    this.#isStopped = true;
    this.cluster.stop();
    this.#housekeeper.stop();
  }

  #makeServer(): Server {
    const { config, logger, storage, outside, fatal } = this.#options;
    const { log, ops, beside, disk, directory } = storage;
    const { clock, entropy } = outside;
    assert(log.identity !== undefined, "a node that runs has an identity");
    const guard = new DiskGuard(disk, directory.path);
    const raft = new Raft({
      id: log.identity.nodeId,
      configuration: log.snapshot.configuration,
      hardState: log.hardState,
      log,
      applied: ops.applied.index,
      ...RAFT_DEFAULTS,
      random: () => randomFraction(entropy),
      ...this.#options.raft,
    });
    return new Server({
      raft,
      log,
      ops,
      beside,
      clock,
      logger,
      seed: randomUint32(entropy),
      link: this.cluster.link,
      schedule: (turn) =>
        outside.schedule(() => {
          // One that was due when the node stopped would find its storage closed.
          if (!this.#isStopped) turn();
        }),
      requestTimeoutMs: config.requestTimeoutMs,
      pieceBytes: this.#options.pieceBytes,
      fatal,
      isBacklogged: () => ops.backlogged,
      noRoom: (isLeader) => {
        const nowMs = clock.monotonicMs();
        return isLeader ? ops.diskFull || guard.low(nowMs) : guard.exhausted(nowMs);
      },
    });
  }

  #tellWhenFull({ driver }: Server): void {
    if (driver.diskFull === this.#isLogFull) return;
    this.#isLogFull = driver.diskFull;
    const { logger } = this.#options;
    if (driver.diskFull) logger.error("disk full: log.db cannot be written");
    else logger.info("log.db can be written again");
  }

  #handOverWhenFull(server: Server, nowMs: number): void {
    if (!server.leadership.isLeader || !server.isDiskFull) {
      this.#handOverAtMs = Infinity;
    } else if (this.#handOverAtMs === Infinity) {
      this.#handOverAtMs = nowMs + FULL_DISK_HANDOVER_MS;
    } else if (nowMs >= this.#handOverAtMs) {
      this.#handOverAtMs = nowMs + FULL_DISK_HANDOVER_RETRY_MS;
      if (server.driver.raft.status().configuration.voters.length < 2) return;
      this.#options.logger.warn("disk full: another node is asked to lead");
      server.transferLeader(0);
    }
  }
}
