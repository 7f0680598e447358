import { deepStrictEqual, ok, strictEqual, throws } from "node:assert";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { openRaftLog } from "../../src/storage/raft_log.ts";
import { loadSqlite } from "../../src/storage/sqlite.ts";
import { entry, plain } from "./raft_log_fixture.ts";

// Fills the small file system at the first argument, and gives room again. Prints "ok".
const directory = process.argv[2];
const path = join(directory, "log.db");
const driver = await loadSqlite();
const isFull = (error: unknown) => (error as { code?: string }).code === "SQLITE_FULL";
const state = { term: 1, votedFor: 1, commit: 0 };

writeFileSync(join(directory, "ballast"), new Uint8Array(6 << 20));
let log = openRaftLog(driver, path);
log.append([], state);
let failures = 0;
for (let i = 0; i < 200 && failures < 5; i++) {
  const last = log.lastIndex;
  try {
    log.append([entry(last + 1, 1, 300_000)], undefined);
    strictEqual(log.lastIndex, last + 1);
  } catch (error) {
    ok(isFull(error), String(error));
    strictEqual(log.lastIndex, last);
    failures++;
  }
}
strictEqual(failures, 5);
const last = log.lastIndex;
ok(last > 5);
deepStrictEqual(log.entries(last, last + 1, 1)?.map(plain), [plain(entry(last, 1, 300_000))]);
throws(() => log.append([entry(last + 1, 2, 300_000)], { ...state, term: 2 }), isFull);
strictEqual(log.hardState.term, 1);
// A restart on the full disk still reads.
log.close();
log = openRaftLog(driver, path, { cacheBytes: 0 });
strictEqual(log.lastIndex, last);
deepStrictEqual(log.entries(1, 2, 1)?.map(plain), [plain(entry(1, 1, 300_000))]);

rmSync(join(directory, "ballast"));
for (let i = 1; i <= 5; i++) log.append([entry(last + i, 2, 300_000)], { ...state, term: 2 });
log.close();
log = openRaftLog(driver, path, { cacheBytes: 0 });
strictEqual(log.lastIndex, last + 5);
strictEqual(log.hardState.term, 2);
strictEqual(log.verify(1, Infinity), undefined);
log.close();
console.log("ok");
