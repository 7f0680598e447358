import { describe, expect, test } from "bun:test";
import { compareConversations, converse, type Mask } from "./conversation.ts";
import { RespClient } from "./resp_client.ts";
import { Trio } from "./trio.ts";

const trio = new Trio();

const SCRIPTS: Readonly<Record<string, string>> = {
  "what EXEC answers": `
    a: FLUSHALL
    a: MULTI
    a: SET k 1
    a: INCR k
    a: GET k
    a: GET nothing
    a: MGET k nothing
    a: EXEC
    a: MULTI
    a: EXEC
    a: GET k
    B: MULTI
    B: GET nothing
    B: SET k x EX 100 GET
    B: CLIENT TRACKINGINFO
    B: DBSIZE
    B: EXEC
    B: GET k`,
  "errors while it runs do not stop it": `
    a: MULTI
    a: SET k text
    a: INCR k
    a: SET l 1
    a: EXEC
    a: MGET k l`,
  "errors while it is queued do": `
    a: SET k 1
    a: MULTI
    a: SET k 2
    a: NONSENSE x
    a: SET k 3
    a: EXEC
    a: GET k
    a: MULTI
    a: SET
    a: EXEC
    a: MULTI
    a: CLIENT NONSENSE
    a: EXEC
    a: MULTI
    a: EXEC x
    a: EXEC
    a: MULTI
    a: SET k 4
    a: NONSENSE
    a: DISCARD
    a: GET k`,
  "commands of their own behind MULTI": `
    a: EXEC
    a: EXEC x
    a: DISCARD
    a: MULTI
    a: MULTI
    a: WATCH k
    a: SET k 5
    a: EXEC
    a: MULTI
    a: SAVE
    a: EXEC
    a: MULTI
    a: SHUTDOWN
    a: DISCARD
    a: DISCARD
    a: MULTI x
    a: WATCH
    a: UNWATCH x
    a: MULTI
    a: UNWATCH
    a: PING
    a: EXEC
    a: MULTI
    a: RESET
    a: EXEC
    a: MULTI
    a: QUIT`,
  "commands on the connection in their place": `
    a: FLUSHALL
    a: MULTI
    a: PING
    a: SET k 0
    a: SELECT 3
    a: SET k 3
    a: GET k
    a: SELECT 99
    a: SET l 3
    a: SELECT x
    a: CLIENT SETNAME me
    a: CLIENT GETNAME
    a: ECHO x
    a: EXEC
    a: GET k
    a: SELECT 0
    a: GET k
    a: GET l
    a: MULTI
    a: PING
    a: SELECT 1
    a: EXEC
    a: SET only one
    b: SELECT 1
    b: GET only
    a: MULTI
    a: COMMAND COUNT nothing
    a: COMMAND GETKEYS SET k v
    a: SET k 1
    a: PING
    a: EXEC
    a: PING`,
  "HELLO amid it": `
    a: MULTI
    a: GET nothing
    a: HELLO 3
    a: GET nothing
    a: EXEC
    a: GET nothing
    a: MULTI
    a: HELLO 2
    a: PING
    a: EXEC`,
  "channels": `
    s: SUBSCRIBE other
    a: MULTI
    a: SUBSCRIBE x y
    a: PUBLISH other hello
    a: EXEC
    s< 1
    s: PING
    a: GET k
    p: PUBLISH y hello
    a< 1
    B: MULTI
    B: SET k v
    B: SUBSCRIBE x
    B: GET k
    B: EXEC
    p: PUBLISH x hello
    a< 2
    B< 1`,
  "WATCH": `
    a: FLUSHALL
    a: SET k 1
    a: WATCH k
    a: MULTI
    a: SET k 2
    a: EXEC
    a: WATCH k l
    b: SET k 3
    a: MULTI
    a: SET k 4
    a: EXEC
    a: GET k
    a: MULTI
    a: SET k 5
    a: EXEC
    a: WATCH k
    a: SET k 6
    a: MULTI
    a: GET k
    a: EXEC
    B: WATCH k
    b: SET k 7
    B: MULTI
    B: EXEC
    a: WATCH k
    b: SET k 7
    a: UNWATCH
    a: MULTI
    a: GET k
    a: EXEC
    a: WATCH k
    b: EXPIRE k 100
    a: MULTI
    a: PING
    a: EXEC
    a: WATCH k
    b: GET k
    b: PERSIST nothing
    a: MULTI
    a: PING
    a: EXEC`,
  "WATCH of keys that are not there": `
    a: FLUSHALL
    a: WATCH nothing
    b: SET nothing 1
    a: MULTI
    a: PING
    a: EXEC
    a: DEL nothing
    a: WATCH nothing
    b: SET nothing 1
    b: DEL nothing
    a: MULTI
    a: PING
    a: EXEC
    a: WATCH nothing
    b: DEL nothing
    a: MULTI
    a: PING
    a: EXEC
    a: SET k 1
    a: WATCH k
    b: DEL k
    b: SET k 1
    a: MULTI
    a: PING
    a: EXEC`,
  "WATCH and whole databases": `
    a: FLUSHALL
    a: WATCH k
    b: FLUSHALL
    a: MULTI
    a: PING
    a: EXEC
    a: SET k 1
    a: WATCH k
    b: SELECT 5
    b: FLUSHDB
    a: MULTI
    a: PING
    a: EXEC
    a: WATCH k
    b: FLUSHALL
    a: MULTI
    a: PING
    a: EXEC
    a: SET k 1
    a: WATCH k
    b: SWAPDB 0 5
    a: MULTI
    a: PING
    a: EXEC
    a: WATCH k
    b: SWAPDB 0 5
    a: MULTI
    a: PING
    a: EXEC
    a: WATCH neither
    b: SWAPDB 0 5
    a: MULTI
    a: PING
    a: EXEC
    a: WATCH k
    a: SELECT 5
    a: SET k 2
    a: MULTI
    a: PING
    a: EXEC
    a: SELECT 0
    a: GET k`,
  "WATCH ends": `
    a: FLUSHALL
    a: WATCH k
    b: SET k 1
    a: MULTI
    a: DISCARD
    a: MULTI
    a: PING
    a: EXEC
    a: WATCH k
    b: SET k 2
    a: MULTI
    a: NONSENSE
    a: EXEC
    a: MULTI
    a: PING
    a: EXEC
    a: WATCH k
    b: SET k 3
    a: RESET
    a: MULTI
    a: PING
    a: EXEC`,
  "in one write": `
    a> MULTI
    a> SET k 1
    a> INCR k
    a> EXEC
    a> GET k
    a> MULTI
    a> GET k
    a> PING
    a> EXEC
    a> SELECT 1
    a> GET k
    a< 11`,
  "CLIENT REPLY amid it": `
    a> CLIENT REPLY OFF
    a> MULTI
    a> SET k 9
    a> EXEC
    a: CLIENT REPLY ON
    a: GET k`,
};

/** What differs between servers, or is told by one alone. */
const mask: Mask = (raw) =>
  raw.replace(/(\$2\r\nid\r\n:)\d+/g, "$1")
    .replace(/(\$(?:7\r\nversion|4\r\nrole)\r\n)\$\d+\r\n[^\r]*/g, "$1");

describe("as redis-server has it", () => {
  for (const [name, script] of Object.entries(SCRIPTS)) {
    test(name, () => compareConversations([trio.balsa.port], trio.redis.port, script, mask));
    test(`${name}, each connection at another node`, () =>
      compareConversations(trio.ports, trio.redis.port, script, mask));
  }
});

test("an EXEC is one entry of the log, one that only reads is none", async () => {
  const client = await RespClient.open(trio.balsa.port);
  const entries = async () => {
    const info = String(await client.command("INFO", "raft"));
    return Number(/raft_last_index:(\d+)/.exec(info)?.[1]);
  };
  const before = await entries();
  await client.pipeline([["MULTI"], ["SET", "a", "1"], ["SET", "b", "2"], ["GET", "a"], ["EXEC"]]);
  expect(await entries()).toBe(before + 1);
  await client.pipeline([["MULTI"], ["GET", "a"], ["GET", "b"], ["EXEC"]]);
  expect(await entries()).toBe(before + 1);
  client.close();
});

test("a key that expires after WATCH fails EXEC, one that had expired does not", async () => {
  const client = await RespClient.open(trio.balsa.port);
  do {
    await client.command("UNWATCH");
    await client.command("SET", "k", "v", "PX", "50");
    await client.command("WATCH", "k");
  } while (await client.command("EXISTS", "k") === 0);
  while (await client.command("EXISTS", "k") === 1);
  await client.command("MULTI");
  await client.command("PING");
  expect(await client.command("EXEC")).toBe(null);
  await client.command("WATCH", "k");
  await client.command("MULTI");
  await client.command("PING");
  expect(await client.command("EXEC")).toEqual(["PONG"]);
  client.close();
});

test("of many that add to a counter by WATCH and EXEC at all nodes none is lost", async () => {
  const perClient = 20;
  const adders = trio.cluster.nodes.flatMap(({ port }) => [port, port]).map(async (port) => {
    const client = await RespClient.open(port);
    for (let added = 0; added < perClient;) {
      await client.command("WATCH", "counter");
      const value = Number(await client.command("GET", "counter") ?? 0);
      await client.pipeline([["MULTI"], ["SET", "counter", String(value + 1)]]);
      if (await client.command("EXEC") !== null) added++;
    }
    client.close();
  });
  await Promise.all(adders);
  const heard = await converse([trio.cluster.nodes[0].port], "a: GET counter");
  expect(heard[0][1]).toBe(`$3\r\n${6 * perClient}\r\n`);
  await trio.cluster.converged();
});

test("WATCH holds across a failover", async () => {
  const leader = await trio.cluster.leader();
  const other = (await trio.cluster.followers())[0];
  const watcher = await RespClient.open(other.port);
  await watcher.command("SET", "held", "1");
  await watcher.command("WATCH", "held");
  await leader.kill9();
  await trio.cluster.leader();
  await watcher.command("MULTI");
  await watcher.command("SET", "held", "2");
  expect(await watcher.command("EXEC")).toEqual(["OK"]);
  await watcher.command("WATCH", "held");
  leader.start();
  const second = trio.cluster.nodes.find((node) => node !== leader && node !== other)!;
  const writer = await RespClient.open(second.port);
  await writer.command("SET", "held", "3");
  await trio.cluster.converged();
  await watcher.command("MULTI");
  await watcher.command("SET", "held", "4");
  expect(await watcher.command("EXEC")).toBe(null);
  watcher.close();
  writer.close();
});
