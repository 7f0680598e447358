import { type Clock, sleep, type Timer } from "../base/clock.ts";
import { SNAPSHOT_CHUNK_BYTES, SNAPSHOT_WINDOW_BYTES } from "../constants.ts";
import { crashPoint } from "../storage/crash_point.ts";
import { DamagedSnapshot, type SnapshotReader } from "../storage/snapshot_store.ts";
import { FRAME, type Frame } from "../transport/frame.ts";
import type { PeerConnection } from "../transport/peer_connection.ts";
import type { FrameHandler } from "../transport/peers.ts";
import { encodeChunk, encodeJson, parseState } from "./snapshot_frames.ts";

/** Opens a connection for a snapshot to the peer. */
export type OpenConnection = (handler: FrameHandler) => Promise<PeerConnection>;

/** A receiver that is silent for so long is given up. */
const SILENCE_MAX_MS = 30_000;
const RETRY_MS_MIN = 100;
/** Attempts in a row that bring nothing new. */
const FRUITLESS_MAX = 5;

/**
 * Sends one snapshot to one peer, over as many connections as it takes: each goes on where the
 * one before ended. No more than a window is ever unacknowledged, so memory stays bounded.
 */
export class SnapshotSender {
  readonly #open: OpenConnection;
  readonly #reader: SnapshotReader;
  readonly #clock: Clock;
  #connection: PeerConnection | undefined;
  #acknowledged = 0;
  #sent = 0;
  #best = 0;
  #isStopped = false;
  #silence: Timer | undefined;

  constructor(open: OpenConnection, reader: SnapshotReader, clock: Clock) {
    this.#open = open;
    this.#reader = reader;
    this.#clock = clock;
  }

  /**
   * Resolves when the peer has all of it; rejects when that cannot be reached now, with
   * DamagedSnapshot when it never will be.
   */
  async run(): Promise<void> {
    for (let fruitless = 0, retryMs = RETRY_MS_MIN;;) {
      const before = this.#best;
      try {
        return await this.#attempt();
      } catch (error) {
        if (this.#isStopped || isFinal(error)) throw error;
        if (this.#best > before) {
          fruitless = 0;
          retryMs = RETRY_MS_MIN;
        } else if (++fruitless === FRUITLESS_MAX) throw error;
      }
      await sleep(this.#clock, retryMs);
      if (this.#isStopped) throw new Error("it was stopped");
      retryMs *= 2;
    }
  }

  /** Ends it; `run` rejects. */
  stop(): void {
    this.#isStopped = true;
    this.#connection?.close("");
  }

  #attempt(): Promise<void> {
    return new Promise((resolve, reject) => {
      const end = (finish: () => void) => {
        this.#silence?.cancel();
        finish();
        this.#connection?.close("");
        this.#connection = undefined;
      };
      const fail = (error: Error) => end(() => reject(error));
      this.#open({
        frame: (frame) => this.#receive(frame, () => end(resolve), fail),
        closed: (reason) => fail(new Error(reason === "" ? "the connection was closed" : reason)),
      }).then((connection) => {
        this.#connection = connection;
        this.#acknowledged = this.#sent = 0;
        if (this.#isStopped) return connection.close("");
        this.#watch();
        connection.send(FRAME.snapshotOffer, encodeJson(this.#reader.info));
      }, fail);
    });
  }

  #receive({ type, payload }: Frame, done: () => void, fail: (error: Error) => void): void {
    const state = type === FRAME.snapshotState ? parseState(payload) : undefined;
    if (state === undefined) return fail(new Error("the peer does not keep to the protocol"));
    if (state.error !== "") return fail(new PeerRefusal(state.error));
    if (state.isDone) return done();
    if (this.#sent > 0 && state.offset <= this.#acknowledged) {
      // The peer has thrown away what came: it does not have the hash that was offered.
      this.#silence?.cancel();
      const connection = this.#connection;
      const ifCurrent = (act: () => void) => this.#connection === connection ? act() : undefined;
      this.#reader.verify(this.#clock)
        .then(() => ifCurrent(() => this.#goOn(state.offset)))
        .catch((error) => ifCurrent(() => fail(error)));
      return;
    }
    try {
      this.#goOn(state.offset);
    } catch (error) {
      fail(error as Error);
    }
  }

  #goOn(offset: number): void {
    this.#watch();
    // The first state of a connection, or a transfer that starts over.
    if (offset <= this.#acknowledged || this.#sent < offset) this.#sent = offset;
    this.#acknowledged = offset;
    if (offset > this.#reader.info.bytes / 2) crashPoint("send_half");
    this.#best = Math.max(this.#best, offset);
    this.#pump();
  }

  #pump(): void {
    const { info } = this.#reader;
    while (this.#sent < info.bytes) {
      if (this.#sent + SNAPSHOT_CHUNK_BYTES - this.#acknowledged > SNAPSHOT_WINDOW_BYTES) return;
      const offset = this.#sent;
      const length = Math.min(SNAPSHOT_CHUNK_BYTES, info.bytes - offset);
      const fill = (data: Uint8Array) => this.#reader.fill(data, offset);
      this.#connection?.send(FRAME.snapshotChunk, encodeChunk(offset, length, fill));
      this.#sent += length;
    }
  }

  #watch(): void {
    this.#silence?.cancel();
    const connection = this.#connection;
    this.#silence = this.#clock.after(SILENCE_MAX_MS, () => connection?.close("it is silent"));
  }
}

/** Whether another attempt would end the same way. */
function isFinal(error: unknown): boolean {
  return error instanceof PeerRefusal || error instanceof DamagedSnapshot;
}

/** The peer says why it takes no snapshot now. */
export class PeerRefusal extends Error {
  override name = "PeerRefusal";
}
