import { expect, test } from "bun:test";
import { copyFileSync, existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { decodeEntries, encodeEntries } from "../../src/storage/raft_log_codec.ts";
import { openRaftLog } from "../../src/storage/raft_log.ts";
import { SnapshotReceiver } from "../../src/storage/snapshot_receiver.ts";
import { hashFile, snapshotPath } from "../../src/storage/snapshot.ts";
import { loadSqlite } from "../../src/storage/sqlite.ts";
import { SqliteError } from "../../src/storage/sqlite_types.ts";
import { LogCorruptError, StorageFormatError } from "../../src/storage/storage_errors.ts";
import { entriesOf, plain, temporaryDirectory } from "../storage/raft_log_fixture.ts";
import { anyBytes, damaged, holds, holdsAsync, throwsOnly } from "./fuzz.ts";

const driver = await loadSqlite();

test("rows of the log: entries, or RangeError", () => {
  const row = encodeEntries(entriesOf(1, 8), 0, 8);
  const header = fc.record({
    first: fc.constant(1),
    last: fc.constantFrom(1, 8, 9, Number.MAX_SAFE_INTEGER),
    firstTerm: fc.constant(1),
    lastTerm: fc.constantFrom(1, 2),
    commit: fc.constant(0),
    endBytes: fc.constant(0),
  });
  holds(fc.tuple(fc.oneof(anyBytes(), damaged(row)), header), ([bytes, of]) => {
    throwsOnly([RangeError], () => decodeEntries(bytes, of));
  });
});

test("a damaged log.db: what was written, or a refusal", () => {
  const directory = temporaryDirectory();
  const path = join(directory.path, "log.db");
  const made = openRaftLog(driver, path);
  const hardState = { term: 1, votedFor: 1, commit: 0 };
  for (let i = 0; i < 20; i++) made.append(entriesOf(i * 10 + 1, i * 10 + 10), hardState);
  made.close();
  const whole = readFileSync(path);
  const written = new Map(entriesOf(1, 200).map((entry) => [entry.index, plain(entry)]));
  holds(damaged(whole), (bytes) => {
    for (const suffix of ["-wal", "-shm"]) rmSync(path + suffix, { force: true });
    writeFileSync(path, bytes);
    throwsOnly([LogCorruptError, StorageFormatError, SqliteError], () => {
      const log = openRaftLog(driver, path);
      try {
        for (let at = log.firstIndex; at <= log.lastIndex; at++) {
          const [entry] = log.entries(at, at + 1, 1000) ?? [];
          if (entry !== undefined) expect(plain(entry)).toEqual(written.get(entry.index));
        }
      } finally {
        log.close();
      }
    });
  });
  directory.remove();
});

test("a snapshot that changed on its way is not taken, and leaves nothing", async () => {
  const directory = temporaryDirectory();
  const source = join(directory.path, "source.db");
  const database = driver.open(source, { synchronous: "full" });
  database.exec("CREATE TABLE t (a); INSERT INTO t VALUES (1), (2), (3)");
  database.close();
  const whole = readFileSync(source);
  const copy = join(directory.path, "copy");
  copyFileSync(source, copy);
  const info = { index: 5, term: 1, configuration: "", ...hashFile(copy) };
  const taken = join(directory.path, "taken");
  await holdsAsync(fc.oneof(damaged(whole), anyBytes()), async (bytes) => {
    const receiver = await SnapshotReceiver.open(taken, info);
    let isTaken = true;
    for (let at = 0; at < bytes.length && isTaken; at += 4096) {
      isTaken = receiver.write(at, bytes.subarray(at, at + 4096));
    }
    const isSame = bytes.equals(whole);
    if (isTaken) expect(await receiver.finish()).toBe(isSame);
    receiver.discard();
    expect(existsSync(snapshotPath(taken, info))).toBe(isSame && isTaken);
    rmSync(taken, { recursive: true, force: true });
  }, 60);
  directory.remove();
});
