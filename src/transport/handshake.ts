import { Buffer } from "node:buffer";
import { createHmac, timingSafeEqual } from "node:crypto";
import * as v from "valibot";

/** Peers of another protocol version are refused. */
export const PEER_PROTOCOL = 2;

/** What a connection is for: see README.md. */
export type Purpose = "messages" | "snapshot" | "request";

const hex32 = v.pipe(v.string(), v.regex(/^[0-9a-f]{32}$/));
const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const address = v.pipe(v.string(), v.maxLength(300));

/** Who a side says it is. */
const IDENTITY = {
  /** "" for one that is in no cluster yet. */
  clusterId: v.union([hex32, v.literal("")]),
  nodeId: count,
  /** Counts the runs of its process; `runs`: their random numbers, latest first. */
  incarnation: count,
  runs: v.pipe(v.array(count), v.maxLength(64), v.readonly()),
  /** Its term and the last entry of its log, durable there. */
  term: count,
  lastIndex: count,
  /** Where it can be reached, "host:port". */
  address,
};
const IdentitySchema = v.strictObject(IDENTITY);
export type PeerIdentity = Readonly<v.InferOutput<typeof IdentitySchema>>;

const HelloSchema = v.strictObject({
  ...IDENTITY,
  protocol: count,
  purpose: v.picklist(["messages", "snapshot", "request"]),
  /** Who the dialer means to reach; 0: anyone. */
  toNodeId: count,
  nonce: hex32,
});

const ChallengeSchema = v.strictObject({ nonce: hex32 });
const ProofSchema = v.strictObject({ proof: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)) });
const WelcomeSchema = v.strictObject({
  ...IDENTITY,
  proof: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)),
});
const RefusalSchema = v.strictObject({ reason: v.pipe(v.string(), v.maxLength(500)) });

export type Hello = v.InferOutput<typeof HelloSchema>;
export type Challenge = v.InferOutput<typeof ChallengeSchema>;
export type Welcome = v.InferOutput<typeof WelcomeSchema>;

/** A peer that does not keep to the handshake, or failed it; the text is for the log. */
export class HandshakeError extends Error {
  override name = "HandshakeError";
}

export const parseHello = (payload: Buffer) => parse(HelloSchema, payload);
export const parseChallenge = (payload: Buffer) => parse(ChallengeSchema, payload);
export const parseProof = (payload: Buffer) => parse(ProofSchema, payload);
export const parseWelcome = (payload: Buffer) => parse(WelcomeSchema, payload);
export const parseRefusal = (payload: Buffer) => parse(RefusalSchema, payload);

export function encodeJson(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value), "utf8");
}

/** Random bytes of a nonce, which is their hex. */
export const NONCE_BYTES = 16;

/**
 * What shows that one side knows the secret, without telling it: an HMAC-SHA256 over both nonces,
 * the side's role and all that the dialer claims, in hex.
 */
export function makeProof(
  secret: string,
  role: "dialer" | "acceptor",
  hello: Hello,
  challenge: Challenge,
): string {
  const { protocol, purpose, toNodeId, nonce, clusterId, nodeId, address } = hello;
  const { incarnation, runs, term, lastIndex } = hello;
  const claims = [protocol, purpose, toNodeId, nonce, clusterId, nodeId, address];
  const past = [incarnation, runs, term, lastIndex];
  const text = JSON.stringify(["balsa-peer", role, challenge.nonce, ...claims, ...past]);
  return createHmac("sha256", secret).update(text).digest("hex");
}

/** Whether two proofs are equal, in a time that does not tell where they differ. */
export function sameProof(a: string, b: string): boolean {
  return a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));
}

function parse<TSchema extends v.GenericSchema>(
  schema: TSchema,
  payload: Buffer,
): v.InferOutput<TSchema> {
  let value: unknown;
  try {
    value = JSON.parse(payload.toString("utf8"));
  } catch {
    throw new HandshakeError("it does not speak the peer protocol");
  }
  const result = v.safeParse(schema, value);
  if (!result.success) {
    throw new HandshakeError(`a malformed handshake: ${result.issues[0].message}`);
  }
  return result.output;
}
