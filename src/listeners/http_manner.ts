import { type Bytes, utf8Encode } from "../base/bytes.ts";
import { type Consistency, isConsistency } from "../commands/local_context.ts";
import {
  IDEMPOTENCY_KEY_BYTES_MAX,
  IDEMPOTENCY_TTL_DEFAULT_MS,
  IDEMPOTENCY_TTL_MAX_MS,
} from "../constants.ts";
import { HttpProblem } from "./http_types.ts";
import { indexOfSyncToken } from "./sync_token.ts";

/** How a client wants its replies written; `resp2` is the wire form of RESP2. */
export type ReplyFormat = "json" | "base64" | "resp2";

/** What a request's header Idempotency-Key asks for. */
export interface Idempotency {
  readonly key: Bytes;
  /** For how long the reply is to be remembered, in decimal digits. */
  readonly ttlMs: Bytes;
}

/** What the headers of a request say of how it is run and answered. */
export interface Manner {
  readonly format: ReplyFormat;
  readonly consistency: Consistency;
  /** The entry that this node must have applied before the request is run. */
  readonly minIndex: number;
  readonly idempotency: Idempotency | undefined;
}

/** Reads them; `clusterId` tells which sync tokens are of this cluster. */
export function mannerOf(headers: Headers, clusterId: string): Manner | HttpProblem {
  const format = replyFormat(headers);
  if (format instanceof HttpProblem) return format;
  const consistency = readLevel(headers);
  if (consistency instanceof HttpProblem) return consistency;
  const minIndex = minIndexOf(headers, consistency, clusterId);
  if (minIndex instanceof HttpProblem) return minIndex;
  const idempotency = idempotencyOf(headers);
  if (idempotency instanceof HttpProblem) return idempotency;
  if (isPlain(format, consistency, minIndex, idempotency)) return PLAIN[format];
  return { format, consistency, minIndex, idempotency };
}

function isPlain(
  format: ReplyFormat,
  consistency: Consistency,
  minIndex: number,
  idempotency: Idempotency | undefined,
): format is keyof typeof PLAIN {
  return minIndex === 0 && idempotency === undefined && consistency === "linearizable" &&
    format !== "resp2";
}

const DEFAULTS = { consistency: "linearizable", minIndex: 0, idempotency: undefined } as const;
/** The usual ones, made once. */
const PLAIN: Readonly<Record<"json" | "base64", Manner>> = {
  json: { format: "json", ...DEFAULTS },
  base64: { format: "base64", ...DEFAULTS },
};

/** What the headers Upstash-Encoding and Upstash-Response-Format ask for. */
function replyFormat(headers: Headers): ReplyFormat | HttpProblem {
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
function readLevel(headers: Headers): Consistency | HttpProblem {
  const header = headers.get("balsa-consistency");
  if (header === null) return "linearizable";
  const level = header.trim().toLowerCase();
  if (isConsistency(level)) return level;
  return new HttpProblem(
    400,
    `ERR unsupported Balsa-Consistency: ${header} (linearizable, lease or stale)`,
  );
}

/**
 * The larger of what Balsa-Min-Index and the sync token ask for. A linearizable read sees what any
 * token stands for without waiting for it here, so for those a token asks nothing.
 */
function minIndexOf(
  headers: Headers,
  consistency: Consistency,
  clusterId: string,
): number | HttpProblem {
  const header = headers.get("balsa-min-index");
  let minIndex = 0;
  if (header !== null) {
    if (!/^\d{1,15}$/.test(header.trim())) {
      return new HttpProblem(400, `ERR Balsa-Min-Index is not the index of an entry: ${header}`);
    }
    minIndex = Number(header);
  }
  if (consistency === "linearizable") return minIndex;
  const token = headers.get("upstash-sync-token");
  return token === null ? minIndex : Math.max(minIndex, indexOfSyncToken(token, clusterId));
}

/** `Idempotency-Key: key`, or quoted as the IETF's draft has it, and Balsa-Idempotency-Ttl. */
function idempotencyOf(headers: Headers): Idempotency | undefined | HttpProblem {
  const header = headers.get("idempotency-key");
  if (header === null) return undefined;
  const trimmed = header.trim();
  const key = utf8Encode(/^".*"$/.test(trimmed) ? trimmed.slice(1, -1) : trimmed);
  if (key === "" || key.length > IDEMPOTENCY_KEY_BYTES_MAX) {
    return new HttpProblem(
      400,
      `ERR Idempotency-Key must have 1 to ${IDEMPOTENCY_KEY_BYTES_MAX} bytes`,
    );
  }
  const ttl = headers.get("balsa-idempotency-ttl")?.trim() ?? String(IDEMPOTENCY_TTL_DEFAULT_MS);
  if (!/^[1-9]\d{0,14}$/.test(ttl) || Number(ttl) > IDEMPOTENCY_TTL_MAX_MS) {
    return new HttpProblem(
      400,
      `ERR Balsa-Idempotency-Ttl must be milliseconds from 1 to ${IDEMPOTENCY_TTL_MAX_MS}`,
    );
  }
  return { key, ttlMs: ttl };
}

const ENCODED_RESP2 = new HttpProblem(
  400,
  "ERR Upstash-Encoding cannot be used with Upstash-Response-Format: resp2",
);
