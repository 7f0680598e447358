import { Buffer } from "node:buffer";
import { toBuffer } from "../base/bytes.ts";
import type { ClusterStatus } from "../commands/cluster_view.ts";
import { encodeReply } from "../resp/encoder.ts";
import { ErrorReply, type Reply } from "../resp/reply.ts";
import type { HttpCounts } from "./http_counts.ts";
import type { ReplyFormat } from "./http_manner.ts";
import { errorJson, replyJson } from "./http_reply.ts";
import type { HttpProblem, HttpStatus, NodeState, Position } from "./http_types.ts";
import { syncToken } from "./sync_token.ts";

type HeaderRecord = Readonly<Record<string, string>>;

/**
 * The headers of an answer: what it is, and where this node stood. Answers are never to be kept by
 * a cache: the same URL may well read another value next time.
 */
function replyHeaders(
  { node, role, clusterId }: NodeState,
  position: Position,
  contentType = "application/json",
): HeaderRecord {
  return {
    "Content-Type": contentType,
    "Cache-Control": "no-store",
    "Upstash-Sync-Token": syncToken(clusterId, position),
    "Balsa-Index": String(position.index),
    "Balsa-Node": String(node),
    "Balsa-Role": role,
  };
}

/** Makes the answers of a listener, and counts what they weigh. */
export class HttpResponses {
  readonly #state: () => NodeState;
  readonly #counts: HttpCounts;

  constructor(state: () => NodeState, counts: HttpCounts) {
    this.#state = state;
    this.#counts = counts;
  }

  /** The headers of an answer that tells how far this node is, or how far it was. */
  headers(position?: Position, contentType?: string): HeaderRecord {
    const state = this.#state();
    return replyHeaders(state, position ?? { index: state.index, position: 0 }, contentType);
  }

  /** A page, JSON unless it is said what else. */
  text(text: string, status: 200 | HttpStatus = 200, contentType?: string): Response {
    return this.#respond(text, status, this.headers(undefined, contentType));
  }

  /** The answer to GET /cluster. */
  cluster(status: ClusterStatus | undefined): Response {
    if (status !== undefined) return this.text(JSON.stringify(status));
    return this.text(errorJson("not ready: in no cluster yet"), 503);
  }

  /** The answer to one command: 200 with its result, or the status that fits its error. */
  reply(reply: Reply, format: ReplyFormat, position?: Position): Response {
    const status = reply instanceof ErrorReply ? errorStatus(reply) : 200;
    const headers = this.headers(position);
    if (format === "resp2") return this.#resp2([reply], status, headers);
    return this.#respond(replyJson(reply, format === "base64"), status, headers);
  }

  /** The answer to a pipeline: always 200, each command's result or error in its place. */
  batch(replies: readonly Reply[], format: ReplyFormat, position?: Position): Response {
    const headers = this.headers(position);
    if (format === "resp2") return this.#resp2(replies, 200, headers);
    const items = replies.map((reply) => replyJson(reply, format === "base64"));
    return this.#respond(`[${items.join(",")}]`, 200, headers);
  }

  /** The answer to a request that was refused before any command ran. */
  problem({ status, text, allow, members }: HttpProblem): Response {
    const response = this.#respond(errorJson(text, members), status, this.headers());
    if (allow !== undefined) response.headers.set("Allow", allow);
    if (status === 401) response.headers.set("WWW-Authenticate", "Bearer");
    // What is left of the request's body is not read.
    if (status === 408) response.headers.set("Connection", "close");
    return response;
  }

  #respond(text: string, status: number, headers: HeaderRecord): Response {
    this.#counts.bytesOut += Buffer.byteLength(text);
    return new Response(text, { status, headers });
  }

  #resp2(replies: readonly Reply[], status: number, headers: HeaderRecord): Response {
    const bytes = replies.map((reply) => encodeReply(reply, 2)).join("");
    this.#counts.bytesOut += bytes.length;
    return new Response(new Uint8Array(toBuffer(bytes)), {
      status,
      headers: { ...headers, "Content-Type": "application/octet-stream" },
    });
  }
}

/** 503 where the same command may succeed later or elsewhere, 400 for every other error. */
function errorStatus(reply: ErrorReply): HttpStatus {
  const space = reply.text.indexOf(" ");
  return UNAVAILABLE_CODES.has(space < 0 ? reply.text : reply.text.slice(0, space)) ? 503 : 400;
}

const UNAVAILABLE_CODES: ReadonlySet<string> = new Set([
  "BUSY",
  "CLUSTERDOWN",
  "LOADING",
  "MISCONF",
  "SHUTDOWN",
  "TRYAGAIN",
]);
