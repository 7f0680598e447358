import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, readdirSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { SYSTEM_CLOCK } from "../../src/base/clock.ts";
import {
  hashFile,
  installSnapshot,
  makeSnapshot,
  type SnapshotInfo,
  snapshotPath,
} from "../../src/storage/snapshot.ts";
import { type Disk, SYSTEM_DISK } from "../../src/storage/disk.ts";
import { SnapshotReceiver } from "../../src/storage/snapshot_receiver.ts";
import { DamagedSnapshot, SnapshotStore } from "../../src/storage/snapshot_store.ts";
import { loadSqlite } from "../../src/storage/sqlite.ts";
import type { SqlDatabase } from "../../src/storage/sqlite_types.ts";
import { flipByte, temporaryDirectory } from "./raft_log_fixture.ts";

const driver = await loadSqlite();
let temporary: ReturnType<typeof temporaryDirectory>;
let directory: string;
let statePath: string;
let state: SqlDatabase;

beforeEach(() => {
  temporary = temporaryDirectory();
  directory = join(temporary.path, "snapshots");
  statePath = join(temporary.path, "state.db");
  state = driver.open(statePath, { synchronous: "normal" });
  state.exec("CREATE TABLE applied(i); INSERT INTO applied VALUES (0); CREATE TABLE kv(k, v)");
});

afterEach(() => {
  state.close();
  temporary.remove();
});

function readApplied(copy: SqlDatabase) {
  const index = Number(copy.prepare("SELECT i FROM applied").get()?.i);
  return { index, term: 2, configuration: "00ff" };
}

/** Adds a row, moves the applied index and makes a snapshot. */
function snapshotAt(index: number): SnapshotInfo {
  state.exec(`BEGIN; UPDATE applied SET i = ${index}`);
  state.prepare("INSERT INTO kv VALUES (?, ?)").run(index, new Uint8Array(50_000).fill(index));
  state.exec("COMMIT");
  return makeSnapshot(driver, statePath, directory, readApplied);
}

async function transfer(
  from: SnapshotStore,
  info: SnapshotInfo,
  to: SnapshotStore,
): Promise<boolean> {
  const reader = from.read(info);
  const receiver = await SnapshotReceiver.open(to.directory, info);
  while (receiver.offset < info.bytes) {
    receiver.write(receiver.offset, reader.readChunk(receiver.offset, 10_000));
  }
  reader.close();
  const ok = await receiver.finish();
  receiver.close();
  return ok;
}

test("makeSnapshot copies the committed state and its own applied index", () => {
  state.exec("BEGIN; INSERT INTO kv VALUES ('committed', 1); COMMIT");
  state.exec("BEGIN; UPDATE applied SET i = 99; INSERT INTO kv VALUES ('open', 1)");
  const info = makeSnapshot(driver, statePath, directory, readApplied);
  state.exec("ROLLBACK");
  expect([info.index, info.term]).toEqual([0, 2]);
  expect(hashFile(snapshotPath(directory, info)))
    .toEqual({ bytes: info.bytes, sha256: info.sha256 });
  const copy = driver.open(snapshotPath(directory, info), {
    synchronous: "normal",
    readOnly: true,
  });
  expect(copy.prepare("SELECT k FROM kv").all().map((row) => row.k)).toEqual(["committed"]);
  copy.close();
  expect(readdirSync(directory).length).toBe(2);
});

test("a snapshot whose description finds no room leaves no file behind", () => {
  const full: Disk = {
    ...SYSTEM_DISK,
    write: () => {
      throw Object.assign(new Error("ENOSPC: write"), { code: "ENOSPC" });
    },
  };
  const make = () =>
    makeSnapshot(driver, statePath, directory, readApplied, join(directory, "make-0.tmp"), full);
  expect(make).toThrow("ENOSPC");
  expect(readdirSync(directory)).toEqual([]);
});

describe("SnapshotStore", () => {
  test("finds the newest after a restart and removes what is unfinished", () => {
    const old = snapshotAt(5);
    const info = snapshotAt(10);
    writeFileSync(join(directory, "make-0123.tmp"), "half");
    writeFileSync(join(directory, "snapshot-20-2-0123456789abcdef.db"), "no description");
    writeFileSync(join(directory, "snapshot-30-2-0123456789abcdef.json"), "{");
    const store = new SnapshotStore(directory);
    expect(store.current).toEqual(info);
    expect(existsSync(snapshotPath(directory, old))).toBe(false);
    expect(readdirSync(directory).length).toBe(2);
  });

  test("keeps an older snapshot while a transfer reads it", () => {
    const store = new SnapshotStore(directory);
    const old = snapshotAt(5);
    store.adopt(old, "here");
    const reader = store.read(old);
    const second = store.read(old);
    const info = snapshotAt(10);
    store.adopt(info, "here");
    expect(store.current).toEqual(info);
    reader.close();
    expect(second.readChunk(0, 15)).toEqual(new TextEncoder().encode("SQLite format 3"));
    second.close();
    expect(existsSync(snapshotPath(directory, old))).toBe(false);
    store.adopt({ ...old }, "here");
    expect(store.current).toEqual(info);
  });

  test("goes back to an older snapshot when a leader sends that one", () => {
    const store = new SnapshotStore(directory);
    const old = snapshotAt(5);
    const info = snapshotAt(10);
    store.adopt(info, "leader");
    store.adopt(old, "leader");
    expect(store.holds(old)).toBe(true);
    expect(existsSync(snapshotPath(directory, info))).toBe(false);
    expect(new SnapshotStore(directory).current).toEqual(old);
  });

  test("finds the one that the log stands at, though a newer one is back after a power loss", () => {
    const old = snapshotAt(5);
    const newer = snapshotAt(10);
    expect(new SnapshotStore(directory, undefined, old).current).toEqual(old);
    expect(existsSync(snapshotPath(directory, newer))).toBe(false);
    const newest = snapshotAt(20);
    expect(new SnapshotStore(directory, undefined, { ...old, term: 99 }).current).toEqual(newest);
  });

  test("gives chunks within the file only", () => {
    const store = new SnapshotStore(directory);
    const info = snapshotAt(5);
    const reader = store.read(info);
    expect(reader.readChunk(info.bytes - 10, 100).length).toBe(10);
    expect(reader.readChunk(info.bytes, 100).length).toBe(0);
    reader.close();
    expect(() => reader.readChunk(0, 1)).toThrow(/closed/);
  });

  test("tells a file that has changed, and gives it up", async () => {
    const store = new SnapshotStore(directory);
    const [info, other] = [snapshotAt(5), snapshotAt(6)];
    store.adopt(info, "here");
    const reader = store.read(info);
    await reader.verify(SYSTEM_CLOCK);
    flipByte(snapshotPath(directory, info), info.bytes >> 1);
    await expect(reader.verify(SYSTEM_CLOCK)).rejects.toThrow(DamagedSnapshot);
    truncateSync(snapshotPath(directory, info), info.bytes >> 1);
    await expect(reader.verify(SYSTEM_CLOCK)).rejects.toThrow(DamagedSnapshot);
    expect(() => reader.readChunk(0, info.bytes)).toThrow(DamagedSnapshot);
    store.drop(other);
    expect(store.current).toEqual(info);
    store.drop(info);
    expect(store.current).toBeUndefined();
    reader.close();
    expect(existsSync(snapshotPath(directory, info))).toBe(false);
  });
});

describe("SnapshotReceiver", () => {
  test("takes a snapshot in chunks, and goes on after a restart", async () => {
    const from = new SnapshotStore(directory);
    const info = snapshotAt(7);
    const targetPath = join(temporary.path, "target");
    let target = new SnapshotStore(targetPath);
    const reader = from.read(info);
    const first = await SnapshotReceiver.open(targetPath, info);
    expect(first.write(0, reader.readChunk(0, 20_000))).toBe(true);
    expect(first.write(30_000, reader.readChunk(30_000, 100))).toBe(false);
    expect(first.write(10_000, reader.readChunk(10_000, 20_000))).toBe(false);
    expect(first.write(20_000, new Uint8Array(info.bytes))).toBe(false);
    expect(first.offset).toBe(20_000);
    first.close();
    target = new SnapshotStore(targetPath);
    const second = await SnapshotReceiver.open(targetPath, info);
    expect(second.offset).toBe(20_000);
    second.close();
    expect(await transfer(from, info, target)).toBe(true);
    target.adopt(info, "here");
    expect(new SnapshotStore(targetPath).current).toEqual(info);
    reader.close();
  });

  test("discards what does not match its hash and starts over", async () => {
    const from = new SnapshotStore(directory);
    const info = snapshotAt(7);
    const target = new SnapshotStore(join(temporary.path, "target"));
    const receiver = await SnapshotReceiver.open(target.directory, info);
    expect(receiver.write(0, new Uint8Array(info.bytes))).toBe(true);
    expect(await receiver.finish()).toBe(false);
    expect(receiver.offset).toBe(0);
    receiver.close();
    expect(target.current).toBeUndefined();
    expect(await transfer(from, info, target)).toBe(true);
  });
});

test("an install puts the snapshot in place of the state and of its WAL", () => {
  const info = snapshotAt(5);
  const targetState = join(temporary.path, "target.db");
  const target = driver.open(targetState, { synchronous: "normal" });
  target.exec("CREATE TABLE old(a)");
  target.close();
  writeFileSync(`${targetState}-wal`, "left by a crash");
  installSnapshot(directory, info, targetState);
  expect(existsSync(`${targetState}-wal`)).toBe(false);
  const installed = driver.open(targetState, { synchronous: "normal" });
  expect(installed.prepare("SELECT i FROM applied").get()?.i).toBe(5);
  expect(installed.prepare("SELECT count(*) AS n FROM kv").get()?.n).toBe(1);
  installed.close();
  expect(new SnapshotStore(directory).current).toBeUndefined();
});
