import type { Bytes } from "../base/bytes.ts";
import type { DataCommand } from "../commands/command.ts";
import type { DataContext } from "../commands/data_context.ts";
import { resolve } from "../commands/table.ts";
import { assert } from "../base/assert.ts";
import { ErrorReply, NIL_ARRAY, type Reply, TransactionReply } from "../resp/reply.ts";
import type { BatchCommand } from "./batch.ts";
import { AS_NAME, resolveAs } from "./run_as.ts";
import { areUnchanged, type WatchedKey } from "./watches.ts";

/** Names an EXEC in the log; no client can send a command of this name. */
export const EXEC_NAME = "\0exec";

/**
 * An EXEC as one command of the log: the watched keys with their versions, and the commands that
 * write. `EXEC_NAME, path, watched, (db, key, version) …, (db, argc, argument …) …`
 */
export function encodeTransaction(
  path: DataCommand["path"],
  watched: readonly WatchedKey[],
  writes: readonly BatchCommand[],
): Bytes[] {
  const words: Bytes[] = [EXEC_NAME, path, String(watched.length)];
  for (const { db, key, version } of watched) words.push(String(db), key, String(version));
  for (const { db, argv } of writes) words.push(String(db), String(argv.length), ...argv);
  return words;
}

interface TransactionEntry {
  readonly watched: readonly WatchedKey[];
  readonly writes: readonly BatchCommand[];
}

function decodeTransaction(words: readonly Bytes[]): TransactionEntry {
  const watched: WatchedKey[] = [];
  let at = 3;
  for (let left = Number(words[2]); left > 0; left--, at += 3) {
    watched.push({ db: Number(words[at]), key: words[at + 1], version: Number(words[at + 2]) });
  }
  const writes: BatchCommand[] = [];
  while (at < words.length) {
    const end = at + 2 + Number(words[at + 1]);
    writes.push({ db: Number(words[at]), argv: words.slice(at + 2, end) });
    at = end;
  }
  return { watched, writes };
}

/** What an EXEC of another node's client does here: it writes, if nothing watched has changed. */
function runWrites(context: DataContext, words: readonly Bytes[]): Reply {
  const { watched, writes } = decodeTransaction(words);
  if (!areUnchanged(context, watched)) return NIL_ARRAY;
  const replies: Reply[] = [];
  for (const { db, argv } of writes) {
    const command = argv[0] === AS_NAME ? resolveAs(argv) : resolve(argv);
    assert(!(command instanceof ErrorReply) && command.path === "write", "a command that writes");
    context.db = db;
    replies.push(command.run(context, argv));
  }
  return new TransactionReply(replies, replies);
}

const EXEC_WRITES: DataCommand = { name: "exec", arity: -2, path: "write", run: runWrites };
const EXEC_READS: DataCommand = { name: "exec", arity: -2, path: "read", run: () => NIL_ARRAY };

/** The EXEC in these words of the log. */
export function resolveTransaction(words: readonly Bytes[]): DataCommand {
  return words[1] === "read" ? EXEC_READS : EXEC_WRITES;
}
