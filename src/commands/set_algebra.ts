import type { Bytes } from "../base/bytes.ts";
import { err, ErrorReply, type Reply, SetReply, SYNTAX_ERROR } from "../resp/reply.ts";
import type { SetOperations } from "../storage/collections.ts";
import type { Command } from "./command.ts";
import type { DataContext } from "./data_context.ts";
import { ALL_KEYS, countedReadCommand, type DataRun, readCommand, writeCommand } from "./define.ts";
import { optionName, parseAtLeast } from "./parse.ts";
import { inReplyOrder } from "./set.ts";

const NUMKEYS_NOT_POSITIVE = err("numkeys should be greater than 0");
const NUMKEYS_TOO_LARGE = err("Number of keys can't be greater than number of args");
const LIMIT_NEGATIVE = err("LIMIT can't be negative");

/** The sets at some keys, undefined where there is none; an error when a key has another type. */
type Sets = readonly (SetOperations | undefined)[];
type Combine = (sets: Sets) => Bytes[];

function setsAt(context: DataContext, keys: readonly Bytes[]): Sets | ErrorReply {
  const sets: (SetOperations | undefined)[] = [];
  for (const key of keys) {
    const set = context.read(key, "set");
    if (set instanceof ErrorReply) return set;
    sets.push(set);
  }
  return sets;
}

/** Up to `limit` members that all sets have. */
function intersection(sets: Sets, limit = Infinity): Bytes[] {
  const found: Bytes[] = [];
  const present: SetOperations[] = [];
  for (const set of sets) {
    if (set === undefined) return found;
    if (!present.includes(set)) present.push(set);
  }
  // The fewest members are looked for in the others.
  const [smallest, ...others] = present.sort((a, b) => a.size - b.size);
  for (const member of smallest.members()) {
    if (!others.every((set) => set.has(member))) continue;
    if (found.push(member) >= limit) break;
  }
  return found;
}

function union(sets: Sets): Bytes[] {
  const members = new Set<Bytes>();
  for (const set of sets) {
    if (set === undefined) continue;
    for (const member of set.members()) members.add(member);
  }
  return [...members];
}

/** The members of the first set that none of the others has. */
function difference([first, ...others]: Sets): Bytes[] {
  if (first === undefined) return [];
  const present = others.filter((set) => set !== undefined);
  if (present.includes(first)) return [];
  const total = present.reduce((sum, { size }) => sum + size, first.size);
  if (first.size * (present.length + 1) <= total * 2) {
    return [...first.members()].filter((member) => !present.some((set) => set.has(member)));
  }
  // Many small sets: each of their members is looked at once.
  const members = new Set(first.members());
  for (const set of present) {
    for (const member of set.members()) members.delete(member);
  }
  return [...members];
}

/** SINTER|SUNION|SDIFF key [key ...] */
function combined(combine: Combine): DataRun {
  return (context, argv) => {
    const sets = setsAt(context, argv.slice(1));
    return sets instanceof ErrorReply ? sets : new SetReply(inReplyOrder(combine(sets)));
  };
}

/** SINTERSTORE|SUNIONSTORE|SDIFFSTORE destination key [key ...] */
function stored(event: Bytes, combine: Combine): DataRun {
  return (context, argv) => {
    const sets = setsAt(context, argv.slice(2));
    if (sets instanceof ErrorReply) return sets;
    const members = combine(sets);
    const wasThere = context.find(argv[1]) !== undefined;
    context.ops.del(context.db, argv[1]);
    const target = context.ops.edit(context.db, argv[1], "set");
    for (const member of members) target.add(member);
    if (members.length > 0) context.notify("set", event, argv[1]);
    else if (wasThere) context.notify("generic", "del", argv[1]);
    return members.length;
  };
}

/** SINTERCARD numkeys key [key ...] [LIMIT limit] */
function sintercard(context: DataContext, argv: readonly Bytes[]): Reply {
  const count = parseAtLeast(1, argv[1], NUMKEYS_NOT_POSITIVE);
  if (count instanceof ErrorReply) return count;
  if (count > argv.length - 2) return NUMKEYS_TOO_LARGE;
  let limit = 0;
  for (let i = 2 + count; i < argv.length; i += 2) {
    if (optionName(argv[i]) !== "limit" || i + 1 === argv.length) return SYNTAX_ERROR;
    const parsed = parseAtLeast(0, argv[i + 1], LIMIT_NEGATIVE);
    if (parsed instanceof ErrorReply) return parsed;
    limit = parsed;
  }
  const sets = setsAt(context, argv.slice(2, 2 + count));
  if (sets instanceof ErrorReply) return sets;
  return intersection(sets, limit === 0 ? Infinity : limit).length;
}

/** The commands that combine sets. */
export const setAlgebraCommands: readonly Command[] = [
  readCommand("sinter", -2, combined(intersection), ALL_KEYS),
  readCommand("sunion", -2, combined(union), ALL_KEYS),
  readCommand("sdiff", -2, combined(difference), ALL_KEYS),
  writeCommand("sinterstore", -3, stored("sinterstore", intersection), ALL_KEYS),
  writeCommand("sunionstore", -3, stored("sunionstore", union), ALL_KEYS),
  writeCommand("sdiffstore", -3, stored("sdiffstore", difference), ALL_KEYS),
  countedReadCommand("sintercard", -3, sintercard),
];
