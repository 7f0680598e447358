import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Bytes } from "../../src/base/bytes.ts";
import { Prng } from "../../src/base/prng.ts";
import { crc64 } from "../../src/commands/rdb/crc64.ts";
import { littleEndian, readListpack, writeListpack } from "../../src/commands/rdb/packed.ts";
import { readValue } from "../../src/commands/rdb/read.ts";
import type { DumpedValue } from "../../src/commands/rdb/value.ts";
import { needsNewerVersion, writeValue } from "../../src/commands/rdb/write.ts";
import { NO_EXPIRY } from "../../src/storage/redis_operations.ts";
import { withoutActivity } from "../compat/compare.ts";
import { LocalRunner } from "./local_runner.ts";
import { bulkStrings, RedisReference, type ReferenceConnection } from "./redis_reference.ts";

const INTEGERS: Bytes[] = [
  ..."0 1 -1 63 64 127 128 -128 -129 255 4095 4096 -4096 -4097 32767 32768 65535 -32769".split(" "),
  ..."8388607 8388608 -8388609 2147483647 2147483648 -2147483649 9007199254740993".split(" "),
  ..."9223372036854775807 -9223372036854775808".split(" "),
];
const TEXTS: Bytes[] = ["", "a", "01", "+1", "9223372036854775808", "x".repeat(63), "y".repeat(64)];
const LONG: Bytes[] = ["z".repeat(65), "ab".repeat(2100), "\x00\xff\r\n", "q".repeat(20_000)];
const SCORES = [0, 1, -1.5, 0.1, 4096, 2 ** 53, 1e300, Infinity, -Infinity, 5e-324];

/** Commands that make a value at the key "k", by a name. */
const VALUES: readonly (readonly [string, readonly (readonly Bytes[])[]])[] = [
  ...[...INTEGERS, ...TEXTS, ...LONG].map((text) =>
    [`string ${text.slice(0, 25)} (${text.length})`, [["SET", "k", text]]] as [string, Bytes[][]]
  ),
  ["small list", [["RPUSH", "k", ...INTEGERS, ...TEXTS]]],
  ["large list", [["RPUSH", "k", ...INTEGERS, ...TEXTS, ...LONG, ...LONG]]],
  ["long list", [["RPUSH", "k", ...Array.from({ length: 3000 }, (_, i) => `item ${i}`)]]],
  ["set of 16 bits", [["SADD", "k", "1", "-2", "300"]]],
  ["set of 32 bits", [["SADD", "k", "1", "-2", "70000"]]],
  ["set of integers", [["SADD", "k", ...INTEGERS]]],
  ["set", [["SADD", "k", ...INTEGERS, ...TEXTS, ...LONG]]],
  ["small sorted set", [["ZADD", "k", ...SCORES.flatMap((score, i) => [`${score}`, `m${i}`])]]],
  ["large sorted set", [
    ["ZADD", "k", ...SCORES.flatMap((score, i) => [`${score}`, `m${i}`]), "7", LONG[0]],
  ]],
  ["small hash", [["HSET", "k", ...INTEGERS, "odd"]]],
  ["large hash", [["HSET", "k", ...TEXTS, ...LONG, "odd"]]],
  ["small stream", [["XADD", "k", "5-1", "f", "v"], ["XADD", "k", "5-2", "f", "1", "g", "2"]]],
  ["stream without entries", [["XADD", "k", "5-1", "f", "v"], ["XDEL", "k", "5-1"]]],
  ["stream of wide ids", [
    ["XADD", "k", "9007199254740993-18446744073709551615", ...INTEGERS, "odd"],
    ["XADD", "k", "18446744073709551615-1", ...LONG],
    ["XSETID", "k", "18446744073709551615-9", "ENTRIESADDED", "9223372036854775807"],
  ]],
  ["stream of many nodes", [
    ...Array.from({ length: 700 }, (_, i) => ["XADD", "k", `${i * 3}-*`, `f${i >> 7}`, `${i}`]),
    ["XTRIM", "k", "MAXLEN", "650"],
    ["XDEL", "k", "300-0", "303-0", "306-0", "1500-0"],
  ]],
  ["stream with groups", [
    ...["1-0", "2-0", "3-0", "4-0", "5-0"].map((id) => ["XADD", "k", id, "f", id]),
    ["XGROUP", "CREATE", "k", "unread", "2"],
    ["XGROUP", "CREATE", "k", "group", "0", "ENTRIESREAD", "0"],
    ["XGROUP", "CREATECONSUMER", "k", "group", "idle"],
    ["XREADGROUP", "GROUP", "group", "b", "COUNT", "2", "STREAMS", "k", ">"],
    ["XREADGROUP", "GROUP", "group", "a\x00\xff", "COUNT", "1", "STREAMS", "k", ">"],
    ["XCLAIM", "k", "group", "b", "0", "3", "RETRYCOUNT", "9223372036854775807"],
    ["XDEL", "k", "2-0"],
  ]],
];

const READS = [
  ["TYPE", "k"],
  ["PTTL", "k"],
  ["GET", "k"],
  ["LRANGE", "k", "0", "-1"],
  ["ZRANGE", "k", "0", "-1", "WITHSCORES"],
  ["XINFO", "STREAM", "k", "FULL", "COUNT", "0"],
];

let reference: RedisReference;
let redis: ReferenceConnection;
beforeAll(async () => {
  reference = await RedisReference.start();
  redis = await reference.connect(2);
});
afterAll(() => reference?.stop());

/** Everything there is to see of the key "k", in redis-server and in ours. */
async function shown(runner: LocalRunner): Promise<[unknown, unknown]> {
  const replies = await redis.exec([...READS, ["SMEMBERS", "k"], ["HGETALL", "k"]]);
  const [members, fields] = replies.splice(-2);
  const { ops } = runner.context;
  const type = ops.find(0, "k")?.type;
  const ours = READS.map((argv) => withoutActivity(runner.exec(argv, 2)));
  const set = type === "set" ? [...ops.collection(0, "k", "set")?.members() ?? []].sort() : members;
  const hash = type === "hash"
    ? [...ops.collection(0, "k", "hash")?.entries() ?? []].map(([name, { value }]) => [name, value])
    : fields;
  const words = fields.startsWith("*") ? bulkStrings(fields) : [];
  const pairs = words.flatMap((word, i) => i % 2 === 0 ? [[word, words[i + 1]]] : []);
  return [
    [
      replies,
      type === "set" ? bulkStrings(members).sort() : members,
      type === "hash" ? pairs.sort() : fields,
    ],
    [ours, set, Array.isArray(hash) ? hash.sort() : hash],
  ];
}

function bulk(reply: Bytes): Bytes {
  return reply.slice(reply.indexOf("\r\n") + 2, -2);
}

function sealed(value: Bytes, version = 10): Bytes {
  const payload = value + littleEndian(version, 2);
  return payload + crc64(payload);
}

describe("values go to redis-server and back", () => {
  for (const [name, commands] of VALUES) {
    test(name, async () => {
      const [, ...made] = await redis.exec([["FLUSHALL"], ...commands, ["DUMP", "k"]]);
      const runner = new LocalRunner(Date.now());
      expect(runner.exec(["RESTORE", "k", "0", bulk(made.at(-1) ?? "")], 2)).toBe("+OK\r\n");
      const [theirs, ours] = await shown(runner);
      expect(ours).toEqual(theirs);

      const dumped = bulk(runner.exec(["DUMP", "k"], 2));
      const [, restored] = await redis.exec([["FLUSHALL"], ["RESTORE", "k", "0", dumped]]);
      expect(restored).toBe("+OK\r\n");
      expect((await shown(runner))[0]).toEqual(theirs);
    });
  }

  test("small values byte for byte", async () => {
    const small = [
      ["SET", "k", "12"],
      ["SET", "k", "hello"],
      ["RPUSH", "k", "a", "1", "b"],
      ["SADD", "k", "3", "1", "-2"],
      ["ZADD", "k", "1", "a", "2.5", "b"],
      ["HSET", "k", "f", "v"],
    ];
    for (const command of small) {
      const [, , theirs] = await redis.exec([["FLUSHALL"], command, ["DUMP", "k"]]);
      const runner = new LocalRunner(Date.now());
      runner.exec(["RESTORE", "k", "0", bulk(theirs)], 2);
      expect(bulk(runner.exec(["DUMP", "k"], 2))).toBe(bulk(theirs));
    }
  });
});

/** A string of an RDB file. */
function str(text: Bytes): Bytes {
  return String.fromCharCode(0x40 | (text.length >> 8), text.length & 0xff) + text;
}

function ziplist(entries: readonly Bytes[]): Bytes {
  let [body, before] = ["", 0];
  for (const entry of entries) {
    const element = String.fromCharCode(before) + entry;
    body += element;
    before = element.length;
  }
  const tail = 10 + body.length - before;
  return littleEndian(11 + body.length, 4) + littleEndian(tail, 4) +
    littleEndian(entries.length, 2) + body + "\xff";
}

const ZIPLIST = ziplist([
  "\x01a",
  "\xf3",
  "\xfe\x80",
  "\xc0\x00\x80",
  "\xf0\xff\xff\x7f",
  "\xd0\x00\x00\x00\x80",
  "\xe0" + "\xff".repeat(7) + "\x7f",
  "\x40\x41" + "b".repeat(65),
]);
const ZIPMAP = "\x02\x01a\x02\x00bc\x02de\x00\x01\x00\xff";

/** A stream of one node, as 5.0 wrote it, of one group with an entry that is pending. */
const OLD_STREAM = "\x0f\x01\x10" + "\0".repeat(7) + "\x05" + "\0".repeat(8) +
  str(writeListpack(["2", "1", "1", "f", "0", ..."2 0 1 a 4 3 0 2 b 4 0 0 3 1 g c 6".split(" ")])) +
  "\x02\x05\x03\x01\x01g\x05\x01\x01" + "\0".repeat(7) + "\x05" + "\0".repeat(7) + "\x01" +
  "\x39\x30\0\0\0\0\0\0\x02\x01\x01c" + "\x39\x30\0\0\0\0\0\0\x01" +
  "\0".repeat(7) + "\x05" + "\0".repeat(7) + "\x01";

/** Forms that older versions wrote, behind the number of each. */
const OLD: readonly (readonly [string, Bytes])[] = [
  ["linked list", "\x01\x03" + str("a") + str("b") + "\xc0\x05"],
  ["list as ziplist", "\x0a" + str(ZIPLIST)],
  ["quicklist of ziplists", "\x0e\x02" + str(ZIPLIST) + str(ziplist(["\x01z"]))],
  ["plain node of a quicklist", "\x12\x02\x01" + str("plain") + "\x02" + str(writeListpack(["1"]))],
  ["hash as zipmap", "\x09" + str(ZIPMAP)],
  ["hash as ziplist", "\x0d" + str(ziplist(["\x01f", "\xf2", "\x01g", "\x01v"]))],
  ["sorted set as ziplist", "\x0c" + str(ziplist(["\x01a", "\xf2", "\x01b", "\x032.5"]))],
  [
    "sorted set of texts",
    "\x03\x03" + str("a") + "\x031.5" + str("b") + "\xfe" + str("c") + "\xff",
  ],
  ["compressed string", "\x00\xc3\x08\x40\x2d" + "\x01ab\xe0\x23\x01\x01ab"],
  ["stream without counters", OLD_STREAM],
  ["compressed beyond", "\x00\xc3\x05\x14\x00a\xe0\x80\x00"],
];

describe("forms of older versions", () => {
  for (const [name, value] of OLD) {
    test(name, async () => {
      const restore = ["RESTORE", "k", "0", sealed(value, 6)];
      const [, theirReply] = await redis.exec([["FLUSHALL"], restore]);
      const runner = new LocalRunner(Date.now());
      expect(runner.exec(restore, 2)).toBe(theirReply);
      const [theirs, ours] = await shown(runner);
      expect(ours).toEqual(theirs);
    });
  }
});

test("RESTORE answers as redis-server", async () => {
  const dumped = sealed("\x00\x03bar");
  const rows: Bytes[][] = [
    ["RESTORE", "k", "0", dumped],
    ["RESTORE", "k", "0", dumped],
    ["RESTORE", "k", "0", "..."],
    ["RESTORE", "k", "x", dumped, "REPLACE"],
    ["RESTORE", "k", "-1", dumped, "REPLACE"],
    ["RESTORE", "k", "0", dumped, "REPLACE", "FOO"],
    ["RESTORE", "k", "0", dumped, "replace", "IDLETIME", "1000"],
    ["RESTORE", "k", "0", dumped, "REPLACE", "IDLETIME", "-1"],
    ["RESTORE", "k", "0", dumped, "REPLACE", "IDLETIME", "x"],
    ["RESTORE", "k", "0", dumped, "REPLACE", "IDLETIME"],
    ["RESTORE", "k", "0", dumped, "REPLACE", "FREQ", "256"],
    ["RESTORE", "k", "0", dumped, "REPLACE", "FREQ", "100"],
    ["RESTORE", "k", "0", dumped, "REPLACE", "FREQ", "1", "IDLETIME", "1"],
    ["RESTORE", "k", "0", dumped, "REPLACE", "IDLETIME", "1", "FREQ", "1"],
    ["RESTORE", "k", "1000", dumped, "REPLACE", "ABSTTL"],
    ["EXISTS", "k"],
    ["RESTORE", "k", "33000000000000", dumped, "ABSTTL"],
    ["PEXPIRETIME", "k"],
    ["RESTORE", "n", "0", ""],
    ["RESTORE", "n", "0", dumped.slice(0, -1)],
    ["RESTORE", "n", "0", dumped.slice(0, -1) + "\x00"],
    ["RESTORE", "n", "0", sealed("\x00\x03bar", 200)],
    ["RESTORE", "n", "0", sealed("")],
    ["RESTORE", "n", "0", sealed("\x00\x29bar")],
    ["RESTORE", "n", "0", sealed("\x02\x00")],
    ["RESTORE", "n", "0", sealed("\x02\x02" + str("a") + str("a"))],
    ["RESTORE", "n", "0", sealed("\x08\x03bar")],
    ["RESTORE", "n", "0", sealed("\x63\x03bar")],
    ["DUMP", "none"],
    ["RESTORE", "n"],
  ];
  const [, ...theirs] = await redis.exec([["FLUSHALL"], ...rows]);
  const runner = new LocalRunner(Date.now());
  expect(rows.map((argv) => runner.exec(argv, 2))).toEqual(theirs);
});

test("a stream of Redis 7.2 is read with the times when its consumers were last given something", () => {
  const [before, after] = OLD_STREAM.split("\x01c\x39\x30");
  const counters = "\x05\x01\0\0\x02";
  const added = (text: Bytes) =>
    text.replace(
      "\x02\x05\x03\x01\x01g\x05\x01",
      (found) => found.slice(0, 3) + counters + found.slice(3) + "\x01",
    );
  const newest = added(`\x15${before.slice(1)}`) + "\x01c\x39\x30" + after.slice(0, 6) +
    littleEndian(99, 8) + after.slice(6);
  const consumersOf = (value: DumpedValue | undefined) =>
    value?.type === "stream" ? value.contents.groups.flatMap((each) => each.consumers) : [];
  const [value, newer] = [readValue(OLD_STREAM), readValue(newest)];
  const [consumer] = consumersOf(value);
  expect(consumer.activeAtMs).toBe(consumer.seenAtMs);
  expect(consumersOf(newer)).toEqual([{ ...consumer, activeAtMs: 99 }]);
  const asBefore = JSON.stringify(newer).replace(":99}", `:${consumer.seenAtMs}}`);
  expect(asBefore).toBe(JSON.stringify(value));
});

test("a hash keeps the times to live of its fields", () => {
  const value: DumpedValue = {
    type: "hash",
    fields: [
      { name: "a", value: "1", expireAtMs: 4_000_000_000_000 },
      { name: "b", value: "2", expireAtMs: NO_EXPIRY },
      { name: "c", value: "3", expireAtMs: 3_000_000_000_000 },
    ],
  };
  expect(needsNewerVersion(value)).toBe(true);
  expect(readValue(writeValue(value))).toEqual(value);
});

test("nothing that is cut or changed does harm", () => {
  const prng = new Prng(11);
  const dumps = OLD.map(([, value]) => value);
  const items = [...INTEGERS, ...TEXTS, ...LONG];
  dumps.push(
    writeValue({ type: "list", items }),
    writeValue({ type: "set", items: INTEGERS }),
    writeValue(readValue(OLD_STREAM) as DumpedValue),
    writeValue({ type: "zset", members: SCORES.map((score, i) => ({ name: `${i}`, score })) }),
  );
  let read = 0;
  for (let round = 0; round < 20_000; round++) {
    const dump = dumps[round % dumps.length];
    const at = prng.below(Math.min(dump.length, 200));
    const odd = String.fromCharCode(prng.below(256));
    const changed = prng.below(4) === 0
      ? dump.slice(0, at)
      : dump.slice(0, at) + odd + dump.slice(at + 1);
    if (readValue(changed) !== undefined) read++;
  }
  expect(read).toBeGreaterThan(0);
  expect(readListpack(writeListpack(items))).toEqual(items);
});

test("crc64 of the usual example", () => {
  // e9c6d914c4b8d9ca, the lowest byte first.
  expect(crc64("123456789")).toBe("\xca\xd9\xb8\xc4\x14\xd9\xc6\xe9");
});
