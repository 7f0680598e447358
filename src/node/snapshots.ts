import { Buffer } from "node:buffer";
import type { ClusterView } from "../commands/cluster_view.ts";
import { type Clock, sleep } from "../base/clock.ts";
import type { Logger } from "../base/log.ts";
import { SNAPSHOT_IDLE_MS } from "../constants.ts";
import { decodeConfiguration, encodeConfiguration } from "../raft/membership.ts";
import type { NodeId, SnapshotMeta } from "../raft/types.ts";
import { diskReserveBytes } from "../server/disk_guard.ts";
import type { LogPurger } from "../server/log_purger.ts";
import type { NodeStorage } from "../server/node_storage.ts";
import type { Server } from "../server/server.ts";
import type { SnapshotService } from "../server/snapshot_service.ts";
import { crashPoint } from "../storage/crash_point.ts";
import type { SnapshotInfo } from "../storage/snapshot.ts";
import { DamagedSnapshot } from "../storage/snapshot_store.ts";
import { isDiskFull } from "../storage/snapshot_maker.ts";
import { SqliteError } from "../storage/sqlite_types.ts";
import type { PeerConnection } from "../transport/peer_connection.ts";
import type { FrameHandler } from "../transport/peers.ts";
import { SnapshotIntake } from "./snapshot_intake.ts";
import { SnapshotSender } from "./snapshot_sender.ts";

export interface SnapshotsOptions {
  readonly storage: NodeStorage;
  readonly purger: LogPurger;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Opens a connection for a snapshot to a member. */
  readonly open: (node: NodeId, handler: FrameHandler) => Promise<PeerConnection>;
  readonly fatal: (error: unknown) => void;
  /** How long a snapshot is kept that nobody asks for. */
  readonly snapshotIdleMs?: number;
}

/** One peer that needs a snapshot. */
interface Transfer {
  /** Set once the snapshot is there. */
  sender: SnapshotSender | undefined;
  /** The log is kept behind this index for it. */
  index: number;
  isOver: boolean;
}

const RETRY_MS_MIN = 250;
const RETRY_MS_MAX = 10_000;
const DISK_FULL_RETRY_MS = 250;
/** Between looks whether the log is written that a snapshot replaces. */
const WRITE_WAIT_MS = 5;
/** How long RAFT.SNAPSHOT waits until what is applied is written to state.db. */
const FLUSH_WAIT_MS = 30_000;

/** What became of snapshots since the start. */
export interface SnapshotCounts {
  made: number;
  sent: number;
  installed: number;
}

/** Makes, sends, takes and installs the snapshots of one node: see README.md. */
export class Snapshots implements SnapshotService {
  readonly counts: SnapshotCounts = { made: 0, sent: 0, installed: 0 };
  readonly #options: SnapshotsOptions;
  readonly #intake: SnapshotIntake;
  readonly #transfers = new Map<NodeId, Transfer>();
  readonly #retryMs = new Map<NodeId, number>();
  #server: Server | undefined;
  #making: Promise<SnapshotInfo> | undefined;
  /** The log is kept behind this index while a snapshot is made. */
  #makingIndex = Infinity;
  #usedMs = 0;
  #isInstalling = false;
  #isStopped = false;

  constructor(options: SnapshotsOptions) {
    const { storage, logger, fatal } = options;
    this.#options = options;
    this.#intake = new SnapshotIntake({
      clock: options.clock,
      store: storage.snapshots,
      logger,
      fatal,
    });
  }

  attach(server: Server): void {
    this.#server = server;
    server.snapshots = this;
    this.#usedMs = server.monotonicMs();
  }

  accept(connection: PeerConnection): FrameHandler {
    return this.#intake.accept(connection);
  }

  /** The log is needed behind this index, for snapshots under way; Infinity: it is not. */
  hold(): number {
    let hold = this.#makingIndex;
    for (const { index } of this.#transfers.values()) hold = Math.min(hold, index);
    return hold;
  }

  tick(nowMs: number): void {
    const server = this.#server;
    if (server === undefined) return;
    const { isLeader } = server.leadership;
    const { peers } = server.driver.raft.status();
    for (const [id, transfer] of this.#transfers) {
      if (!isLeader) transfer.sender?.stop();
      const isWaiting = peers.some((peer) => peer.id === id && peer.state === "snapshot");
      if (transfer.isOver && !isWaiting) this.#transfers.delete(id);
    }
    const isBusy = this.#transfers.size > 0 || this.#making !== undefined ||
      this.#intake.isActive || this.#isInstalling;
    if (isBusy) this.#usedMs = nowMs;
    const { snapshotIdleMs = SNAPSHOT_IDLE_MS } = this.#options;
    if (nowMs - this.#usedMs < snapshotIdleMs) return;
    this.#usedMs = nowMs;
    this.#options.storage.snapshots.forget();
    this.#intake.discard();
  }

  /** Takes a snapshot now and drops the log up to it. */
  async take(): ReturnType<ClusterView["snapshot"]> {
    const { storage, clock, logger } = this.#options;
    try {
      const { index } = storage.ops.applied;
      const deadlineMs = clock.monotonicMs() + FLUSH_WAIT_MS;
      while (storage.ops.durable.index < index && clock.monotonicMs() < deadlineMs) {
        await sleep(clock, 10);
      }
      await this.#making?.catch(() => {});
      if (this.#isStopped || this.#isInstalling) throw new Error("it is being installed");
      const info = await this.#make();
      if (!this.#isNeededBefore(info.index)) await this.#purgeTo(metaOf(info));
      return { ok: true, index: info.index };
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      logger.error("no snapshot was taken", { reason });
      return { ok: false, error: isDiskFull(error) ? "disk full" : reason };
    }
  }

  /** An error of the log or the state, unlike one of a snapshot's file, ends the node. */
  async #purgeTo(meta: SnapshotMeta): Promise<void> {
    const { purger, fatal } = this.#options;
    try {
      await purger.purgeTo(meta);
    } catch (error) {
      if (!isDiskFull(error) && !this.#isStopped) fatal(error);
      throw error;
    }
  }

  /** Whether a transfer, or a follower that has not got that far, needs the log below an index. */
  #isNeededBefore(index: number): boolean {
    const { peers } = this.#server!.driver.raft.status();
    return this.hold() < index ||
      peers.some((peer) => peer.active && peer.state !== "snapshot" && peer.match < index);
  }

  stop(): void {
    this.#isStopped = true;
    for (const { sender } of this.#transfers.values()) sender?.stop();
    this.#intake.stop();
  }

  // --- for the core ----------------------------------------------------------------------------

  needed(peers: readonly NodeId[]): void {
    for (const peer of peers) {
      const running = this.#transfers.get(peer);
      if (running !== undefined && !running.isOver) continue;
      const transfer = { sender: undefined, index: Infinity, isOver: false };
      this.#transfers.set(peer, transfer);
      this.#serve(peer, transfer).catch(this.#options.fatal);
    }
  }

  holds(snapshot: SnapshotMeta): boolean {
    return !this.#isInstalling && this.#options.storage.snapshots.holds(snapshot);
  }

  install(snapshot: SnapshotMeta): void {
    this.#isInstalling = true;
    this.#install(snapshot).catch(this.#options.fatal);
  }

  async #install(snapshot: SnapshotMeta): Promise<void> {
    const { storage, clock, logger } = this.#options;
    const { index } = snapshot;
    // They read files that are about to change.
    for (const { sender } of this.#transfers.values()) sender?.stop();
    await this.#intake.pause();
    await this.#making?.catch(() => {});
    while (this.#server!.driver.hasUnwritten) {
      if (this.#isStopped) return;
      await sleep(clock, WRITE_WAIT_MS);
    }
    if (!storage.snapshots.holds(snapshot)) {
      throw new Error(`The snapshot at ${index} is gone before it was installed: start again`);
    }
    while (!this.#resetLog(snapshot)) await sleep(clock, DISK_FULL_RETRY_MS);
    crashPoint("install_log_reset");
    if (this.#isStopped) return;
    await storage.installSnapshot();
    if (this.#isStopped) return;
    this.counts.installed++;
    logger.info("snapshot installed", { index });
    this.#isInstalling = false;
    this.#intake.resume();
    this.#server!.snapshotInstalled(index);
  }

  /** False when there is no room for it now. From here on there is no way back. */
  #resetLog(snapshot: SnapshotMeta): boolean {
    if (this.#isStopped) return true;
    try {
      this.#options.storage.log.reset(snapshot);
      return true;
    } catch (error) {
      if (isDiskFull(error)) return false;
      throw error;
    }
  }

  // --- sending ---------------------------------------------------------------------------------

  async #serve(peer: NodeId, transfer: Transfer): Promise<void> {
    const { clock, logger } = this.#options;
    try {
      const info = await this.#send(peer, transfer);
      this.counts.sent++;
      logger.info("snapshot sent", { node: peer, index: info.index });
      this.#retryMs.delete(peer);
      if (this.#isLeader) this.#server!.snapshotSent(peer, metaOf(info));
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      const retryMs = this.#retryMs.get(peer) ?? RETRY_MS_MIN;
      this.#retryMs.set(peer, Math.min(retryMs * 2, RETRY_MS_MAX));
      if (!this.#isStopped) logger.warn("snapshot not sent", { node: peer, reason, retryMs });
      transfer.index = Infinity;
      await sleep(clock, retryMs);
      if (this.#isLeader) this.#server!.snapshotSent(peer, undefined);
    } finally {
      transfer.isOver = true;
    }
  }

  async #send(peer: NodeId, transfer: Transfer): Promise<SnapshotInfo> {
    const { storage, open, clock, logger } = this.#options;
    const info = await this.#recent();
    if (this.#isInstalling || !this.#isLeader) throw new Error("this node leads no more");
    transfer.index = info.index;
    const reader = storage.snapshots.read(info);
    const { index, bytes } = info;
    logger.info("sending a snapshot", { node: peer, index, bytes });
    try {
      transfer.sender = new SnapshotSender((handler) => open(peer, handler), reader, clock);
      await transfer.sender.run();
    } catch (error) {
      if (error instanceof DamagedSnapshot) {
        logger.error("a snapshot is damaged, it is made anew", { index, reason: error.message });
        storage.snapshots.drop(info);
      }
      throw error;
    } finally {
      reader.close();
    }
    return info;
  }

  get #isLeader(): boolean {
    return !this.#isStopped && this.#server!.leadership.isLeader;
  }

  /** A snapshot that the log goes on from: the current one, or a new one. */
  #recent(): Promise<SnapshotInfo> {
    const { snapshots, log } = this.#options.storage;
    const { current } = snapshots;
    if (current !== undefined && log.term(current.index) === current.term) {
      return Promise.resolve(current);
    }
    return this.#make();
  }

  /** One at a time: who asks meanwhile gets the same one. */
  #make(): Promise<SnapshotInfo> {
    this.#making ??= this.#makeOne().finally(() => {
      this.#making = undefined;
      this.#makingIndex = Infinity;
    });
    return this.#making;
  }

  async #makeOne(): Promise<SnapshotInfo> {
    const { storage, clock, logger } = this.#options;
    const { log, ops, directory, disk, snapshots } = storage;
    const needed = storage.stateBytes() + diskReserveBytes(disk, directory.path);
    if (disk.freeBytes(directory.path) < needed) {
      throw new SqliteError("Cannot make a snapshot: no room on the disk", "SQLITE_FULL");
    }
    this.#makingIndex = ops.durable.index;
    const startMs = clock.monotonicMs();
    const configuration = Buffer.from(encodeConfiguration(log.snapshot.configuration));
    const info = await storage.makeSnapshot(configuration.toString("hex"));
    snapshots.adopt(info, "here");
    this.counts.made++;
    const ms = Math.round(clock.monotonicMs() - startMs);
    logger.info("snapshot made", { index: info.index, bytes: info.bytes, ms });
    return info;
  }
}

function metaOf({ index, term, configuration }: SnapshotInfo): SnapshotMeta {
  const members = decodeConfiguration(new Uint8Array(Buffer.from(configuration, "hex")));
  return { index, term, configuration: members };
}
