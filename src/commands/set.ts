import type { Bytes } from "../base/bytes.ts";
import { type Int64, parseInt64 } from "../base/int64.ts";
import { err, ErrorReply, NOT_INTEGER, type Reply, SetReply, SYNTAX_ERROR } from "../resp/reply.ts";
import type { ElementPage, SetOperations } from "../storage/collections.ts";
import type { Command } from "./command.ts";
import type { DataContext } from "./data_context.ts";
import { FIRST_KEY, readCommand, TWO_KEYS, writeCommand } from "./define.ts";
import { globMatches } from "./glob.ts";
import { parseOffset, parsePositive } from "./parse.ts";
import { parseCursor, parseScanOptions } from "./scan.ts";

const EMPTY_SET = new SetReply([]);
const COUNT_OUT_OF_RANGE = err(
  "value is out of range, value must between -9223372036854775807 and 9223372036854775807",
);
/** More repetitions than these are refused: the reply would not fit in memory. */
const REPETITIONS_MAX = 2 ** 22;
const TOO_MANY_REPETITIONS = err("value is out of range");
/** Up to this size Redis keeps a set of integers in ascending order, if not configured otherwise. */
const ORDERED_SIZE_MAX = 512;

/**
 * Members in ascending order when they are few and all integers: what Redis keeps in a compact
 * form, in that order. Undefined for any others. It goes by the members alone and not by the
 * encoding, which CONFIG SET makes different on each node: a reply to a write must be the same on
 * all.
 */
function orderedIntegers(members: readonly Bytes[]): readonly Bytes[] | undefined {
  if (members.length > ORDERED_SIZE_MAX) return undefined;
  const numbers = new Map<Bytes, Int64>();
  for (const member of members) {
    const number = parseInt64(member);
    if (number === undefined) return undefined;
    numbers.set(member, number);
  }
  return [...members].sort((a, b) => numbers.get(a)! < numbers.get(b)! ? -1 : 1);
}

/** Members as Redis answers them where its order can be seen. */
export function inReplyOrder(members: readonly Bytes[]): readonly Bytes[] {
  return members.length < 2 ? members : orderedIntegers(members) ?? members;
}

/** All members of a set, in Redis's order where that can be seen. */
export function membersOf(set: SetOperations): readonly Bytes[] {
  return inReplyOrder([...set.members()]);
}

/** SADD key member [member ...] */
function sadd(context: DataContext, argv: readonly Bytes[]): Reply {
  const set = context.edit(argv[1], "set");
  if (set instanceof ErrorReply) return set;
  let added = 0;
  for (let i = 2; i < argv.length; i++) if (set.add(argv[i])) added += 1;
  if (added > 0) context.notify("set", "sadd", argv[1]);
  return added;
}

/** SREM key member [member ...] */
function srem(context: DataContext, argv: readonly Bytes[]): Reply {
  const set = context.edit(argv[1], "set");
  if (set instanceof ErrorReply) return set;
  let removed = 0;
  for (let i = 2; i < argv.length; i++) if (set.remove(argv[i])) removed += 1;
  if (removed > 0) notifyRemoval(context, "srem", argv[1], set);
  return removed;
}

/** Tells of members that went from the set at `key`. */
function notifyRemoval(context: DataContext, event: Bytes, key: Bytes, set: SetOperations): void {
  context.notify("set", event, key);
  if (set.size === 0) context.notify("generic", "del", key);
}

/** SMOVE source destination member */
function smove(context: DataContext, argv: readonly Bytes[]): Reply {
  const [, source, target, member] = argv;
  const set = context.edit(source, "set");
  if (set instanceof ErrorReply) return set;
  if (set.size === 0) return 0;
  const other = context.edit(target, "set");
  if (other instanceof ErrorReply) return other;
  if (source === target) return set.has(member) ? 1 : 0;
  if (!set.remove(member)) return 0;
  notifyRemoval(context, "srem", source, set);
  if (other.add(member)) context.notify("set", "sadd", target);
  return 1;
}

/** SISMEMBER key member */
function sismember(context: DataContext, argv: readonly Bytes[]): Reply {
  const set = context.read(argv[1], "set");
  if (set instanceof ErrorReply) return set;
  return set !== undefined && set.has(argv[2]) ? 1 : 0;
}

/** SMISMEMBER key member [member ...] */
function smismember(context: DataContext, argv: readonly Bytes[]): Reply {
  const set = context.read(argv[1], "set");
  if (set instanceof ErrorReply) return set;
  return argv.slice(2).map((member) => set !== undefined && set.has(member) ? 1 : 0);
}

/** SCARD key */
function scard(context: DataContext, argv: readonly Bytes[]): Reply {
  const set = context.read(argv[1], "set");
  if (set instanceof ErrorReply) return set;
  return set === undefined ? 0 : set.size;
}

/** SMEMBERS key */
function smembers(context: DataContext, argv: readonly Bytes[]): Reply {
  const set = context.read(argv[1], "set");
  if (set === undefined) return EMPTY_SET;
  return set instanceof ErrorReply ? set : new SetReply(membersOf(set));
}

/** SPOP key [count] */
function spop(context: DataContext, argv: readonly Bytes[]): Reply {
  if (argv.length > 3) return SYNTAX_ERROR;
  const count = argv.length === 3 ? parsePositive(argv[2]) : undefined;
  if (count instanceof ErrorReply) return count;
  const set = context.edit(argv[1], "set");
  if (set instanceof ErrorReply) return set;
  const { size } = set;
  if (size === 0) return count === undefined ? null : EMPTY_SET;
  if (count === 0) return EMPTY_SET;
  const popped = popSome(context, argv[1], set, count ?? 1);
  context.notify("set", "spop", argv[1]);
  if (popped.length === size) context.notify("generic", "del", argv[1]);
  return count === undefined ? popped[0] : new SetReply(popped);
}

/** Takes `count` members by chance out of the set at a key; all of them with the key. */
function popSome(
  context: DataContext,
  key: Bytes,
  set: SetOperations,
  count: number,
): readonly Bytes[] {
  if (count >= set.size) {
    const members = membersOf(set);
    context.ops.del(context.db, key);
    return members;
  }
  const random = () => context.prng.next();
  return Array.from({ length: count }, () => {
    const member = set.random(random);
    set.remove(member);
    return member;
  });
}

/** SRANDMEMBER key [count] */
function srandmember(context: DataContext, argv: readonly Bytes[]): Reply {
  if (argv.length > 3) return SYNTAX_ERROR;
  const count = argv.length === 3 ? parseSampleSize(argv[2]) : undefined;
  if (count instanceof ErrorReply) return count;
  const set = context.read(argv[1], "set");
  if (set instanceof ErrorReply) return set;
  if (set === undefined) return count === undefined ? null : [];
  const random = () => context.prng.next();
  if (count === undefined) return set.random(random);
  if (count >= 0) return sample(set, count, random);
  if (-count > REPETITIONS_MAX) return TOO_MANY_REPETITIONS;
  return Array.from({ length: -count }, () => set.random(random));
}

function parseSampleSize(text: Bytes): number | ErrorReply {
  const count = parseOffset(text);
  if (count === undefined) return NOT_INTEGER;
  // The one number below the range, rounded.
  return text === "-9223372036854775808" ? COUNT_OUT_OF_RANGE : count;
}

/** Up to `count` different members, each choice equally likely. */
function sample(set: SetOperations, count: number, random: () => number): readonly Bytes[] {
  if (count >= set.size) return membersOf(set);
  if (count * 3 > set.size) {
    const members = [...set.members()];
    for (let i = 0; i < count; i++) {
      const other = i + Math.floor(random() * (members.length - i));
      [members[i], members[other]] = [members[other], members[i]];
    }
    return members.slice(0, count);
  }
  const chosen = new Set<Bytes>();
  while (chosen.size < count) chosen.add(set.random(random));
  return [...chosen];
}

/** SSCAN key cursor [MATCH pattern] [COUNT count] */
function sscan(context: DataContext, argv: readonly Bytes[]): Reply {
  const cursor = parseCursor(argv[2]);
  if (cursor instanceof ErrorReply) return cursor;
  const set = context.read(argv[1], "set");
  if (set === undefined) return ["0", []];
  if (set instanceof ErrorReply) return set;
  const options = parseScanOptions(argv, 3, false);
  if (options instanceof ErrorReply) return options;
  const { pattern } = options;
  const page = pageOf(set, cursor, options.count);
  const elements = pattern === undefined
    ? page.elements
    : page.elements.filter((member) => globMatches(pattern, member));
  return [String(page.cursor), elements];
}

/** A page of SSCAN; of what Redis keeps in compact form all, as there. */
function pageOf(set: SetOperations, cursor: number, count: number): ElementPage {
  const all = set.size <= ORDERED_SIZE_MAX ? orderedIntegers([...set.members()]) : undefined;
  if (all !== undefined) return { cursor: 0, elements: all };
  if (cursor > Number.MAX_SAFE_INTEGER) return { cursor: 0, elements: [] };
  return set.scan(cursor, count);
}

/** The commands on one set. */
export const setCommands: readonly Command[] = [
  writeCommand("sadd", -3, sadd, FIRST_KEY),
  writeCommand("srem", -3, srem, FIRST_KEY),
  writeCommand("smove", 4, smove, TWO_KEYS),
  readCommand("sismember", 3, sismember, FIRST_KEY),
  readCommand("smismember", -3, smismember, FIRST_KEY),
  readCommand("scard", 2, scard, FIRST_KEY),
  readCommand("smembers", 2, smembers, FIRST_KEY),
  writeCommand("spop", -2, spop, FIRST_KEY),
  readCommand("srandmember", -2, srandmember, FIRST_KEY),
  readCommand("sscan", -3, sscan, FIRST_KEY),
];
