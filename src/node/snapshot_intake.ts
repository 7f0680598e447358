import { Buffer } from "node:buffer";
import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/log.ts";
import { SNAPSHOT_WINDOW_BYTES } from "../constants.ts";
import { diskReserveBytes } from "../server/disk_guard.ts";
import { crashPoint } from "../storage/crash_point.ts";
import type { SnapshotInfo } from "../storage/snapshot.ts";
import { isDiskFull } from "../storage/snapshot_maker.ts";
import { removeParts, SnapshotReceiver } from "../storage/snapshot_receiver.ts";
import type { SnapshotStore } from "../storage/snapshot_store.ts";
import { FRAME, type Frame } from "../transport/frame.ts";
import type { PeerConnection } from "../transport/peer_connection.ts";
import type { FrameHandler } from "../transport/peers.ts";
import { encodeJson, parseChunk, parseOffer } from "./snapshot_frames.ts";

/** Received bytes after which they are written to the disk: at the end little is left to do. */
const SYNC_BYTES = 8 * 1024 * 1024;

export interface IntakeOptions {
  readonly store: SnapshotStore;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly fatal: (error: unknown) => void;
}

/**
 * Takes the snapshots that peers send, one at a time: the latest connection has the say. The work
 * on frames is queued, in their order; the sender's window bounds the queue.
 */
export class SnapshotIntake {
  readonly #options: IntakeOptions;
  #connection: PeerConnection | undefined;
  #receiver: SnapshotReceiver | undefined;
  #unsyncedBytes = 0;
  #queue: Promise<void> = Promise.resolve();
  #queuedBytes = 0;
  #isPaused = false;

  constructor(options: IntakeOptions) {
    this.#options = options;
  }

  get isActive(): boolean {
    return this.#connection !== undefined;
  }

  /** Takes over a connection that a peer has opened to send a snapshot. */
  accept(connection: PeerConnection): FrameHandler {
    const handler: FrameHandler = {
      frame: (frame) => this.#enqueue(connection, frame),
      closed: () => {
        if (this.#connection === connection) this.#connection = undefined;
      },
    };
    if (this.#isPaused) {
      connection.close("it installs a snapshot");
      return handler;
    }
    const former = this.#connection;
    this.#connection = connection;
    former?.close("another transfer has begun");
    return handler;
  }

  /** Takes nothing more until `resume`; resolves when nothing is under way. */
  async pause(): Promise<void> {
    this.#isPaused = true;
    this.#connection?.close("it installs a snapshot");
    await this.#queue;
  }

  resume(): void {
    this.#isPaused = false;
  }

  /** Gives up what was received of a snapshot that nobody goes on with. */
  discard(): void {
    const { store } = this.#options;
    this.#receiver?.close();
    this.#receiver = undefined;
    removeParts(store.disk, store.directory);
  }

  stop(): void {
    this.#isPaused = true;
    this.#connection?.close("");
    this.#receiver?.close();
  }

  #enqueue(connection: PeerConnection, { type, payload }: Frame): void {
    if (type === FRAME.ping) return;
    // The payload is the reader's buffer.
    const copy = Buffer.from(payload);
    this.#queuedBytes += copy.length;
    if (this.#queuedBytes > SNAPSHOT_WINDOW_BYTES * 2) {
      return connection.close("it sends more than was acknowledged");
    }
    this.#queue = this.#queue
      .then(() => this.#isCurrent(connection) ? this.#take(connection, type, copy) : undefined)
      .catch((error) => this.#failed(connection, error))
      .then(() => {
        this.#queuedBytes -= copy.length;
      });
  }

  #isCurrent(connection: PeerConnection): boolean {
    return this.#connection === connection && connection.isEstablished;
  }

  async #take(connection: PeerConnection, type: number, payload: Buffer): Promise<void> {
    if (type === FRAME.snapshotOffer) {
      const info = parseOffer(payload);
      if (info !== undefined) return await this.#offered(connection, info);
    } else if (type === FRAME.snapshotChunk && this.#receiver !== undefined) {
      const chunk = parseChunk(payload);
      if (chunk === undefined) return connection.close("a damaged chunk");
      return await this.#received(connection, this.#receiver, chunk.offset, chunk.data);
    }
    connection.close("it does not keep to the protocol");
  }

  async #offered(connection: PeerConnection, info: SnapshotInfo): Promise<void> {
    const { store, clock, logger } = this.#options;
    if (store.current?.sha256 === info.sha256 && store.holds(info)) {
      return this.#answer(connection, info.bytes, true);
    }
    if (this.#receiver?.info.sha256 !== info.sha256) {
      this.#receiver?.close();
      this.#receiver = undefined;
      this.#receiver = await SnapshotReceiver.open(store.directory, info, store.disk, clock);
      this.#unsyncedBytes = 0;
    }
    const { offset } = this.#receiver;
    const needed = info.bytes - offset + diskReserveBytes(store.disk, store.directory);
    if (store.disk.freeBytes(store.directory) < needed) {
      return this.#answer(connection, offset, false, "no room on the disk for the snapshot");
    }
    const { index, bytes } = info;
    logger.info("receiving a snapshot", { index, bytes, offset, from: connection.remote.nodeId });
    if (offset === bytes) await this.#finish(connection, this.#receiver);
    else this.#answer(connection, offset, false);
  }

  async #received(
    connection: PeerConnection,
    receiver: SnapshotReceiver,
    offset: number,
    data: Buffer,
  ): Promise<void> {
    // One that does not follow was sent before the transfer started over.
    if (!receiver.write(offset, data)) return;
    this.#unsyncedBytes += data.length;
    if (receiver.offset > receiver.info.bytes / 2) crashPoint("receive_half");
    if (receiver.offset === receiver.info.bytes) return await this.#finish(connection, receiver);
    if (this.#unsyncedBytes >= SYNC_BYTES) {
      this.#unsyncedBytes = 0;
      await receiver.sync();
    }
    this.#answer(connection, receiver.offset, false);
  }

  async #finish(connection: PeerConnection, receiver: SnapshotReceiver): Promise<void> {
    const { store, logger } = this.#options;
    const { info } = receiver;
    if (!await receiver.finish()) {
      logger.warn("a received snapshot is damaged, it starts over", { index: info.index });
      return this.#answer(connection, 0, false);
    }
    this.#receiver = undefined;
    store.adopt(info, "leader");
    crashPoint("receive_done");
    logger.info("snapshot received", { index: info.index, bytes: info.bytes });
    this.#answer(connection, info.bytes, true);
  }

  #answer(connection: PeerConnection, offset: number, isDone: boolean, error = ""): void {
    connection.send(FRAME.snapshotState, encodeJson({ offset, isDone, error }));
  }

  #failed(connection: PeerConnection, error: unknown): void {
    if (!isDiskFull(error)) return this.#options.fatal(error);
    this.#options.logger.error("disk full: a snapshot cannot be received");
    // What was received would keep the log from being written.
    this.discard();
    this.#answer(connection, 0, false, "disk full");
  }
}
