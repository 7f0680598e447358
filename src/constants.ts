import { assert } from "./base/assert.ts";

/** The version of Redis whose commands and replies are offered. */
export const REDIS_VERSION = "7.2.0";
export const BALSA_VERSION = "0.1.0";

export const DATABASE_COUNT = 16;

// --- requests ----------------------------------------------------------------------------------
/** A bulk string of this many bytes, or more, is refused (proto-max-bulk-len). */
export const BULK_BYTES_MAX = 512 * 1024 * 1024;
/** An inline request, or the header line of a multibulk one. */
export const INLINE_BYTES_MAX = 64 * 1024;
/** Users of the access control list, and entries of ACL LOG (acllog-max-len). */
export const USERS_MAX = 10_000;
export const ACL_LOG_DEFAULT = 128;
/** A request before authentication: arguments, and bytes of each. */
export const UNAUTHENTICATED_ARGUMENTS_MAX = 10;
export const UNAUTHENTICATED_BULK_BYTES_MAX = 16 * 1024;
/** Bytes of one request that a connection may hold at most: V8's strings end at 512 MiB - 24. */
export const REQUEST_BYTES_MAX = 512 * 1024 * 1024 - 1024;

// --- the log -----------------------------------------------------------------------------------
/** A command, or what a transaction writes, is refused beyond it. */
export const COMMAND_BYTES_MAX = 511 * 1024 * 1024;
/** An entry's batch is closed at this size. */
export const BATCH_BYTES_MAX = 1024 * 1024;
/** Of one piece of a command of more than two: a few of them and what is small fit in a batch. */
export const PIECE_BYTES = 256 * 1024;
/**
 * Pieces of a node that are on their way: each is applied there before another one is sent. Twice
 * as many, or twice as long, made a large value no faster and small commands beside it slower.
 */
export const PIECES_UNDER_WAY_MAX = 4;
/** Large commands of a node that wait for their turn to be sent; beyond it they are refused. */
export const LARGE_BYTES_MAX = COMMAND_BYTES_MAX;
/** Of a message and its channel: other nodes get it as one frame. */
export const PUBLISH_BYTES_MAX = 32 * 1024 * 1024;
/** Proposed and not yet committed bytes; beyond it writes are refused. */
export const UNCOMMITTED_BYTES_MAX = 128 * 1024 * 1024;

/** A log larger than this drops what the data covers durably, but for its newer half … */
export const LOG_BYTES_SOFT_MAX = 64 * 1024 * 1024;
/** … and for what followers still need, up to this size. */
export const LOG_BYTES_HARD_MAX = 256 * 1024 * 1024;
/** Entries older than this are dropped too, once the log has more than a sixteenth of its size. */
export const LOG_AGE_MAX_MS = 3_600_000;

// --- snapshots ---------------------------------------------------------------------------------
export const SNAPSHOT_CHUNK_BYTES = 256 * 1024;
/** Bytes of a transfer that are sent and not yet acknowledged. */
export const SNAPSHOT_WINDOW_BYTES = 1024 * 1024;
/** A snapshot's file that nobody needs is deleted after this time. */
export const SNAPSHOT_IDLE_MS = 600_000;

// --- consensus ---------------------------------------------------------------------------------
/** How long a command waits for a leader or its commit before it is answered with an error. */
export const REQUEST_TIMEOUT_MS = 10_000;
/** The loop's clockwork. */
export const TICK_MS = 10;
export const RAFT_DEFAULTS = {
  electionTimeoutMs: 400,
  heartbeatMs: 80,
  inflightMax: 4,
  appendBytesMax: 1024 * 1024,
  uncommittedBytesMax: UNCOMMITTED_BYTES_MAX,
  preVote: true,
  checkQuorum: true,
} as const;

// --- connections -------------------------------------------------------------------------------
export const MAXCLIENTS_DEFAULT = 10_000;
/** A connection whose unsent replies exceed this stops being read from. */
export const OUTPUT_HIGH_WATER_BYTES = 1024 * 1024;
/** A connection that lets more than this pile up is closed. */
export const OUTPUT_LIMIT_BYTES = 1024 * 1024 * 1024;
/** The same for one that has to authenticate itself and has not. */
export const UNAUTHENTICATED_OUTPUT_BYTES = 64 * 1024;
/** Replies of a turn are handed to the socket in pieces of about this size. */
export const OUTPUT_CHUNK_BYTES = 256 * 1024;
/** A connection that waits is not read from once this much of its requests is held. */
export const INPUT_HIGH_WATER_BYTES = 256 * 1024;
/** Requests of one connection that wait for their reply; beyond it the connection is not read. */
export const PIPELINE_DEPTH_MAX = 16_384;

// --- expiry ------------------------------------------------------------------------------------
/** Expired keys deleted behind one log entry. */
export const EXPIRE_KEYS_PER_ENTRY = 256;

// --- replies remembered by idempotency key -----------------------------------------------------
/** Memory for them: when it is full, no more are taken until some expire. */
export const IDEMPOTENCY_BYTES_MAX = 64 * 1024 * 1024;
/** A longer reply is not remembered, only that the command was carried out. */
export const REMEMBERED_REPLY_BYTES_MAX = 1024 * 1024;
export const IDEMPOTENCY_KEY_BYTES_MAX = 1024;
/** The longest time for which one is remembered. */
export const IDEMPOTENCY_TTL_MAX_MS = 7 * 24 * 3_600_000;
/** How long for a request whose header names no time. */
export const IDEMPOTENCY_TTL_DEFAULT_MS = 300_000;
/** Those whose time has come are forgotten behind entries, at most so many behind each. */
export const FORGET_REPLIES_PER_ENTRY = 256;

// --- scripts -----------------------------------------------------------------------------------
/** What one run may take, in units of about an instruction of Lua: the same on every node. */
export const SCRIPT_UNITS_MAX = 100_000_000;
/** The scripts that EVALSHA knows: for more, the oldest are forgotten. */
export const SCRIPT_TEXTS_BYTES_MAX = 32 * 1024 * 1024;
/** The libraries of functions: no more are taken beyond this. */
export const LIBRARIES_BYTES_MAX = 16 * 1024 * 1024;
/** Memory for compiled scripts, on each node. */
export const SCRIPT_IMAGES_BYTES_MAX = 16 * 1024 * 1024;
/** A Lua whose memory has grown beyond this is given up after the run. */
export const SCRIPT_INSTANCE_BYTES_KEPT = 8 * 1024 * 1024;

// --- HTTP --------------------------------------------------------------------------------------
export const HTTP_BODY_BYTES_MAX = 64 * 1024 * 1024;
/** Of the bodies that are being received at a time. */
export const HTTP_BODIES_BYTES_MAX = 256 * 1024 * 1024;
/** How long a body may take, and how fast what goes beyond that must come. */
export const HTTP_BODY_TIMEOUT_MS = 30_000;
export const HTTP_BODY_BYTES_PER_S_MIN = 64 * 1024;
/** A connection without a request, or with an unfinished head of one, is closed after this. */
export const HTTP_IDLE_TIMEOUT_MS = 60_000;
/** Event streams at a time. */
export const HTTP_STREAMS_MAX = 1000;
/** Silence on one of them after which a heartbeat is sent. */
export const HTTP_HEARTBEAT_MS = 15_000;

assert(RAFT_DEFAULTS.heartbeatMs * 3 < RAFT_DEFAULTS.electionTimeoutMs, "a lost beat or two");
assert(LOG_BYTES_SOFT_MAX * 2 <= LOG_BYTES_HARD_MAX, "slow followers find their entries");
assert(SNAPSHOT_CHUNK_BYTES * 2 <= SNAPSHOT_WINDOW_BYTES, "one chunk on its way, one written");
assert(PIECE_BYTES * 2 <= BATCH_BYTES_MAX, "a piece leaves room in its entry");
assert(BATCH_BYTES_MAX * 2 < UNCOMMITTED_BYTES_MAX, "entries fit in the uncommitted window");
assert(COMMAND_BYTES_MAX < REQUEST_BYTES_MAX, "what may be written may be received");
assert(REQUEST_BYTES_MAX <= BULK_BYTES_MAX, "a held request is no larger than a bulk may be");
