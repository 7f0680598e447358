import { expect, test } from "bun:test";
import { join } from "node:path";
import { openRaftLog } from "../../src/storage/raft_log.ts";
import { loadSqlite } from "../../src/storage/sqlite.ts";
import { temporaryDirectory } from "./raft_log_fixture.ts";
import { raftLogSuite } from "./raft_log_suite.ts";

const driver = await loadSqlite();

raftLogSuite("on SQLite's files", () => {
  const directory = temporaryDirectory();
  const path = join(directory.path, "log.db");
  return { driver, path, options: {}, remove: () => directory.remove() };
});

test("a second connection is kept out", () => {
  const directory = temporaryDirectory();
  const path = join(directory.path, "log.db");
  const log = openRaftLog(driver, path);
  expect(() => openRaftLog(driver, path)).toThrow(/locked/);
  log.close();
  directory.remove();
});
