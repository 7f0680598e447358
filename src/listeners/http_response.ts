import { toBuffer } from "../base/bytes.ts";
import type { ClusterStatus } from "../commands/cluster_view.ts";
import { encodeReply } from "../resp/encoder.ts";
import { ErrorReply, type Reply } from "../resp/reply.ts";
import type { ReplyFormat } from "./http_manner.ts";
import { errorJson, replyJson } from "./http_reply.ts";
import { type HttpProblem, type HttpStatus, type NodeState, type Position } from "./http_types.ts";
import { syncToken } from "./sync_token.ts";

type HeaderRecord = Readonly<Record<string, string>>;

/**
 * The headers of an answer: what it is, and where this node stood. Answers are never to be kept by
 * a cache: the same URL may well read another value next time.
 */
export function replyHeaders(
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

/** The answer to GET /cluster. */
export function clusterResponse(
  status: ClusterStatus | undefined,
  headers: HeaderRecord,
): Response {
  if (status !== undefined) return new Response(JSON.stringify(status), { status: 200, headers });
  return new Response(errorJson("not ready: in no cluster yet"), { status: 503, headers });
}

/** The answer to one command: 200 with its result, or the status that fits its error. */
export function replyResponse(
  reply: Reply,
  format: ReplyFormat,
  headers: HeaderRecord,
): Response {
  const status = reply instanceof ErrorReply ? errorStatus(reply) : 200;
  if (format === "resp2") return resp2Response([reply], status, headers);
  return new Response(replyJson(reply, format === "base64"), { status, headers });
}

/** The answer to a pipeline: always 200, each command's result or error in its place. */
export function batchResponse(
  replies: readonly Reply[],
  format: ReplyFormat,
  headers: HeaderRecord,
): Response {
  if (format === "resp2") return resp2Response(replies, 200, headers);
  const items = replies.map((reply) => replyJson(reply, format === "base64"));
  return new Response(`[${items.join(",")}]`, { status: 200, headers });
}

function resp2Response(
  replies: readonly Reply[],
  status: number,
  headers: HeaderRecord,
): Response {
  const bytes = replies.map((reply) => encodeReply(reply, 2)).join("");
  return new Response(new Uint8Array(toBuffer(bytes)), {
    status,
    headers: { ...headers, "Content-Type": "application/octet-stream" },
  });
}

/** The answer to a request that was refused before any command ran. */
export function problemResponse(problem: HttpProblem, headers: HeaderRecord = PLAIN): Response {
  const { status, text, allow, members } = problem;
  const response = new Response(errorJson(text, members), { status, headers });
  if (allow !== undefined) response.headers.set("Allow", allow);
  if (status === 401) response.headers.set("WWW-Authenticate", "Bearer");
  // What is left of the request's body is not read.
  if (status === 408) response.headers.set("Connection", "close");
  return response;
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
const PLAIN = { "Content-Type": "application/json", "Cache-Control": "no-store" };
