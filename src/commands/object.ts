import type { Bytes } from "../base/bytes.ts";
import { parseInt64 } from "../base/int64.ts";
import { err, NOT_INTEGER, type Reply, SYNTAX_ERROR } from "../resp/reply.ts";
import type { KeyRecord, KeyType } from "../storage/redis_operations.ts";
import { ID_MAX, ID_ZERO } from "../storage/stream_id.ts";
import type { Command, ContainerCommand, DataCommand, LocalCommand } from "./command.ts";
import type { DataContext } from "./data_context.ts";
import { readCommand, SUBCOMMAND_KEY } from "./define.ts";
import { helpReply } from "./help.ts";
import { optionName, parseOffset } from "./parse.ts";

/** Longer strings are "raw" in Redis. */
const EMBEDDED_BYTES_MAX = 44;
/** Redis keeps one object for each integer below this, and counts no references to it. */
const SHARED_INTEGERS = 10_000;
const SHARED_REFCOUNT = 2147483647;

const NO_LFU = err(
  "An LFU maxmemory policy is not selected, access frequency not tracked. Please note that " +
    "when switching between policies at runtime LRU and LFU data will take some time to adjust.",
);

const HELP = helpReply("OBJECT", [
  "ENCODING <key>",
  "    Return the kind of internal representation used in order to store the value",
  "    associated with a <key>.",
  "FREQ <key>",
  "    Return the access frequency index of the <key>. The returned integer is",
  "    proportional to the logarithm of the recent access frequency of the key.",
  "IDLETIME <key>",
  "    Return the idle time of the <key>, that is the approximated number of",
  "    seconds elapsed since the last access to the key.",
  "REFCOUNT <key>",
  "    Return the number of references of the value associated with the specified",
  "    <key>.",
]);

/** OBJECT ENCODING key */
function encoding(context: DataContext, argv: readonly Bytes[]): Reply {
  const record = context.peek(argv[2]);
  return record === undefined ? null : encodingOf(record);
}

/** How Redis would hold the value: what storage keeps of it, else as after a SET. */
export function encodingOf(record: KeyRecord): Bytes {
  if (record.encoding !== undefined) return record.encoding;
  if (parseInt64(record.value) !== undefined) return "int";
  return record.value.length <= EMBEDDED_BYTES_MAX ? "embstr" : "raw";
}

/** OBJECT FREQ key */
function freq(context: DataContext, argv: readonly Bytes[]): Reply {
  return context.peek(argv[2]) === undefined ? null : NO_LFU;
}

/** OBJECT IDLETIME key: as this node has seen it used; 0 where all nodes must answer the same. */
function idletime(context: DataContext, argv: readonly Bytes[]): Reply {
  if (context.peek(argv[2]) === undefined) return null;
  return context.isLocal ? context.ops.idleSeconds(context.db, argv[2]) : 0;
}

/** OBJECT REFCOUNT key */
function refcount(context: DataContext, argv: readonly Bytes[]): Reply {
  const record = context.peek(argv[2]);
  if (record === undefined) return null;
  const value = record.type === "string" ? parseInt64(record.value) : undefined;
  return value !== undefined && value >= 0 && value < SHARED_INTEGERS ? SHARED_REFCOUNT : 1;
}

/** MEMORY USAGE key [SAMPLES count] */
function memoryUsageOf(context: DataContext, argv: readonly Bytes[]): Reply {
  let samples = SAMPLES_DEFAULT;
  for (let index = 3; index < argv.length; index += 2) {
    if (optionName(argv[index]) !== "samples" || index + 1 === argv.length) return SYNTAX_ERROR;
    const count = parseOffset(argv[index + 1]);
    if (count === undefined) return NOT_INTEGER;
    if (count < 0) return SYNTAX_ERROR;
    samples = count;
  }
  const record = context.peek(argv[2]);
  if (record === undefined) return null;
  const keyBytes = keyMemoryBytes(argv[2]);
  if (record.type === "string") return keyBytes + stringMemoryBytes(record.value);
  return keyBytes + elementsMemoryBytes(context, argv[2], record, samples);
}

/** Elements that MEMORY USAGE looks at when it is not told how many. */
const SAMPLES_DEFAULT = 5;
/** About what Redis takes for a collection, and beside an element's bytes for each of them. */
const COLLECTION_BYTES = 72;
const COMPACT_ELEMENT_BYTES = 11;
const ELEMENT_BYTES = 64;

/** About what Redis takes for a collection, from the first `samples` of its elements; 0: all. */
function elementsMemoryBytes(
  context: DataContext,
  key: Bytes,
  record: KeyRecord,
  samples: number,
): number {
  let bytes = 0;
  let seen = 0;
  for (const element of elementsOf(context, key, record.type)) {
    for (const part of element) bytes += typeof part === "string" ? part.length : 8;
    if (++seen === samples) break;
  }
  const isLoose = record.encoding === "hashtable" || record.encoding === "skiplist";
  const mean = bytes / Math.max(1, seen) + (isLoose ? ELEMENT_BYTES : COMPACT_ELEMENT_BYTES);
  return COLLECTION_BYTES + Math.round(mean * record.size);
}

/** The elements of a collection, each as its parts. */
function* elementsOf(
  { ops, db }: DataContext,
  key: Bytes,
  type: KeyType,
): Iterable<readonly (Bytes | number)[]> {
  if (type === "hash") {
    for (const [name, { value }] of ops.collection(db, key, type)?.entries() ?? []) {
      yield [name, value];
    }
  } else if (type === "set") {
    for (const member of ops.collection(db, key, type)?.members() ?? []) yield [member];
  } else if (type === "list") {
    for (const value of ops.collection(db, key, type)?.values(0) ?? []) yield [value];
  } else if (type === "zset") {
    const zset = ops.collection(db, key, type);
    if (zset === undefined) return;
    for (const { name, score } of zset.range(0, zset.size - 1)) yield [name, score];
  } else if (type === "stream") {
    const stream = ops.collection(db, key, type);
    for (const { words } of stream?.range(ID_ZERO, ID_MAX) ?? []) yield words;
  }
}

/** Bytes that Redis takes for the name of a key. */
function keyMemoryBytes(key: Bytes): number {
  const dictionaryEntry = 24;
  const header = key.length < 32 ? 1 : headerBytes(key);
  return dictionaryEntry + allocatedBytes(key.length + 1 + header);
}

/** Bytes that Redis takes for a string value: what users of MEMORY USAGE compare. */
function stringMemoryBytes(value: Bytes): number {
  const object = 16;
  let valueBytes = object;
  if (parseInt64(value) === undefined) {
    const stringBytes = value.length + 1 + headerBytes(value);
    valueBytes = value.length <= EMBEDDED_BYTES_MAX
      ? allocatedBytes(object + stringBytes)
      : object + allocatedBytes(stringBytes);
  }
  return valueBytes;
}

/** Bytes of the header of a Redis string. */
function headerBytes(value: Bytes): number {
  if (value.length < 1 << 8) return 3;
  return value.length < 1 << 16 ? 5 : 9;
}

/** The size class of the allocator: four for each power of two, at least 16 bytes apart. */
function allocatedBytes(bytes: number): number {
  if (bytes <= 8) return 8;
  const step = Math.max(16, 2 ** (Math.ceil(Math.log2(bytes)) - 3));
  return Math.ceil(bytes / step) * step;
}

/** The subcommand USAGE of MEMORY. */
export const memoryUsage: DataCommand = readCommand(
  "memory|usage",
  -3,
  memoryUsageOf,
  SUBCOMMAND_KEY,
);

const help: LocalCommand = { name: "object|help", arity: 2, path: "local", run: () => HELP };

const objectCommand: ContainerCommand = {
  name: "object",
  arity: -2,
  path: "container",
  subcommands: new Map<string, DataCommand | LocalCommand>([
    ["encoding", readCommand("object|encoding", 3, encoding, SUBCOMMAND_KEY)],
    ["freq", readCommand("object|freq", 3, freq, SUBCOMMAND_KEY)],
    ["idletime", readCommand("object|idletime", 3, idletime, SUBCOMMAND_KEY)],
    ["refcount", readCommand("object|refcount", 3, refcount, SUBCOMMAND_KEY)],
    ["help", help],
  ]),
};

/** The commands that look into a value. */
export const objectCommands: readonly Command[] = [objectCommand];
