import type { Bytes } from "../base/bytes.ts";
import { NO_SUCH_KEY, type Reply, Status } from "../resp/reply.ts";
import { NO_EXPIRY } from "../storage/redis_operations.ts";
import { DATABASE_COUNT } from "../constants.ts";
import type { DataCommand } from "./command.ts";
import type { DataContext } from "./data_context.ts";
import { readCommand, SUBCOMMAND_KEY } from "./define.ts";
import { valueOf } from "./dump.ts";
import { murmurHash64 } from "./murmur_hash.ts";
import { encodingOf } from "./object.ts";
import { optionName } from "./parse.ts";
import type { DumpedValue } from "./rdb/value.ts";
import { writeValue } from "./rdb/write.ts";

/** Words of 32 bits in a digest, told as 40 hex digits as Redis's are. */
const DIGEST_WORDS = 5;

/** Digests that are combined in any order. */
class Digest {
  readonly #words = new Uint32Array(DIGEST_WORDS);

  /** Takes in one more part. */
  add(part: Bytes): void {
    for (let i = 0; i < DIGEST_WORDS; i++) {
      const { high, low } = murmurHash64(part, i + 1);
      this.#words[i] ^= high ^ low;
    }
  }

  get text(): Bytes {
    return [...this.#words].map((word) => word.toString(16).padStart(8, "0")).join("");
  }
}

/** A digest of a value, whatever form it has and whatever order a set or hash is in. */
function digestOf(value: DumpedValue): Bytes {
  const digest = new Digest();
  digest.add(value.type);
  const add = (...parts: readonly (Bytes | number)[]) =>
    digest.add(parts.map((part) => `${String(part).length} ${part}`).join(""));
  if (value.type === "string") add(value.value);
  else if (value.type === "list") value.items.forEach((item, at) => add(at, item));
  else if (value.type === "set") { for (const member of value.items) add(member); }
  else if (value.type === "zset") { for (const each of value.members) add(each.name, each.score); }
  else if (value.type === "hash") {
    for (const { name, value: text, expireAtMs } of value.fields) add(name, text, expireAtMs);
  } else add(writeValue(value));
  return digest.text;
}

/** DEBUG OBJECT key: there are no addresses, and no clock of uses but OBJECT IDLETIME's. */
function object(context: DataContext, argv: readonly Bytes[]): Reply {
  const record = context.peek(argv[2]);
  if (record === undefined) return NO_SUCH_KEY;
  const length = writeValue(valueOf(context, argv[2], record)).length - 1;
  return new Status(
    `Value at:0x0 refcount:1 encoding:${encodingOf(record)} serializedlength:${length} ` +
      `lru:0 lru_seconds_idle:${context.ops.idleSeconds(context.db, argv[2])}`,
  );
}

/** DEBUG DIGEST-VALUE [key …] */
function digestValue(context: DataContext, argv: readonly Bytes[]): Reply {
  return argv.slice(2).map((key) => {
    const record = context.peek(key);
    const digest = record === undefined ? "0".repeat(40) : digestOf(valueOf(context, key, record));
    return new Status(digest);
  });
}

/** DEBUG DIGEST: of all keys of all databases. */
function digest(context: DataContext): Reply {
  const { db } = context;
  const all = new Digest();
  for (context.db = 0; context.db < DATABASE_COUNT; context.db++) {
    for (const key of context.ops.keys(context.db)) {
      const record = context.peek(key);
      if (record === undefined) continue;
      const expiry = record.expireAtMs === NO_EXPIRY ? "" : "!!expire!!";
      const value = digestOf(valueOf(context, key, record));
      all.add(`${context.db} ${key.length} ${key}${value}${expiry}`);
    }
  }
  context.db = db;
  return new Status(all.text);
}

const ON_DATA: ReadonlyMap<string, DataCommand> = new Map([
  ["object", readCommand("debug", 3, object, SUBCOMMAND_KEY)],
  ["digest", readCommand("debug", 2, digest)],
  ["digest-value", readCommand("debug", -2, digestValue, { first: 2, last: -1, step: 1 })],
]);

/** The part of DEBUG that reads data, if these arguments ask for it. */
export function debugOnData(argv: readonly Bytes[]): DataCommand | undefined {
  const command = ON_DATA.get(optionName(argv[1]));
  if (command === undefined) return undefined;
  return command.arity > 0 && argv.length !== command.arity ? undefined : command;
}
