import { Buffer } from "node:buffer";
import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/log.ts";
import { FRAME, type Frame } from "../transport/frame.ts";
import type { PeerConnection } from "../transport/peer_connection.ts";
import type { FrameHandler, Peers } from "../transport/peers.ts";

/** How long an answer may take: a change of members waits for a leader and its commit. */
const ANSWER_TIMEOUT_MS = 15_000;

/** Why a member refuses a node of another cluster. */
export const OTHER_CLUSTER = "it belongs to another cluster";

/** Requests between nodes, as JSON, each on a connection of its own. */
export class PeerRequests {
  readonly #peers: () => Peers;
  readonly #clock: Clock;
  readonly #logger: Logger;

  constructor(peers: () => Peers, clock: Clock, logger: Logger) {
    this.#peers = peers;
    this.#clock = clock;
    this.#logger = logger;
  }

  /**
   * Why whoever listens at `address` is no member of another cluster than this node's, with the
   * same secret; undefined: it is, since it refuses just for that.
   */
  async whyNoOtherCluster(address: string): Promise<string | undefined> {
    const handler: FrameHandler = { frame: () => {}, closed: () => {} };
    try {
      const opened = await this.#peers().open(address, { nodeId: 0, purpose: "request" }, handler);
      opened.close("");
      return "it is in no other cluster";
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      return reason.endsWith(OTHER_CLUSTER) ? undefined : reason;
    }
  }

  /**
   * The answer to `request` from whoever listens at `address`; undefined when there is none, and
   * `failed` is told why.
   */
  async ask(
    address: string,
    request: unknown,
    failed: (reason: string) => void = () => {},
  ): Promise<unknown> {
    try {
      return await this.#ask(address, request);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#logger.debug("no answer", { address, reason });
      failed(reason);
      return undefined;
    }
  }

  #ask(address: string, request: unknown): Promise<unknown> {
    return new Promise((resolve, reject) => {
      let connection: PeerConnection | undefined;
      const timer = this.#clock.after(ANSWER_TIMEOUT_MS, () => {
        connection?.close("");
        reject(new Error("no answer in time"));
      });
      const handler: FrameHandler = {
        frame: ({ type, payload }) => {
          if (type !== FRAME.response) return;
          timer.cancel();
          resolve(parse(payload));
          connection?.close("");
        },
        closed: (reason) => {
          timer.cancel();
          reject(new Error(reason === "" ? "closed without an answer" : reason));
        },
      };
      this.#peers().open(address, { nodeId: 0, purpose: "request" }, handler).then((opened) => {
        connection = opened;
        opened.send(FRAME.request, Buffer.from(JSON.stringify(request)));
      }, (error) => {
        timer.cancel();
        reject(error);
      });
    });
  }
}

/** Answers the requests of one connection with what `answer` returns. */
export function answerRequests(
  connection: PeerConnection,
  answer: (request: unknown) => Promise<unknown>,
): FrameHandler {
  return {
    frame: ({ type, payload }: Frame) => {
      if (type !== FRAME.request) return connection.close("it sends what is no request");
      answer(parse(payload)).then((value) => {
        connection.send(FRAME.response, Buffer.from(JSON.stringify(value)));
      }, (error) => {
        const reason = error instanceof Error ? error.message : String(error);
        connection.send(
          FRAME.response,
          Buffer.from(JSON.stringify({ ok: false, error: reason })),
        );
      });
    },
    closed: () => {},
  };
}

function parse(payload: Buffer): unknown {
  try {
    return JSON.parse(payload.toString("utf8"));
  } catch {
    return undefined;
  }
}
