import type { Bytes } from "../../src/base/bytes.ts";
import type { Argv, CommandMakers, Generator } from "./generator.ts";
import { some } from "./words.ts";

const STREAMS = ["s1", "s2", "s3"];
/** A stream whose ids are far from now, so that "*" is the next of them on both servers. */
const FUTURE = "future";
const FUTURE_MS = 99_999_999_999_999;
/** Longer than any run, for what depends on how long an entry is idle. */
const LONG_MS = 10_000_000;
const GROUPS = ["g1", "g2", "\xff\r\n"];
const CONSUMERS = ["ann", "bob", "cy", ""];

function stream(g: Generator): Bytes {
  return g.chance(96) ? g.pick(STREAMS) : g.key();
}

/** An id near those that are there, most often; at times an absurd one. */
function id(g: Generator): Bytes {
  const dice = g.prng.below(40);
  const near = g.prng.below(40);
  if (dice < 24) return `${near}-${g.prng.below(3)}`;
  if (dice < 34) return String(near);
  return g.pick([
    "0-0",
    "0-1",
    "18446744073709551615-18446744073709551615",
    "18446744073709551615",
    "18446744073709551616-0",
    "9223372036854775808-9223372036854775807",
    "5-18446744073709551615",
    "-",
    "+",
    "1-",
    "-5",
    "1--05",
    "007-+1",
    "1-1-1",
    " 3-1",
    "x",
    "*",
    "3-\x001",
    g.bytes(4),
  ]);
}

/** Ids ascend as a run goes on, so that most are taken. */
function newId(g: Generator): Bytes {
  const ms = g.prng.below(60);
  const dice = g.prng.below(10);
  if (dice < 4) return `${ms}-*`;
  if (dice < 8) return `${ms}-${g.prng.below(4)}`;
  // Two servers make two ids of "*".
  return dice === 8 ? String(ms) : id(g).replace(/^\*/, "1-*");
}

function rangeEnd(g: Generator): Bytes {
  if (g.chance(45)) return g.pick(["-", "+"]);
  return (g.chance(20) ? "(" : "") + id(g);
}

function word(g: Generator): Bytes {
  if (g.chance(70)) return g.pick(["f", "g", "h", "temperature", "1", "-70000", "4000000000"]);
  return g.chance(30) ? g.bytes(120) : g.value();
}

function fields(g: Generator): Argv {
  if (g.chance(60)) return ["f", word(g)];
  return some(g, 4, () => "").flatMap(() => [word(g), word(g)]);
}

function trim(g: Generator): Argv {
  const strategy = g.chance(60) ? ["MAXLEN", g.index()] : ["MINID", id(g)];
  const [name, threshold] = strategy;
  const mark = g.chance(60) ? [g.pick(["~", "="])] : [];
  const limit = g.chance(20) ? ["LIMIT", g.chance(80) ? String(g.prng.below(300)) : g.index()] : [];
  return [g.chance(90) ? name : g.mixCase(name), ...mark, threshold, ...limit];
}

function add(g: Generator): Argv {
  const options = g.some(12, [() => trim(g), () => ["NOMKSTREAM"]]);
  return ["XADD", stream(g), ...options, newId(g), ...fields(g)];
}

function addToFuture(g: Generator): Argv {
  if (g.chance(15)) return ["XADD", FUTURE, `${FUTURE_MS}-${g.prng.below(5)}`, ...fields(g)];
  return ["XADD", FUTURE, "NOMKSTREAM", ...(g.chance(20) ? trim(g) : []), "*", ...fields(g)];
}

function count(g: Generator): Argv {
  return g.chance(40) ? ["COUNT", g.index()] : [];
}

function names(g: Generator): Argv {
  return some(g, 3, () => g.chance(85) ? g.pick([...STREAMS, FUTURE]) : g.key());
}

/** BLOCK waits on both for a moment at most. */
function block(g: Generator): Argv {
  return g.chance(3) ? ["BLOCK", g.pick(["1", "2", "-1", "x"])] : [];
}

function readId(g: Generator): Bytes {
  return g.chance(15) ? g.pick(["$", ">"]) : g.pick([id(g), "0", "0-0"]).replace(/^\+$/, "$");
}

function read(g: Generator): Argv {
  const streams = names(g);
  return [
    "XREAD",
    ...count(g),
    ...block(g),
    "STREAMS",
    ...streams,
    ...streams.map(() => readId(g)),
  ];
}

function group(g: Generator): Bytes {
  return g.chance(97) ? g.pick(GROUPS) : g.value();
}

function consumer(g: Generator): Bytes {
  return g.chance(97) ? g.pick(CONSUMERS) : g.value();
}

function readGroup(g: Generator): Argv {
  const streams = g.chance(75) ? [g.pick(STREAMS)] : names(g);
  const ids = streams.map(() => g.chance(70) ? ">" : readId(g));
  const noAck = g.chance(10) ? ["NOACK"] : [];
  const words = ["GROUP", group(g), consumer(g), ...count(g), ...block(g), ...noAck];
  return ["XREADGROUP", ...words, "STREAMS", ...streams, ...ids];
}

function groupId(g: Generator): Bytes {
  return g.chance(40) ? g.pick(["$", "0"]) : id(g);
}

function entriesRead(g: Generator): Argv {
  return g.chance(20) ? ["ENTRIESREAD", g.index()] : [];
}

function changeGroup(g: Generator): Argv {
  const named = [stream(g), group(g)];
  const dice = g.prng.below(20);
  if (dice < 10) {
    const make = g.chance(40) ? ["MKSTREAM"] : [];
    return ["XGROUP", "CREATE", ...named, groupId(g), ...make, ...entriesRead(g)];
  }
  if (dice < 14) return ["XGROUP", "SETID", ...named, groupId(g), ...entriesRead(g)];
  if (dice < 15) return ["XGROUP", "DESTROY", ...named];
  if (dice < 18) return ["XGROUP", "CREATECONSUMER", ...named, consumer(g)];
  if (dice < 19) return ["XGROUP", "DELCONSUMER", ...named, consumer(g)];
  return ["XGROUP", g.pick(["HELP", "help", "FOO", ""])];
}

function pending(g: Generator): Argv {
  const named = ["XPENDING", stream(g), group(g)];
  if (g.chance(30)) return named;
  const idle = g.chance(20) ? ["IDLE", g.pick(["0", String(LONG_MS), "-1"])] : [];
  const of = g.chance(30) ? [consumer(g)] : [];
  return [...named, ...idle, rangeEnd(g), rangeEnd(g), g.index(), ...of];
}

function minIdle(g: Generator): Bytes {
  return g.pick(["0", "0", "0", String(LONG_MS), "-5"]);
}

function claim(g: Generator): Argv {
  const ids = some(g, 4, () => id(g));
  const options = g.some(20, [
    () => ["IDLE", g.pick(["0", String(2 * LONG_MS)])],
    () => ["TIME", g.pick([String(g.nowMs - 2 * LONG_MS), "99999999999999"])],
    () => ["RETRYCOUNT", g.index()],
    () => ["FORCE"],
    () => ["JUSTID"],
    () => ["LASTID", id(g)],
  ]);
  return ["XCLAIM", stream(g), group(g), consumer(g), minIdle(g), ...ids, ...options];
}

function autoClaim(g: Generator): Argv {
  const options = g.some(30, [() => ["COUNT", String(g.prng.below(6))], () => ["JUSTID"]]);
  const start = g.chance(60) ? "-" : rangeEnd(g);
  return ["XAUTOCLAIM", stream(g), group(g), consumer(g), minIdle(g), start, ...options];
}

function info(g: Generator): Argv {
  const dice = g.prng.below(20);
  if (dice < 6) return ["XINFO", "STREAM", stream(g)];
  if (dice < 11) return ["XINFO", "STREAM", stream(g), "FULL", ...count(g)];
  if (dice < 15) return ["XINFO", "GROUPS", stream(g)];
  if (dice < 19) return ["XINFO", "CONSUMERS", stream(g), group(g)];
  return ["XINFO", g.pick(["HELP", "BAR"])];
}

function setId(g: Generator): Argv {
  const options = g.some(25, [
    () => ["ENTRIESADDED", g.chance(50) ? g.index() : String(g.prng.below(200))],
    () => ["MAXDELETEDID", id(g)],
  ]);
  return ["XSETID", stream(g), id(g), ...options];
}

export const STREAM: CommandMakers = [
  [30, add],
  [6, addToFuture],
  [3, (g) => ["XLEN", stream(g)]],
  [6, (g) => ["XRANGE", stream(g), rangeEnd(g), rangeEnd(g), ...count(g)]],
  [6, (g) => ["XREVRANGE", stream(g), rangeEnd(g), rangeEnd(g), ...count(g)]],
  [2, (g) => ["XRANGE", FUTURE, "-", "+", ...count(g)]],
  [6, (g) => ["XDEL", stream(g), ...some(g, 4, () => id(g))]],
  [5, (g) => ["XTRIM", stream(g), ...trim(g)]],
  [2, setId],
  [7, read],
  [9, changeGroup],
  [14, readGroup],
  [6, (g) => ["XACK", stream(g), group(g), ...some(g, 4, () => id(g))]],
  [6, pending],
  [6, claim],
  [5, autoClaim],
  [8, info],
  [2, (g) => ["DEL", stream(g)]],
  [1, (g) => ["COPY", stream(g), stream(g), ...(g.chance(50) ? ["REPLACE"] : [])]],
  [1, (g) => ["RENAME", stream(g), stream(g)]],
  [1, (g) => ["TYPE", stream(g)]],
  [1, (g) => ["OBJECT", "ENCODING", stream(g)]],
  [1, (g) => ["SET", g.key(), g.value()]],
];
