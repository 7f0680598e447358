import { startBalsa } from "../system/harness.ts";
import { loadSqlite } from "../../src/storage/sqlite.ts";
import { SLOT_STRIDE } from "../../src/storage/schema.ts";
import { join } from "node:path";

const KEYS_PER_COMMIT = 50_000;

/**
 * Makes a data directory whose state.db has `count` strings, `key:1` and so on: written into its
 * tables past the server, which would take ten times as long.
 */
export async function seedState(data: string, count: number, value: string): Promise<void> {
  const server = await startBalsa({ data, http: false });
  await server.stop();
  const driver = await loadSqlite();
  const sql = driver.open(join(data, "state.db"), { synchronous: "normal" });
  const slot = Number(sql.prepare("SELECT slot FROM database WHERE db = 0").get()?.slot);
  const insert = sql.prepare(
    "INSERT INTO keys(id, slot, key, type, version, value) VALUES (?, ?, ?, 'string', ?, ?)",
  );
  for (let n = 1; n <= count;) {
    sql.exec("BEGIN IMMEDIATE");
    for (const end = Math.min(count, n + KEYS_PER_COMMIT - 1); n <= end; n++) {
      insert.run(slot * SLOT_STRIDE + n, slot, `key:${n}`, n, value);
    }
    sql.exec("COMMIT");
  }
  sql.exec(`UPDATE database SET keys = ${count}, last_id = ${count} WHERE db = 0`);
  sql.exec(`UPDATE applied SET version = ${count}`);
  sql.close();
}
