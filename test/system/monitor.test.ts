import { afterAll, beforeAll, expect, test } from "bun:test";
import { compareConversations } from "./conversation.ts";
import { cleanupAll, type Server, startBalsa, startRedis, until } from "./harness.ts";
import { RespClient } from "./resp_client.ts";

let balsa: Server;
let redis: Server;

beforeAll(async () => {
  [balsa, redis] = await Promise.all([startBalsa(), startRedis()]);
});
afterAll(cleanupAll);

/** Without times and ports. */
function mask(raw: string): string {
  return raw.replace(/^\+\d+\.\d{6} \[(\d+) 127\.0\.0\.1:\d+\]/, "+[$1]");
}

test("MONITOR tells what redis-server tells", () =>
  compareConversations(
    [balsa.port],
    redis.port,
    `
    a: SET before 1
    m: MONITOR
    a: SET k "a\\r\\n\\"\\\\\\x00\\xff"
    m< 1
    a: get k
    m< 1
    a: CONFIG GET maxclients
    a: CLIENT LIST ID 0
    a: NONSENSE
    a: SELECT 3
    m< 1
    a: MULTI
    a: SET k 1
    a: GET k
    a: PING
    a: EXEC
    m< 5
    a: MULTI
    a: PING
    a: exec
    m< 3
    a: MULTI
    a: DISCARD
    m< 2
    a: AUTH default secret
    m< 1
    a: PUBLISH c x
    m< 1
    m: RESET
    a: PING`,
    mask,
  ));

test("a client that monitors and quits is not told that it quits", async () => {
  const [client, other] = await Promise.all([1, 2].map(() => RespClient.open(balsa.port)));
  expect(await client.command("MONITOR")).toBe("OK");
  await other.command("PING");
  expect(await client.read()).toMatch(/"PING"$/);
  expect(await client.command("QUIT")).toBe("OK");
  await until(() => client.closed, "the end of the connection");
  expect(client.unread).toBe("");
  other.close();
});
