import { toBuffer } from "../base/bytes.ts";
import type { ClusterStatus } from "../commands/cluster_view.ts";
import { type Consistency, isConsistency } from "../commands/local_context.ts";
import { encodeReply } from "../resp/encoder.ts";
import { ErrorReply, type Reply } from "../resp/reply.ts";
import { errorJson, replyJson } from "./http_reply.ts";
import { HttpProblem, type HttpStatus } from "./http_types.ts";

/** How a client wants its replies written; `resp2` is the wire form of RESP2. */
export type ReplyFormat = "json" | "base64" | "resp2";

/** What the headers Upstash-Encoding and Upstash-Response-Format ask for. */
export function replyFormat(headers: Headers): ReplyFormat | HttpProblem {
  const encoding = headers.get("upstash-encoding");
  // The second spelling is the one in the examples of Upstash's documentation.
  const shape = headers.get("upstash-response-format") ?? headers.get("upstash-reponse-format");
  if (encoding !== null && encoding.toLowerCase() !== "base64") {
    return new HttpProblem(400, `ERR unsupported Upstash-Encoding: ${encoding}`);
  }
  if (shape === null || shape.toLowerCase() === "json") {
    return encoding === null ? "json" : "base64";
  }
  if (shape.toLowerCase() !== "resp2") {
    return new HttpProblem(400, `ERR unsupported Upstash-Response-Format: ${shape}`);
  }
  return encoding === null ? "resp2" : ENCODED_RESP2;
}

/** The read level that the header Balsa-Consistency asks for. */
export function readLevel(headers: Headers): Consistency | HttpProblem {
  const header = headers.get("balsa-consistency");
  if (header === null) return "linearizable";
  const level = header.trim().toLowerCase();
  if (isConsistency(level)) return level;
  return new HttpProblem(
    400,
    `ERR unsupported Balsa-Consistency: ${header} (linearizable, lease or stale)`,
  );
}

/** The answer to GET /cluster. */
export function clusterResponse(status: ClusterStatus | undefined): Response {
  if (status !== undefined) return new Response(JSON.stringify(status), JSON_OK);
  return new Response(errorJson("not ready: in no cluster yet"), INITS[503]);
}

/** The answer to one command: 200 with its result, or the status that fits its error. */
export function replyResponse(reply: Reply, format: ReplyFormat): Response {
  const init = reply instanceof ErrorReply ? INITS[errorStatus(reply)] : JSON_OK;
  if (format === "resp2") return resp2Response([reply], init.status);
  return new Response(replyJson(reply, format === "base64"), init);
}

/** The answer to a pipeline: always 200, each command's result or error in its place. */
export function batchResponse(replies: readonly Reply[], format: ReplyFormat): Response {
  if (format === "resp2") return resp2Response(replies, 200);
  const items = replies.map((reply) => replyJson(reply, format === "base64"));
  return new Response(`[${items.join(",")}]`, JSON_OK);
}

function resp2Response(replies: readonly Reply[], status: number): Response {
  const bytes = replies.map((reply) => encodeReply(reply, 2)).join("");
  return new Response(new Uint8Array(toBuffer(bytes)), { status, headers: OCTET_HEADERS });
}

/** The answer to a request that was refused before any command ran. */
export function problemResponse(problem: HttpProblem): Response {
  const response = new Response(errorJson(problem.text), INITS[problem.status]);
  if (problem.allow !== undefined) response.headers.set("Allow", problem.allow);
  if (problem.status === 401) response.headers.set("WWW-Authenticate", "Bearer");
  return response;
}

/** 503 where the same command may succeed later or elsewhere, 400 for every other error. */
function errorStatus(reply: ErrorReply): HttpStatus {
  const space = reply.text.indexOf(" ");
  return UNAVAILABLE_CODES.has(space < 0 ? reply.text : reply.text.slice(0, space)) ? 503 : 400;
}

const ENCODED_RESP2 = new HttpProblem(
  400,
  "ERR Upstash-Encoding cannot be used with Upstash-Response-Format: resp2",
);
const UNAVAILABLE_CODES: ReadonlySet<string> = new Set([
  "BUSY",
  "CLUSTERDOWN",
  "LOADING",
  "MISCONF",
  "SHUTDOWN",
  "TRYAGAIN",
]);

/** Answers are never to be kept by a cache: the same URL may well read another value next time. */
const HEADERS = { "Content-Type": "application/json", "Cache-Control": "no-store" };
const OCTET_HEADERS = { "Content-Type": "application/octet-stream", "Cache-Control": "no-store" };
const JSON_OK = { status: 200, headers: HEADERS };
const INITS: Readonly<Record<HttpStatus, typeof JSON_OK>> = {
  400: { status: 400, headers: HEADERS },
  401: { status: 401, headers: HEADERS },
  403: { status: 403, headers: HEADERS },
  404: { status: 404, headers: HEADERS },
  405: { status: 405, headers: HEADERS },
  413: { status: 413, headers: HEADERS },
  500: { status: 500, headers: HEADERS },
  503: { status: 503, headers: HEADERS },
};
