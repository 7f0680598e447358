import process from "node:process";
import { loadSqlite } from "../../src/storage/sqlite.ts";
import type { SqliteDriverName } from "../../src/storage/sqlite_types.ts";
import { runSqliteSuite } from "./sqlite_suite.ts";

// Runs the suite on the driver named by the first argument and prints what was run.
const driver = await loadSqlite(process.argv[2] as SqliteDriverName);
console.log(`${runSqliteSuite(driver)} cases passed on ${driver.name}, SQLite ${driver.version}`);
