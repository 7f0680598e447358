import type { Argv, CommandMakers, Generator } from "./generator.ts";
import { some } from "./words.ts";

const NUMBERS = [
  "0",
  "1",
  "-1",
  "2",
  "0.1",
  "1.5",
  "-2.5",
  "1e15",
  "1e100",
  "3.14159",
  "2^31",
  "7",
];
const OPERATORS = ["+", "-", "*", "/", "%", "^", "..", "==", "<", "and", "or"];

/** A number, or what a few operators make of some. */
function number(g: Generator): string {
  const one = () => g.pick(NUMBERS);
  return g.chance(50) ? one() : `(${one()} ${g.pick(OPERATORS)} ${one()})`;
}

/** What has a value, seldom one that is an error. */
function value(g: Generator): string {
  return g.pick([
    ...["KEYS[1]", "KEYS[2]", "ARGV[1]", "ARGV[2]", "#KEYS", "#ARGV", "nil", "true", "false"],
    number(g),
    `tostring(${number(g)})`,
    `math.floor(${number(g)})`,
    `'${g.pick(["text", "a b", "", "\\0\\255", "%d"])}'`,
    `string.format('%${g.pick(["d", "5.2f", "g", "s", "q", "x", "05d", "e"])}', ${number(g)})`,
    `(ARGV[1] or ''):${
      g.pick(["upper()", "rep(3)", "sub(2, -2)", "byte()", "reverse()", "len()"])
    }`,
    `('key:value'):${g.pick(["find(':')", "match('(%w+):(%w+)')", "gsub('%a', '-')", "sub(-5)"])}`,
    `{${some(g, 3, () => number(g)).join(", ")}}`,
    `{${g.pick(["ok", "err", "x"])} = ${g.pick(["'fine'", "'ERR x'", "1"])}}`,
    `cjson.encode({${some(g, 3, () => number(g)).join(", ")}})`,
    `cjson.encode({a = ARGV[1], b = ${number(g)}})`,
    `cjson.decode('${g.pick(["[1,2.5,null]", '{"a":1}', "[]", "tru", "1e3", '"\\\\u00e9"'])}')`,
    `cmsgpack.pack(${number(g)}, ARGV[1])`,
    `cmsgpack.unpack(cmsgpack.pack({${number(g)}, ARGV[1]}))`,
    `struct.pack('${g.pick([">I2", "<i4", "d", "s", "bhl", "!4 b i"])}', 5, 6, 7)`,
    `bit.${g.pick(["band", "bor", "bxor", "lshift", "rshift"])}(${number(g)}, 3)`,
    `redis.sha1hex(ARGV[1] or '')`,
    `redis.${g.pick(["error_reply", "status_reply"])}(${g.pick(["'MY word'", "'word'", "1"])})`,
    `#table.concat({1, 2, ARGV[1]}, ',')`,
    `select('#', unpack({1, 2, ${number(g)}}))`,
    `redis.setresp(${g.pick(["2", "3", "4"])})`,
    `type(${g.pick(["redis.call", "KEYS", "os", "cjson.null", "nil"])})`,
  ]);
}

/** A command that a script calls. */
function call(g: Generator): string {
  const name = g.chance(60) ? "redis.call" : "redis.pcall";
  return `${name}(${
    g.pick([
      "'get', KEYS[1]",
      "'set', KEYS[1], ARGV[1]",
      `'set', KEYS[1], ${value(g)}`,
      `'incrby', KEYS[1], ${number(g)}`,
      "'incrbyfloat', KEYS[1], 0.5",
      "'append', KEYS[1], ARGV[1]",
      "'strlen', KEYS[1]",
      "'rpush', KEYS[1], ARGV[1], 2",
      "'lpop', KEYS[1]",
      "'lrange', KEYS[1], 0, 2",
      "'llen', KEYS[1]",
      "'hset', KEYS[1], 'f', ARGV[1]",
      "'hget', KEYS[1], 'f'",
      "'hmget', KEYS[1], 'f', 'g'",
      `'zadd', KEYS[1], ${number(g)}, 'm'`,
      "'zscore', KEYS[1], 'm'",
      "'zrange', KEYS[1], 0, -1, 'withscores'",
      "'del', KEYS[1]",
      "'exists', KEYS[1], KEYS[2]",
      "'type', KEYS[1]",
      "'mget', KEYS[1], KEYS[2]",
      "'rename', KEYS[1], KEYS[2]",
      "'ping'",
      "'echo', ARGV[1]",
      "'nope'",
      "'get'",
      "'multi'",
    ])
  })`;
}

function statement(g: Generator): string {
  const dice = g.prng.below(10);
  if (dice < 6) return call(g);
  if (dice < 7) return `local x = ${value(g)}`;
  if (dice < 8) return `if ${value(g)} then ${call(g)} end`;
  if (dice < 9) return `for i = 1, 3 do ${call(g)} end`;
  return `pcall(function() ${call(g)} end)`;
}

function script(g: Generator): string {
  const head = g.chance(15) ? `#!lua${g.pick(["", " flags=no-writes", " flags=nope"])}\n` : "";
  const body = g.chance(60) ? some(g, 3, () => statement(g)).join("\n") : "";
  return `${head}${body}\nreturn ${
    g.pick([
      value(g),
      call(g),
      call(g),
      `{${value(g)}, ${value(g)}}`,
      `{pcall(function() return ${value(g)} end)}`,
    ])
  }`;
}

function evaluate(g: Generator, name: string): Argv {
  const keys = [g.key(), g.key()];
  const count = g.chance(95) ? "2" : g.pick(["0", "1", "3", "9", "-1", "x"]);
  return [name, script(g), count, ...keys, ...g.some(70, [() => [g.value(), g.value()]])];
}

/** Small scripts. */
export const SCRIPT: CommandMakers = [
  [20, (g) => evaluate(g, "EVAL")],
  [4, (g) => evaluate(g, "EVAL_RO")],
  [2, (g) => ["SCRIPT", "LOAD", script(g)]],
  [1, (g) => ["EVALSHA", g.pick(["0".repeat(40), "x"]), "0"]],
  [1, (g) => ["GET", g.key()]],
  [1, (g) => ["SET", g.key(), g.value()]],
  [1, (g) => ["DEL", g.key()]],
];
