// Sets keys and flushes in steps until it is killed; see cached_redis_operations_kill.test.ts.
import process from "node:process";
import { CachedRedisOperations } from "../../src/storage/cached_redis_operations.ts";
import { WorkerCheckpointer } from "../../src/storage/checkpointer.ts";
import { loadSqlite } from "../../src/storage/sqlite.ts";
import { applyKillEntry } from "./cached_kill_entries.ts";

const driver = await loadSqlite();
const sql = driver.open(process.argv[2], { synchronous: "normal", cacheBytes: 256 * 1024 });
const ops = new CachedRedisOperations(sql, {
  cacheBytes: 256 * 1024,
  now: () => performance.now(),
  flushKeys: 300,
  checkpointer: new WorkerCheckpointer(sql, driver.name),
});
let reported = -1;

function turn(): void {
  for (let i = 0; i < 20; i++) applyKillEntry(ops, ops.applied.index + 1);
  ops.flushStep(1);
  // A line for each index that is durable now: what the parent may rely on.
  if (ops.durable.index !== reported) process.stdout.write(`${reported = ops.durable.index}\n`);
  setImmediate(turn);
}
turn();
