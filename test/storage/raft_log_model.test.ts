import { test } from "bun:test";
import { join } from "node:path";
import { loadSqlite } from "../../src/storage/sqlite.ts";
import { temporaryDirectory } from "./raft_log_fixture.ts";
import { compareWithModel } from "./raft_log_model.ts";

const driver = await loadSqlite();

for (const [seed, writer] of [[1, "inline"], [2, "inline"], [3, "worker"], [4, "auto"]] as const) {
  test(`random operations give what a plain array gives (seed ${seed}, ${writer})`, async () => {
    const directory = temporaryDirectory();
    const path = join(directory.path, "log.db");
    const options = { writer };
    await compareWithModel(seed, { driver, path, options, remove: () => directory.remove() });
  }, 180_000);
}
