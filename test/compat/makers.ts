import { HASH } from "./hash_makers.ts";
import type { Argv, CommandMakers, Generator, Group } from "./generator.ts";
import { GEO } from "./geo_makers.ts";
import { LIST } from "./list_makers.ts";
import { SCRIPT } from "./script_makers.ts";
import { SET } from "./set_makers.ts";
import { SORT } from "./sort_makers.ts";
import { STREAM } from "./stream_makers.ts";
import { ZSET } from "./zset_makers.ts";

function expiryOption(g: Generator): Argv {
  switch (g.prng.below(5)) {
    case 0:
      return [g.mixCase("EX"), g.relativeSeconds()];
    case 1:
      return [g.mixCase("PX"), g.relativeMilliseconds()];
    case 2:
      return ["EXAT", g.absoluteSeconds()];
    case 3:
      return ["PXAT", g.absoluteMilliseconds()];
    default:
      return ["KEEPTTL"];
  }
}

function setOptions(g: Generator): Argv {
  const condition = () => [g.pick(["NX", "XX", "nx"])];
  return g.some(25, [() => expiryOption(g), condition, () => [g.pick(["GET", "get", "FOO"])]]);
}

function getexOption(g: Generator): Argv {
  if (g.chance(30)) return [];
  if (g.chance(25)) return ["PERSIST"];
  const option = expiryOption(g);
  return g.chance(5) ? [...option, ...option] : option;
}

function pairs(g: Generator, most: number): Argv {
  return g.keys(most).flatMap((key) => [key, g.value()]);
}

function lcsOptions(g: Generator): Argv {
  const minimum = () => ["MINMATCHLEN", g.index()];
  return g.some(35, [() => ["LEN"], () => ["IDX"], minimum, () => ["WITHMATCHLEN"]]);
}

const STRING: CommandMakers = [
  [12, (g) => ["SET", g.key(), g.value(), ...setOptions(g)]],
  [8, (g) => ["GET", g.key()]],
  [2, (g) => ["GETSET", g.key(), g.value()]],
  [2, (g) => ["GETDEL", g.key()]],
  [3, (g) => ["GETEX", g.key(), ...getexOption(g)]],
  [2, (g) => ["SETNX", g.key(), g.value()]],
  [2, (g) => ["SETEX", g.key(), g.relativeSeconds(), g.value()]],
  [2, (g) => ["PSETEX", g.key(), g.relativeMilliseconds(), g.value()]],
  [3, (g) => ["MGET", ...g.keys(5)]],
  [3, (g) => ["MSET", ...pairs(g, 4)]],
  [2, (g) => ["MSETNX", ...pairs(g, 3)]],
  [4, (g) => ["APPEND", g.key(), g.value()]],
  [2, (g) => ["STRLEN", g.key()]],
  [4, (g) => ["SETRANGE", g.key(), g.index(), g.value()]],
  [4, (g) => ["GETRANGE", g.key(), g.index(), g.index()]],
  [1, (g) => ["SUBSTR", g.key(), g.index(), g.index()]],
  [3, (g) => ["INCR", g.key()]],
  [3, (g) => ["INCRBY", g.key(), g.integer()]],
  [4, (g) => ["INCRBYFLOAT", g.key(), g.float()]],
  [2, (g) => ["DECR", g.key()]],
  [3, (g) => ["DECRBY", g.key(), g.integer()]],
  [2, (g) => ["LCS", g.key(), g.key(), ...lcsOptions(g)]],
  [1, (g) => ["DEL", g.key()]],
  [1, (g) => ["TTL", g.key()]],
];

function copyOptions(g: Generator): Argv {
  return g.some(30, [() => ["DB", g.database()], () => ["REPLACE"]]);
}

function scanOptions(g: Generator): Argv {
  const type = () => ["TYPE", g.pick(["string", "list", "STRING", "nope"])];
  return g.some(30, [() => ["MATCH", g.pattern()], () => ["COUNT", "100"], type]);
}

const KEYSPACE: CommandMakers = [
  [10, (g) => ["SET", g.key(), g.value()]],
  [5, (g) => ["GET", g.key()]],
  [3, (g) => ["DEL", ...g.keys(3)]],
  [2, (g) => ["UNLINK", ...g.keys(3)]],
  [3, (g) => ["EXISTS", ...g.keys(4)]],
  [1, (g) => ["TOUCH", ...g.keys(3)]],
  [2, (g) => ["TYPE", g.key()]],
  [4, (g) => ["RENAME", g.key(), g.key()]],
  [3, (g) => ["RENAMENX", g.key(), g.key()]],
  [4, (g) => ["COPY", g.key(), g.key(), ...copyOptions(g)]],
  [3, (g) => ["MOVE", g.key(), g.database()]],
  [2, (g) => ["KEYS", g.pattern()]],
  [3, (g) => ["SCAN", g.chance(95) ? "0" : g.integer(), ...scanOptions(g)]],
  [1, () => ["RANDOMKEY"]],
  [2, () => ["DBSIZE"]],
  [3, (g) => ["SELECT", g.database()]],
  [1, (g) => ["SWAPDB", g.database(), g.database()]],
  [
    1,
    (
      g,
    ) => (g.chance(30)
      ? ["FLUSHDB", ...g.some(40, [() => [g.pick(["ASYNC", "SYNC", "X"])]])]
      : ["DBSIZE"]),
  ],
  [1, (g) => (g.chance(10) ? ["FLUSHALL"] : ["DBSIZE"])],
  [2, (g) => ["OBJECT", g.pick(["ENCODING", "encoding", "REFCOUNT", "FREQ", "NOPE"]), g.key()]],
  [1, (g) => ["EXPIRE", g.key(), "10000"]],
  [1, (g) => ["TTL", g.key()]],
];

function expireFlags(g: Generator): Argv {
  return g.some(20, ["NX", "XX", "GT", "LT", "gt", "FOO"].map((flag) => () => [flag]));
}

const EXPIRE: CommandMakers = [
  [6, (g) => ["SET", g.key(), g.value(), ...setOptions(g)]],
  [3, (g) => ["GET", g.key()]],
  [4, (g) => ["EXPIRE", g.key(), g.relativeSeconds(), ...expireFlags(g)]],
  [4, (g) => ["PEXPIRE", g.key(), g.relativeMilliseconds(), ...expireFlags(g)]],
  [4, (g) => ["EXPIREAT", g.key(), g.absoluteSeconds(), ...expireFlags(g)]],
  [4, (g) => ["PEXPIREAT", g.key(), g.absoluteMilliseconds(), ...expireFlags(g)]],
  [3, (g) => ["TTL", g.key()]],
  [3, (g) => ["PTTL", g.key()]],
  [4, (g) => ["EXPIRETIME", g.key()]],
  [4, (g) => ["PEXPIRETIME", g.key()]],
  [3, (g) => ["PERSIST", g.key()]],
  [2, (g) => ["GETEX", g.key(), ...getexOption(g)]],
  [1, (g) => ["INCR", g.key()]],
  [1, (g) => ["APPEND", g.key(), g.value()]],
  [1, (g) => ["GETSET", g.key(), g.value()]],
  [1, (g) => ["RENAME", g.key(), g.key()]],
  [1, (g) => ["COPY", g.key(), g.key(), ...copyOptions(g)]],
  [1, (g) => ["MSET", ...pairs(g, 3)]],
  [1, (g) => ["EXISTS", ...g.keys(4)]],
];

function helloWords(g: Generator): Argv {
  const name = () => ["SETNAME", g.pick(["x", "a b", "", "good-name", "\xff"])];
  const auth = () => ["AUTH", "default", g.pick(["", "x"])];
  return [g.pick(["2", "3", "3", "2", "4", "x", "0"]), ...g.some(20, [name, auth])];
}

const CONNECTION: CommandMakers = [
  [4, (g) => ["PING", ...g.some(40, [() => [g.value()]])]],
  [4, (g) => ["ECHO", g.value()]],
  [3, (g) => ["SELECT", g.database()]],
  [2, (g) => ["HELLO", ...(g.chance(90) ? helloWords(g) : [])]],
  [1, () => ["RESET"]],
  [2, (g) => ["CLIENT", "SETNAME", g.pick(["", "name", "with space", "\n", "\xff", "a"])]],
  [2, () => ["CLIENT", "GETNAME"]],
  [1, (g) => ["CLIENT", g.pick(["NO-EVICT", "no-evict"]), g.pick(["ON", "off", "x"])]],
  [1, (g) => ["CLIENT", "NOPE", g.value()]],
  [1, (g) => ["CLIENT", "KILL", g.pick(["1.2.3.4:5", "x", ""])]],
  [1, (g) => ["AUTH", ...g.keys(3)]],
  [1, (g) => ["WAIT", "0", g.pick(["0", "1", "x", "-1"])]],
  [1, (g) => ["NOPE" + g.pick(["", "x", "\xff", "a b"]), ...g.keys(6)]],
  [1, (g) => ["COMMAND", "GETKEYS", g.pick(["GET", "MSET", "nope", "PING", "SET"]), ...g.keys(4)]],
  [1, (g) => ["COMMAND", "INFO", g.pick(["nope", "\xff"])]],
  [1, (g) => ["CONFIG", "GET", g.pick(["nope", "proto-max-bulk-len", "databases"])]],
  [1, (g) => ["CONFIG", "SET", "nope", g.value()]],
  [1, (g) => ["CONFIG", g.pick(["NOPE", "GET", "SET"])]],
  [1, (g) => ["DEBUG", "SLEEP", g.pick(["0", "0"])]],
  [2, (g) => ["SET", g.key(), g.value()]],
  [2, (g) => ["GET", g.key()]],
];

export const MAKERS: Readonly<Record<Group, CommandMakers>> = {
  string: STRING,
  keyspace: KEYSPACE,
  expire: EXPIRE,
  connection: CONNECTION,
  list: LIST,
  set: SET,
  script: SCRIPT,
  sort: SORT,
  zset: ZSET,
  stream: STREAM,
  geo: GEO,
  hash: HASH,
};
