import { writeSync } from "node:fs";
import process from "node:process";
import { openDataDirectory } from "../../src/storage/data_directory.ts";
import { openRaftLog } from "../../src/storage/raft_log.ts";
import { loadSqlite } from "../../src/storage/sqlite.ts";

// Opens the data directory at the first argument and prints "held" or the error. With "hold" as
// the second argument it then waits to be killed.
try {
  const driver = await loadSqlite();
  const directory = openDataDirectory(driver, process.argv[2]);
  const log = openRaftLog(driver, directory.logPath);
  writeSync(1, "held\n");
  if (process.argv[3] === "hold") await new Promise((resolve) => setTimeout(resolve, 60_000));
  log.close();
  directory.close();
} catch (error) {
  writeSync(1, `${(error as Error).name}: ${(error as Error).message}\n`);
}
