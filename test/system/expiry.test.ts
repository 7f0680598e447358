import { afterAll, expect, test } from "bun:test";
import { join } from "node:path";
import {
  cleanupAll,
  hasProgram,
  runToEnd,
  type Server,
  sleep,
  startBalsa,
  until,
} from "./harness.ts";
import { RespClient } from "./resp_client.ts";

afterAll(cleanupAll);

/** Keys that expire together; a million with BALSA_EXPIRE_KEYS=1000000. */
const EXPIRING = Number(process.env.BALSA_EXPIRE_KEYS ?? "20000");
/** No single PING may take longer than this while they are deleted, milliseconds. */
const PING_MAX_MS = 5000;

/** Rows of the tables in state.db, as another program sees them. */
async function rowsOnDisk(server: Server): Promise<number> {
  const path = join(server.data, "state.db");
  const query = (sql: string) => runToEnd(["sqlite3", "-cmd", ".timeout 5000", path, sql]);
  const names = await query(
    "SELECT DISTINCT m.name FROM sqlite_master m JOIN pragma_table_info(m.name) c " +
      "WHERE m.type = 'table' AND c.name LIKE 'expire%'",
  );
  const tables = names.output.split("\n").filter((name) => name !== "");
  if (tables.length === 0) throw new Error(`No table of keys in state.db: ${names.output}`);
  let rows = 0;
  for (const table of tables) {
    rows += Number((await query(`SELECT count(*) FROM "${table}"`)).output);
  }
  return rows;
}

test("a key dies on time, on an idle server and for a client that only reads", async () => {
  const server = await startBalsa({ http: false });
  const client = await RespClient.open(server.port);
  const start = Date.now();
  await client.command("SET", "short", "1", "PX", "300");
  await client.command("SET", "stays", "1");
  const before = await client.command("GET", "short");
  if (Date.now() - start < 300) expect(before).toBe("1");
  await sleep(Math.max(0, start + 300 + 1000 - Date.now()));
  expect(await client.command("GET", "short")).toBeNull();
  expect(await client.command("TTL", "short")).toBe(-2);
  expect(await client.command("KEYS", "*")).toEqual(["stays"]);
  await until(async () => await client.command("DBSIZE") === 1, "the key to be gone unasked");
  client.close();
  await server.stop();
});

test("a field of a hash dies on time, unasked, and through a restart; the key with the last", async () => {
  const server = await startBalsa({ http: false });
  const client = await RespClient.open(server.port);
  await client.command("HSET", "h", "short", "1", "later", "2", "stays", "3");
  await client.command("HSET", "gone", "f", "1");
  expect(await client.command("HPEXPIRE", "h", "300", "FIELDS", "2", "short", "none"))
    .toEqual([1, -2]);
  await client.command("HPEXPIRE", "gone", "300", "FIELDS", "1", "f");
  await client.command("HPEXPIRE", "h", "2500", "FIELDS", "1", "later");
  await until(
    async () => await client.command("DBSIZE") === 1,
    "the key to go with its last field",
  );
  await until(async () => await client.command("HLEN", "h") === 2, "the field to go unasked");
  expect(await client.command("HGET", "h", "short")).toBeNull();
  client.close();
  await server.kill9();
  const again = await startBalsa({ http: false, data: server.data });
  const other = await RespClient.open(again.port);
  await until(
    async () => await other.command("HLEN", "h") === 1,
    "the field to go after a restart",
  );
  expect(await other.command("HGETALL", "h")).toEqual(["stays", "3"]);
  expect(await other.command("HTTL", "h", "FIELDS", "2", "stays", "later")).toEqual([-1, -2]);
  other.close();
  await again.stop();
});

test("a key never dies early", async () => {
  const server = await startBalsa({ http: false });
  const client = await RespClient.open(server.port);
  for (let i = 0; i < 20; i++) {
    const sent = Date.now();
    await client.command("SET", "key", "1", "PX", "50");
    for (;;) {
      const value = await client.command("GET", "key");
      if (value === null) break;
    }
    expect(Date.now() - sent).toBeGreaterThanOrEqual(50);
  }
  client.close();
  await server.stop();
});

test("expiries survive kill -9, and what fell due meanwhile is gone", async () => {
  const server = await startBalsa({ http: false });
  const client = await RespClient.open(server.port);
  await client.command("SET", "due", "1", "PX", "200");
  await client.command("SET", "later", "1", "EX", "1000");
  const at = await client.command("PEXPIRETIME", "later");
  await client.command("SET", "cleared", "1", "EX", "1000");
  await client.command("PERSIST", "cleared");
  client.close();
  await server.kill9();
  await sleep(250);
  const again = await startBalsa({ data: server.data, http: false });
  const reader = await RespClient.open(again.port);
  expect(await reader.command("GET", "due")).toBeNull();
  expect(await reader.command("PEXPIRETIME", "later")).toBe(at);
  expect(await reader.command("TTL", "cleared")).toBe(-1);
  reader.close();
  await again.stop();
});

test.skipIf(!hasProgram("sqlite3"))(
  `${EXPIRING} expired keys leave the disk while PING is answered`,
  async () => {
    const server = await startBalsa({ http: false });
    const client = await RespClient.open(server.port);
    const batch = 5000;
    const dueMs = Date.now() + 1500 + EXPIRING / 25;
    for (let first = 0; first < EXPIRING; first += batch) {
      const count = Math.min(batch, EXPIRING - first);
      await client.pipeline(Array.from(
        { length: count },
        (_, i) => ["SET", `key:${first + i}`, "value", "PXAT", String(dueMs)],
      ));
    }
    await client.command("SET", "stays", "1");
    if (Date.now() < dueMs) {
      await until(async () => await rowsOnDisk(server) > EXPIRING / 2, "the rows on disk", 60_000);
    }
    await sleep(Math.max(0, dueMs - Date.now()));
    let worstMs = 0;
    const gone = async (): Promise<boolean> => {
      for (let i = 0; i < 20; i++) {
        const sent = performance.now();
        await client.command("PING");
        worstMs = Math.max(worstMs, performance.now() - sent);
        await sleep(5);
      }
      return await client.command("DBSIZE") === 1;
    };
    await until(gone, "every expired key to be deleted", 300_000);
    await until(async () => await rowsOnDisk(server) === 1, "the rows to leave the disk", 60_000);
    console.log(`expiry: ${EXPIRING} keys deleted, worst PING ${worstMs.toFixed(1)} ms`);
    expect(worstMs).toBeLessThan(PING_MAX_MS);
    expect(await client.command("GET", "stays")).toBe("1");
    client.close();
    await server.stop();
  },
  600_000,
);

test("fields that expire are told of as hexpired, at a hash's end with del", async () => {
  const server = await startBalsa({ http: false });
  const [client, subscriber] = await Promise.all(
    [1, 2].map(() => RespClient.open(server.port)),
  );
  await client.command("CONFIG", "SET", "notify-keyspace-events", "Khg");
  await subscriber.command("SUBSCRIBE", "__keyspace@0__:h");
  await client.command("HSET", "h", "a", "1", "b", "2");
  await client.command("HPEXPIRE", "h", "50", "FIELDS", "1", "a");
  const events: unknown[] = [];
  const hear = async (count: number) => {
    for (; count > 0; count--) events.push((await subscriber.read() as unknown[])[2]);
  };
  await hear(3);
  await client.command("HPEXPIRE", "h", "50", "FIELDS", "1", "b");
  await hear(3);
  expect(events).toEqual(["hset", "hexpire", "hexpired", "hexpire", "hexpired", "del"]);
  for (const each of [client, subscriber]) each.close();
  await server.stop();
});
