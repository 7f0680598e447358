import { afterAll, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PIECES_UNDER_WAY_MAX } from "../../src/constants.ts";
import { NOT_DONE, OUTCOME_UNKNOWN } from "../../src/server/errors.ts";
import { LargeCommands } from "../../src/server/large_commands.ts";
import { Outbox } from "../../src/server/outbox.ts";
import { PIECE_NAME, Pieces } from "../../src/server/pieces.ts";
import { CachedRedisOperations } from "../../src/storage/cached_redis_operations.ts";
import { PiecesTable } from "../../src/storage/pieces_table.ts";
import { loadSqlite } from "../../src/storage/sqlite.ts";
import { crashImage } from "../storage/crash_image.ts";
import { FakeSession, pendingOf } from "./fakes.ts";

const directory = mkdtempSync(join(tmpdir(), "balsa-pieces-"));
afterAll(() => rmSync(directory, { recursive: true }));
const driver = await loadSqlite();

let outbox: Outbox;
let large: LargeCommands;

beforeEach(() => {
  outbox = new Outbox();
  large = new LargeCommands(outbox, 10);
});

function push(argv: readonly string[], deadlineMs = 1000) {
  const pending = pendingOf(new FakeSession(), argv, deadlineMs);
  large.push(pending, 0);
  return pending;
}

/** Everything of the outbox as a node that applies it puts it together. */
function assembled(pieces: Pieces, known?: readonly string[]): (readonly string[])[] {
  const commands: (readonly string[])[] = [];
  for (large.feed(); outbox.hasUnsent; large.feed()) {
    const { firstSequence, commands: items } = outbox.takeUnsent();
    for (const [i, item] of items.entries()) {
      outbox.settle(firstSequence + i);
      const applied = pieces.complete(1, item, known);
      if (applied !== undefined) commands.push(applied.argv);
    }
  }
  return commands;
}

const COMMANDS = [
  ["SET", "key", "v".repeat(95)],
  ["SET", "", "\xff\0".repeat(40)],
  ["MSET", "a", "1".repeat(10), "b", "", "c", "3".repeat(21)],
  ["SET", "key", "vvvvvvv"],
];

test("what goes into the log in pieces comes out as it was", () => {
  for (const argv of COMMANDS) push(argv);
  expect(assembled(new Pieces(new PiecesTable()))).toEqual(COMMANDS);
  expect([large.isEmpty, outbox.pieces]).toEqual([true, 0]);
});

test("few pieces are under way, so that other commands go between them", () => {
  push(COMMANDS[0]);
  large.feed();
  expect(outbox.length).toBe(PIECES_UNDER_WAY_MAX);
  outbox.push(pendingOf(new FakeSession(), ["GET", "small"]));
  outbox.settle(1);
  large.feed();
  const { commands } = outbox.takeUnsent();
  const small = commands.findIndex(({ argv }) => argv[0] === "GET");
  expect([small, commands.length]).toEqual([PIECES_UNDER_WAY_MAX - 1, PIECES_UNDER_WAY_MAX + 1]);
});

test("one whose time is up before its last piece was sent is not carried out", () => {
  const pending = push(COMMANDS[0]);
  large.feed();
  const replies: unknown[] = [];
  large.abandonOverdue(999, new Set(), (_pending, reply) => replies.push(reply));
  expect(replies).toEqual([]);
  large.abandonOverdue(1000, new Set(), (_pending, reply) => replies.push(reply));
  expect(replies).toEqual([NOT_DONE]);
  expect([pending.isAbandoned, NOT_DONE === OUTCOME_UNKNOWN]).toEqual([true, false]);
  const table = new PiecesTable();
  expect(assembled(new Pieces(table))).toEqual([]);
  expect(table.nodes).toEqual([]);
});

test("pieces that do not follow each other are no command", () => {
  const pieces = new Pieces(new PiecesTable());
  const piece = (start: number, total: number, bytes: string) =>
    pieces.complete(1, { db: 0, argv: [PIECE_NAME, String(start), String(total), bytes] });
  // One word of one byte.
  const word = "\0\0\0\x01\0\0\0\x01x";
  expect(piece(0, 9, word.slice(0, 5))).toBeUndefined();
  expect(piece(5, 9, word.slice(5))?.argv).toEqual(["x"]);
  expect(piece(5, 9, word.slice(5))).toBeUndefined();
  expect(piece(0, 9, word.slice(0, 5))).toBeUndefined();
  expect(piece(6, 9, word.slice(6))).toBeUndefined();
  expect(piece(5, 9, word.slice(5))).toBeUndefined();
  expect(piece(0, 9, word + word)).toBeUndefined();
  expect(piece(0, 9, "\0\0\0\x02\0\0\0\x01x")).toBeUndefined();
  expect(piece(0, 2 ** 40, word)).toBeUndefined();
});

test("those of a node that starts anew, or is no member any more, are dropped", () => {
  const table = new PiecesTable();
  const pieces = new Pieces(table);
  for (const node of [1, 2, 3]) {
    pieces.complete(node, { db: 0, argv: [PIECE_NAME, "0", "100", "x"] });
  }
  pieces.startedAnew(2);
  expect(table.nodes).toEqual([1, 3]);
  pieces.keep(new Set([2, 3]));
  expect(table.nodes).toEqual([3]);
});

test("pieces are a part of the state: a crash between them loses none", async () => {
  const path = join(directory, "state.db");
  let nowMs = 0;
  const open = (file: string) => {
    const table = new PiecesTable();
    const sql = driver.open(file, { synchronous: "normal" });
    const options = { cacheBytes: 1e6, now: () => ++nowMs, sideTables: [table] };
    return { table, ops: new CachedRedisOperations(sql, options) };
  };
  const { table, ops } = open(path);
  let index = 0;
  const apply = (node: number, start: number, data: string) => {
    const whole = table.add(node, start, 6, data);
    ops.setApplied({ ...ops.applied, index: ++index });
    return whole?.toString("latin1");
  };
  apply(1, 0, "abc");
  apply(2, 0, "\0\xff");
  ops.flushAll();
  apply(2, 2, "lost");
  const copy = open(crashImage(path, join(directory, "copy.db")));
  expect(copy.ops.applied.index).toBe(2);
  expect(copy.table.add(1, 3, 6, "def")?.toString("latin1")).toBe("abcdef");
  expect(copy.table.add(2, 2, 6, "ghij")?.toString("latin1")).toBe("\0\xffghij");
  await copy.ops.close();
  // Complete there, and gone from the file by the next flush.
  expect(apply(1, 3, "xyz")).toBe("abcxyz");
  ops.flushAll();
  expect(open(crashImage(path, join(directory, "last.db"))).table.nodes).toEqual([]);
  await ops.close();
});
