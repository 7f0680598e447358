import { describe, expect, test } from "bun:test";
import { blocked, compareConversations } from "./conversation.ts";
import { until } from "./harness.ts";
import { RespClient, type RespError } from "./resp_client.ts";
import { Trio } from "./trio.ts";

const trio = new Trio();

const SCRIPTS: Readonly<Record<string, string>> = {
  "served at once, or in vain within EXEC": `
    a: FLUSHALL
    a: RPUSH k 1 2 3
    a: BLPOP nothing k 0
    a: BRPOP k 0
    a: BLMOVE k l LEFT RIGHT 0
    a: BRPOPLPUSH l m 0
    a: BLMPOP 0 2 nothing m LEFT COUNT 5
    a: MULTI
    a: BLPOP k 0
    a: BRPOP k 0
    a: BLMOVE k l LEFT RIGHT 0
    a: BRPOPLPUSH l m 0
    a: BLMPOP 0 1 k LEFT
    a: EXEC
    a: SET s x
    a: BLPOP s 0
    a: BLPOP nothing s 0
    a: BLMOVE s k LEFT LEFT 0
    B: BLPOP nothing 0.01
    B: BLMOVE nothing k LEFT LEFT 0.01
    a: BRPOPLPUSH nothing k 0.01`,
  "errors": `
    a: BLPOP k
    a: BLPOP k -1
    a: BLPOP k x
    a: BLPOP k 1e400
    a: BLPOP k nan
    a: BLMPOP x 1 k LEFT
    a: BLMPOP 0 0 k LEFT
    a: BLMPOP 0 1 k UP
    a: BLMPOP -1 1 k LEFT
    a: BLMOVE k l UP LEFT 0
    a: BLMOVE k l LEFT LEFT -1
    a: BRPOPLPUSH k l x
    a: CLIENT UNBLOCK x
    a: CLIENT UNBLOCK 999999
    a: CLIENT UNBLOCK 1 NONSENSE`,
  "members of sorted sets": `
    p: FLUSHALL
    a> BZPOPMIN z y 0
    a!
    b> BZPOPMAX z 0
    b!
    c> BZMPOP 0 2 y z MIN COUNT 2
    c!
    p: SADD z x
    p: DEL z
    p: ZADD z 1 one 2 two 3 three 4 four
    a< 1
    b< 1
    c< 1
    p: ZRANGE z 0 -1
    a> BZPOPMAX z nothing 0
    a!
    p: GEOADD nothing 13 38 here
    a< 1
    p: EXISTS nothing
    a> BZPOPMIN target 0
    a!
    p: ZADD from 1 a 2 b
    p: ZRANGESTORE target from 0 -1
    a< 1
    p: MULTI
    p: BZPOPMIN nothing 0
    p: BZMPOP 0 1 nothing MAX
    p: EXEC
    B: BZPOPMIN nothing 0.01
    B: BZMPOP 0.01 1 nothing MAX`,
  "CLIENT UNBLOCK": `
    a> BLPOP nothing 0
    a!
    b: CLIENT UNBLOCK {a}
    a< 1
    a> BLMOVE nothing k LEFT LEFT 0
    a!
    b: CLIENT UNBLOCK {a} ERROR
    a< 1
    b: CLIENT UNBLOCK {a}
    a: PING`,
  "what follows in the pipeline waits": `
    a: FLUSHALL
    a> BLPOP k 0
    a> PING
    a> SET after 1
    a!
    b: GET after
    b: RPUSH k x
    a< 3
    b: GET after`,
  "first come, first served": `
    p: FLUSHALL
    a> BLPOP k 0
    a!
    b> BRPOP k l 0
    b!
    c> BLMPOP 0 2 l k RIGHT COUNT 2
    c!
    p: RPUSH k 1
    a< 1
    p: RPUSH k 2 3 4 5
    b< 1
    c< 1
    p: LRANGE k 0 -1`,
  "EXEC serves when it is done": `
    p: FLUSHALL
    a> BLPOP k 0
    a!
    p: MULTI
    p: RPUSH k 1
    p: DEL k
    p: RPUSH k 2
    p: LRANGE k 0 -1
    p: EXEC
    a< 1
    a> BLPOP x y 0
    a!
    p: MULTI
    p: RPUSH y 1
    p: RPUSH x 2
    p: EXEC
    a< 1
    a> BLPOP k 0
    a!
    p: MULTI
    p: RPUSH k 1
    p: DEL k
    p: SET k string
    p: EXEC
    p: DEL k
    p: RPUSH k 3
    a< 1`,
  "chains and targets of another type": `
    p: FLUSHALL
    a> BLMOVE one two LEFT RIGHT 0
    a!
    b> BRPOPLPUSH two three 0
    b!
    c> BLPOP three 0
    c!
    p: RPUSH one x
    a< 1
    b< 1
    c< 1
    p: EXISTS one two three
    p: SET wrong type
    a> BLMOVE one wrong LEFT RIGHT 0
    a!
    b> BLPOP one 0
    b!
    p: RPUSH one y
    a< 1
    b< 1
    a> BRPOPLPUSH same same 0
    a!
    p: RPUSH same z
    a< 1
    p: LRANGE same 0 -1`,
  "keys that come otherwise": `
    p: FLUSHALL
    p: RPUSH k 1
    a> BLPOP l 0
    a!
    p: RENAME k l
    a< 1
    a> BLPOP l 0
    a!
    p: RPUSH k 2
    p: COPY k l
    a< 1
    a> BLPOP l 0
    a!
    q: SELECT 3
    q: RPUSH l 3
    p: SWAPDB 0 3
    a< 1
    a> BLPOP l 0
    a!
    q: FLUSHALL
    q: SELECT 0
    q: RPUSH l 4
    a< 1`,
  "WATCH sees what a served client takes": `
    p: FLUSHALL
    a> BLMOVE k l LEFT LEFT 0
    a!
    w: WATCH l
    p: RPUSH k 1
    a< 1
    w: MULTI
    w: PING
    w: EXEC`,
};

describe("as redis-server has it", () => {
  for (const [name, script] of Object.entries(SCRIPTS)) {
    test(name, () => compareConversations([trio.balsa.port], trio.redis.port, script));
    // Ids of clients are each node's own.
    if (script.includes("UNBLOCK")) continue;
    test(`${name}, each connection at another node`, () =>
      compareConversations(trio.ports, trio.redis.port, script));
  }
});

test("what precedes in the pipeline is answered", async () => {
  for (const port of [trio.balsa.port, ...trio.cluster.nodes.map((node) => node.port)]) {
    const client = await RespClient.open(port);
    const replies = await client.pipeline([
      ["SET", "before", "1"],
      ["GET", "before"],
      ["BLPOP", "nothing", "0.01"],
      ["GET", "before"],
      ["BLPOP", "nothing", "0.01"],
    ]);
    expect(replies).toEqual(["OK", "1", null, "1", null]);
    client.close();
  }
});

test("a client that is gone is not served", async () => {
  for (const { port } of trio.cluster.nodes) {
    const pusher = await RespClient.open(trio.cluster.nodes[0].port);
    const client = await blocked(port, "BLPOP", "gone", "0");
    client.close();
    const other = await RespClient.open(port);
    await until(
      async () => /blocked_clients:0\r/.test(String(await other.command("INFO", "clients"))),
      "no blocked client",
    );
    // It is in the log before what follows from the same node.
    await other.command("SET", "behind", "1");
    await pusher.command("RPUSH", "gone", "x");
    expect(await pusher.command("LPOP", "gone")).toBe("x");
    for (const each of [pusher, other]) each.close();
  }
});

test("who waits for a stream hears that it is gone, also behind one who waits for a list", async () => {
  const [one, two] = trio.cluster.nodes;
  const other = await RespClient.open(one.port);
  await other.command("DEL", "mixed");
  const first = await blocked(two.port, "BLPOP", "mixed", "0");
  await other.command("XGROUP", "CREATE", "mixed", "g", "$", "MKSTREAM");
  const words = ["XREADGROUP", "GROUP", "g", "c", "BLOCK", "0", "STREAMS", "mixed", ">"];
  const second = await blocked(two.port, ...words);
  await other.command("DEL", "mixed");
  expect(String(((await second.read()) as RespError).text)).toStartWith("UNBLOCKED");
  await other.command("RPUSH", "mixed", "x");
  expect(await first.read()).toEqual(["mixed", "x"]);
  for (const client of [first, second, other]) client.close();
});

test("a failover loses and doubles nothing, and keeps the order", async () => {
  const leader = await trio.cluster.leader();
  const [one, two] = await trio.cluster.followers();
  const clients = [
    await blocked(one.port, "BLPOP", "jobs", "0"),
    await blocked(leader.port, "BLPOP", "jobs", "0"),
    await blocked(two.port, "BLPOP", "jobs", "0"),
    await blocked(one.port, "BLPOP", "jobs", "0"),
  ];
  await leader.kill9();
  const pusher = await RespClient.open(two.port);
  expect(await pusher.command("RPUSH", "jobs", "a", "b", "c", "d")).toBe(4);
  expect(await clients[0].read()).toEqual(["jobs", "a"]);
  expect(await clients[2].read()).toEqual(["jobs", "b"]);
  expect(await clients[3].read()).toEqual(["jobs", "c"]);
  expect(await pusher.command("LRANGE", "jobs", "0", "-1")).toEqual(["d"]);
  leader.start();
  await trio.cluster.converged();
  for (const client of [...clients, pusher]) client.close();
});

test("what waits on a follower that is killed is not served", async () => {
  const [one, two] = await trio.cluster.followers();
  const leader = await trio.cluster.leader();
  const pusher = await RespClient.open(leader.port);
  await pusher.command("DEL", "jobs");
  const dead = await blocked(one.port, "BLPOP", "jobs", "0");
  const alive = await blocked(two.port, "BLPOP", "jobs", "0");
  await one.kill9();
  await until(
    async () => {
      const info = await leader.info();
      return info !== undefined && (await leader.info("raft"))?.raft_role === "leader";
    },
    "the leader's answer",
  );
  await pusher.command("SET", "after", "1");
  await pusher.command("RPUSH", "jobs", "x");
  expect(await alive.read()).toEqual(["jobs", "x"]);
  one.start();
  await trio.cluster.converged();
  for (const client of [dead, alive, pusher]) client.close();
});

test("who waits is known after a restart of all, and nobody of before is served", async () => {
  const waiting = await Promise.all(
    trio.cluster.nodes.map(({ port }) => blocked(port, "BLPOP", "jobs", "0")),
  );
  await Promise.all(trio.cluster.nodes.map((node) => node.kill9()));
  for (const node of trio.cluster.nodes) node.start();
  await trio.cluster.leader();
  const pusher = await RespClient.open(trio.cluster.nodes[0].port);
  await pusher.command("RPUSH", "jobs", "x");
  expect(await pusher.command("LRANGE", "jobs", "0", "-1")).toEqual(["x"]);
  await trio.cluster.converged();
  for (const client of [...waiting, pusher]) client.close();
});
