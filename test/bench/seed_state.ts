import { startBalsa } from "../system/harness.ts";
import { loadSqlite } from "../../src/storage/sqlite.ts";
import { SLOT_STRIDE } from "../../src/storage/schema.ts";
import { join } from "node:path";

const KEYS_PER_COMMIT = 50_000;

/** Makes a data directory without any key. */
export async function makeData(data: string): Promise<void> {
  const server = await startBalsa({ data, http: false });
  await server.stop();
}

/**
 * Puts strings into state.db, `key:${from + 1}` to `key:${to}`, where the keys up to `from` are all
 * that there are: past the server, which must have stopped, and would take several times as long.
 */
export async function seedState(data: string, from: number, to: number, value: string) {
  const driver = await loadSqlite();
  const sql = driver.open(join(data, "state.db"), { synchronous: "normal" });
  const slot = Number(sql.prepare("SELECT slot FROM database WHERE db = 0").get()?.slot);
  const insert = sql.prepare(
    "INSERT INTO keys(id, slot, key, type, version, value) VALUES (?, ?, ?, 'string', ?, ?)",
  );
  for (let n = from + 1; n <= to;) {
    sql.exec("BEGIN IMMEDIATE");
    for (const end = Math.min(to, n + KEYS_PER_COMMIT - 1); n <= end; n++) {
      insert.run(slot * SLOT_STRIDE + n, slot, `key:${n}`, n, value);
    }
    sql.exec("COMMIT");
  }
  sql.exec(`UPDATE database SET keys = ${to}, last_id = ${to} WHERE db = 0`);
  sql.exec(`UPDATE applied SET version = version + ${to}`);
  sql.close();
}
