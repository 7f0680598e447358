import type { Bytes } from "../base/bytes.ts";
import { DATABASE_COUNT } from "../constants.ts";
import {
  DB_OUT_OF_RANGE,
  err,
  ErrorReply,
  NO_SUCH_KEY,
  OK,
  type Reply,
  Status,
  SYNTAX_ERROR,
} from "../resp/reply.ts";
import type { Command } from "./command.ts";
import type { DataContext } from "./data_context.ts";
import { ALL_KEYS, FIRST_KEY, readCommand, TWO_KEYS, writeCommand } from "./define.ts";
import { optionName, parseInt32 } from "./parse.ts";

const SAME_OBJECT = err("source and destination objects are the same");
const NO_TYPE = new Status("none");
const TYPE_NAMES = {
  string: new Status("string"),
  list: new Status("list"),
  set: new Status("set"),
  zset: new Status("zset"),
  hash: new Status("hash"),
  stream: new Status("stream"),
};

/** DEL key [key ...]; UNLINK likewise: storage frees without blocking in either case. */
function del(context: DataContext, argv: readonly Bytes[]): Reply {
  let count = 0;
  for (let index = 1; index < argv.length; index++) {
    if (context.find(argv[index]) === undefined) continue;
    context.ops.del(context.db, argv[index]);
    context.notify("generic", "del", argv[index]);
    count++;
  }
  return count;
}

/** EXISTS key [key ...]: no use of them. */
function exists(context: DataContext, argv: readonly Bytes[]): Reply {
  let count = 0;
  for (let index = 1; index < argv.length; index++) {
    if (context.look(argv[index]) !== undefined) count++;
  }
  return count;
}

/** TOUCH key [key ...]: a use of them, whatever CLIENT NO-TOUCH says. */
function touch(context: DataContext, argv: readonly Bytes[]): Reply {
  context.noTouch = false;
  let count = 0;
  for (let index = 1; index < argv.length; index++) {
    if (context.find(argv[index]) !== undefined) count++;
  }
  return count;
}

/** TYPE key */
function type(context: DataContext, argv: readonly Bytes[]): Reply {
  const record = context.look(argv[1]);
  return record === undefined ? NO_TYPE : TYPE_NAMES[record.type];
}

/** RENAME key newkey */
function rename(context: DataContext, argv: readonly Bytes[]): Reply {
  if (context.find(argv[1]) === undefined) return NO_SUCH_KEY;
  if (argv[1] !== argv[2]) renameKey(context, argv[1], argv[2]);
  return OK;
}

/** RENAMENX key newkey */
function renamenx(context: DataContext, argv: readonly Bytes[]): Reply {
  if (context.find(argv[1]) === undefined) return NO_SUCH_KEY;
  if (context.find(argv[2]) !== undefined) return 0;
  renameKey(context, argv[1], argv[2]);
  return 1;
}

function renameKey(context: DataContext, from: Bytes, to: Bytes): void {
  context.ops.rename(context.db, from, context.db, to);
  context.notify("generic", "rename_from", from);
  context.notify("generic", "rename_to", to);
}

/** COPY source destination [DB destination-db] [REPLACE] */
function copy(context: DataContext, argv: readonly Bytes[]): Reply {
  let toDb = context.db;
  let replace = false;
  for (let index = 3; index < argv.length; index++) {
    const option = optionName(argv[index]);
    if (option === "replace") {
      replace = true;
    } else if (option === "db" && index + 1 < argv.length) {
      const parsed = parseDb(argv[++index]);
      if (parsed instanceof ErrorReply) return parsed;
      toDb = parsed;
    } else {
      return SYNTAX_ERROR;
    }
  }
  if (toDb === context.db && argv[1] === argv[2]) return SAME_OBJECT;
  if (context.find(argv[1]) === undefined) return 0;
  if (!replace && context.findIn(toDb, argv[2]) !== undefined) return 0;
  context.ops.copy(context.db, argv[1], toDb, argv[2]);
  context.notify("generic", "copy_to", argv[2], toDb);
  return 1;
}

/** MOVE key db */
function move(context: DataContext, argv: readonly Bytes[]): Reply {
  const toDb = parseDb(argv[2]);
  if (toDb instanceof ErrorReply) return toDb;
  if (toDb === context.db) return SAME_OBJECT;
  if (context.find(argv[1]) === undefined) return 0;
  if (context.findIn(toDb, argv[1]) !== undefined) return 0;
  context.ops.rename(context.db, argv[1], toDb, argv[1]);
  context.notify("generic", "move_from", argv[1]);
  context.notify("generic", "move_to", argv[1], toDb);
  return 1;
}

/** The number of a database, or the error for one that does not exist. */
function parseDb(text: Bytes): number | ErrorReply {
  const db = parseInt32(text);
  if (db instanceof ErrorReply) return db;
  return db >= 0 && db < DATABASE_COUNT ? db : DB_OUT_OF_RANGE;
}

/** RANDOMKEY */
function randomkey(context: DataContext, _argv: readonly Bytes[]): Reply {
  const { ops, db, prng } = context;
  for (let attempt = 0; attempt < 100; attempt++) {
    const key = ops.randomKey(db, prng.next());
    if (key === undefined) return null;
    if (context.peek(key) !== undefined) return key;
  }
  // Nearly all have expired: the first that has not.
  let cursor = 0;
  do {
    const page = ops.scan(db, cursor, 1000);
    const live = page.keys.find((key) => context.peek(key) !== undefined);
    if (live !== undefined) return live;
    cursor = page.cursor;
  } while (cursor !== 0);
  return null;
}

/** DBSIZE: keys that have expired and are still stored count, as in Redis. */
function dbsize(context: DataContext, _argv: readonly Bytes[]): Reply {
  return context.ops.size(context.db);
}

/** FLUSHDB [ASYNC|SYNC] */
function flushdb(context: DataContext, argv: readonly Bytes[]): Reply {
  if (!isFlushSyntax(argv)) return SYNTAX_ERROR;
  context.ops.flush(context.db);
  context.onFlush();
  return OK;
}

/** FLUSHALL [ASYNC|SYNC] */
function flushall(context: DataContext, argv: readonly Bytes[]): Reply {
  if (!isFlushSyntax(argv)) return SYNTAX_ERROR;
  for (let db = 0; db < DATABASE_COUNT; db++) context.ops.flush(db);
  context.onFlush();
  return OK;
}

function isFlushSyntax(argv: readonly Bytes[]): boolean {
  if (argv.length === 1) return true;
  const mode = optionName(argv[1]);
  return argv.length === 2 && (mode === "async" || mode === "sync");
}

/** SWAPDB index1 index2 */
function swapdb(context: DataContext, argv: readonly Bytes[]): Reply {
  const first = parseInt32(argv[1]);
  if (first instanceof ErrorReply) return err("invalid first DB index");
  const second = parseInt32(argv[2]);
  if (second instanceof ErrorReply) return err("invalid second DB index");
  if (Math.min(first, second) < 0 || Math.max(first, second) >= DATABASE_COUNT) {
    return DB_OUT_OF_RANGE;
  }
  if (first !== second) context.ops.swap(first, second);
  return OK;
}

/** The commands on keys of any type, those that iterate and OBJECT excepted. */
export const keyspaceCommands: readonly Command[] = [
  writeCommand("del", -2, del, ALL_KEYS),
  writeCommand("unlink", -2, del, ALL_KEYS),
  readCommand("exists", -2, exists, ALL_KEYS),
  readCommand("touch", -2, touch, ALL_KEYS),
  readCommand("type", 2, type, FIRST_KEY),
  writeCommand("rename", 3, rename, TWO_KEYS),
  writeCommand("renamenx", 3, renamenx, TWO_KEYS),
  writeCommand("copy", -3, copy, TWO_KEYS),
  writeCommand("move", 3, move, FIRST_KEY),
  readCommand("randomkey", 1, randomkey),
  readCommand("dbsize", 1, dbsize),
  writeCommand("flushdb", -1, flushdb),
  writeCommand("flushall", -1, flushall),
  writeCommand("swapdb", 3, swapdb),
];
