// Scripts as several connections see them, byte for byte as redis-server has it, and on three nodes.
import { expect, test } from "bun:test";
import { Prng } from "../../src/base/prng.ts";
import { SCRIPT_UNITS_MAX } from "../../src/constants.ts";
import { allConnected, compareConversations } from "./conversation.ts";
import { until } from "./harness.ts";
import { type Decoded, RespClient, RespError } from "./resp_client.ts";
import { Trio } from "./trio.ts";

/** For a machine that does much else. */
const LONG = 180_000;

const trio = new Trio();

const CONVERSATIONS: Readonly<Record<string, string>> = {
  "in a transaction": `
    a: MULTI
    a: EVAL "return redis.call('incr',KEYS[1])" 1 n
    a: EVAL "return {KEYS[1],ARGV[1]}" 1 k v
    a: EVAL "error('boo')" 0
    a: EVAL_RO "return redis.call('get','n')" 0
    a: EVALSHA 0000000000000000000000000000000000000000 0
    a: SCRIPT LOAD "return 5"
    a: GET n
    a: EXEC`,
  "ends what watches a key that it writes": `
    a: SET k 1
    a: WATCH k
    b: EVAL "return redis.call('set','k',2)" 0
    a: MULTI
    a: SET k 3
    a: EXEC
    a: GET k`,
  "wakes those who wait once it has ended": `
    a: DEL l
    a> BLPOP l 0
    a!
    b: EVAL "redis.call('rpush','l',1) redis.call('rpush','l',2) return redis.call('llen','l')" 0
    a< 1
    b: LRANGE l 0 -1`,
  "does not wait": `
    a: DEL l
    a: EVAL "return redis.call('blmpop',0,1,'l','left')" 0
    a: EVAL "return redis.call('xread','streams','s',0)" 0`,
  "selects for itself alone": `
    a: SELECT 3
    a: EVAL "redis.call('select',4) redis.call('set','here',1) return redis.call('get','here')" 0
    a: GET here
    a: SELECT 4
    a: GET here
    a: SELECT 0`,
  "what it did before an error stays": `
    a: EVAL "redis.call('set','half','done') error('boo')" 0
    a: GET half`,
};

for (const [name, lines] of Object.entries(CONVERSATIONS)) {
  const text = `a: FLUSHALL\n${lines}`;
  test(name, () => compareConversations([trio.balsa.port], trio.redis.port, text));
  test(`${name}, across nodes`, () => {
    return compareConversations(trio.ports, trio.redis.port, text);
  });
}

function errorOf(reply: Decoded): string {
  return reply instanceof RespError ? reply.text : `no error: ${JSON.stringify(reply)}`;
}

/** Waits until a node that was started takes connections. */
async function isThere(port: number): Promise<void> {
  const takes = async () => {
    const client = await RespClient.open(port).catch(() => undefined);
    client?.close();
    return client !== undefined;
  };
  await until(takes, "a node to listen", 60_000);
}

async function allThere(): Promise<void> {
  await Promise.all(trio.cluster.nodes.map(({ port }) => isThere(port)));
  await allConnected(trio.ports);
}

async function connect(): Promise<RespClient[]> {
  return await Promise.all(trio.cluster.nodes.map(({ port }) => RespClient.open(port)));
}

test("events, messages and tracking go to the clients of every node", async () => {
  const [a, b, c] = await connect();
  for (const each of [a, b, c]) await each.command("CONFIG", "SET", "notify-keyspace-events", "KA");
  await b.command("SUBSCRIBE", "news");
  await b.command("PSUBSCRIBE", "__keyspace@0__:noted");
  await c.command("HELLO", "3");
  await c.command("CLIENT", "TRACKING", "ON");
  await c.command("GET", "noted");
  const script = "redis.call('set','noted',1) return redis.call('publish','news','hello')";
  expect(await a.command("EVAL", script, "0")).toBe(0);
  await until(() => /hello/.test(b.unread) && /pmessage[^]*set/.test(b.unread), "both messages");
  await until(() => /invalidate[^]*noted/.test(c.unread), "the invalidation");
  for (const each of [a, b, c]) each.close();
}, LONG);

test("a script that is known at one node is known at all, and after a kill -9", async () => {
  const [a, b, c] = await connect();
  const sha1 = String(await a.command("SCRIPT", "LOAD", "return redis.call('incr', KEYS[1])"));
  expect(await b.command("EVALSHA", sha1, "1", "counter")).toBe(1);
  expect(await c.command("EVALSHA", sha1.toUpperCase(), "1", "counter")).toBe(2);
  expect(await c.command("SCRIPT", "EXISTS", sha1, "0".repeat(40))).toEqual([1, 0]);
  await a.command("EVAL", "return 'by its text'", "0");
  const other = "99f1d4d9e55f24a4ec9a5a5dd0ed9ab5d0f3b3b0";
  expect(errorOf(await b.command("EVALSHA", other, "0"))).toContain("NOSCRIPT");
  for (const each of [a, b, c]) each.close();
  await trio.cluster.kill();
  for (const node of trio.cluster.nodes) node.start();
  await allThere();
  const again = await connect();
  for (const [i, each] of again.entries()) {
    expect(await each.command("EVALSHA", sha1, "1", "counter")).toBe(3 + i);
  }
  await again[0].command("SCRIPT", "FLUSH");
  expect(errorOf(await again[1].command("EVALSHA", sha1, "1", "n"))).toContain("NOSCRIPT");
  for (const each of again) each.close();
}, LONG);

test(
  "FCALL is as the library that stands in order before it says, not as one known here",
  async () => {
    const clients = await connect();
    const [a, b] = clients;
    const code = (isRead: boolean) =>
      `#!lua name=turns\nredis.register_function{function_name = 'turn', callback = function(keys) ` +
      (isRead
        ? `return 'read ' .. redis.call('get', keys[1]) end, flags = {'no-writes'}}`
        : `return redis.call('incr', keys[1]) end}`);
    await a.command("SET", "turns", "0");
    for (let count = 1; count <= 25; count++) {
      const caller = clients[count % clients.length];
      await a.command("FUNCTION", "LOAD", "REPLACE", code(true));
      expect(await caller.command("FCALL", "turn", "1", "turns")).toBe(`read ${2 * count - 2}`);
      // What follows at once on its connection, and what comes to a node that may not know it yet.
      const [, same] = await Promise.all([
        a.command("FUNCTION", "LOAD", "REPLACE", code(false)),
        a.command("FCALL", "turn", "1", "turns"),
      ]);
      expect(same).toBe(2 * count - 1);
      expect(await caller.command("FCALL", "turn", "1", "turns")).toBe(2 * count);
    }
    for (const each of clients) expect(await each.command("GET", "turns")).toBe("50");
    await b.command("FUNCTION", "DELETE", "turns");
    for (const each of clients) each.close();
  },
  LONG,
);

test(
  "libraries are known at all nodes, go to and come from redis-server, and outlive a kill",
  async () => {
    const code = `#!lua name=lib
local calls = 0
redis.register_function('count', function(keys)
  calls = calls + 1
  return {calls, redis.call('incr', keys[1])}
end)
redis.register_function{
  function_name = 'look',
  callback = function(keys) return redis.call('get', keys[1]) end,
  flags = {'no-writes'},
}`;
    const [a, b, c] = await connect();
    const theirs = await RespClient.open(trio.redis.port);
    await a.command("DEL", "n");
    expect(await a.command("FUNCTION", "LOAD", code)).toBe("lib");
    // A library's own variables begin anew each time.
    expect(await b.command("FCALL", "count", "1", "n")).toEqual([1, 1]);
    expect(await c.command("FCALL", "COUNT", "1", "n")).toEqual([1, 2]);
    const before = (await (await trio.cluster.leader()).info())?.raft_last_index;
    expect(await b.command("FCALL", "look", "1", "n")).toBe("2");
    expect((await (await trio.cluster.leader()).info())?.raft_last_index).toBe(before);
    await theirs.command("FUNCTION", "FLUSH");
    expect(await theirs.command("FUNCTION", "RESTORE", String(await c.command("FUNCTION", "DUMP"))))
      .toBe("OK");
    const long = `#!lua name=long\nredis.register_function('f', function() return '${
      "x".repeat(500)
    }' end)`;
    await theirs.command("FUNCTION", "LOAD", long);
    const dump = String(await theirs.command("FUNCTION", "DUMP"));
    expect(errorOf(await a.command("FUNCTION", "RESTORE", dump))).toContain("already exists");
    expect(await a.command("FUNCTION", "RESTORE", dump, "REPLACE")).toBe("OK");
    for (const each of [a, b, c, theirs]) each.close();
    await trio.cluster.kill();
    for (const node of trio.cluster.nodes) node.start();
    await allThere();
    for (const each of await connect()) {
      expect(await each.command("FCALL_RO", "look", "1", "n")).toBe("2");
      expect(await each.command("FCALL", "f", "0")).toBe("x".repeat(500));
      each.close();
    }
  },
  LONG,
);

test("reads: by EVAL_RO, and by scripts that promise not to write, without an entry", async () => {
  const [a, b] = await connect();
  await a.command("SET", "k", "v");
  const text = "#!lua flags=no-writes\nreturn redis.call('get', KEYS[1])";
  const sha1 = String(await a.command("SCRIPT", "LOAD", text));
  await b.command("GET", "k");
  const leader = await trio.cluster.leader();
  const before = (await leader.info())?.raft_last_index;
  for (const each of [a, b]) {
    expect(await each.command("EVALSHA", sha1, "1", "k")).toBe("v");
    expect(await each.command("EVAL", text, "1", "k")).toBe("v");
    const plain = "return redis.call('get', KEYS[1])";
    expect(await each.command("EVAL_RO", plain, "1", "k")).toBe("v");
    expect(await each.command("EVALSHA_RO", sha1, "1", "k")).toBe("v");
  }
  expect((await leader.info())?.raft_last_index).toBe(before);
  for (const each of [a, b]) each.close();
}, LONG);

test(
  "an endless script ends with an error, on all nodes alike, and the cluster goes on",
  async () => {
    const [a, b, c] = await connect();
    const stopped = `ERR Script stopped after ${SCRIPT_UNITS_MAX} units of work.`;
    for (
      const script of [
        "redis.call('set','before',1) while true do end",
        "while true do pcall(function() while true do end end) end",
        "return string.find(('a'):rep(100000), ('.-'):rep(50)..'b')",
        "while true do redis.call('ping') end",
      ]
    ) {
      expect(errorOf(await a.command("EVAL", script, "0"))).toContain(stopped);
    }
    const memory = "local t = {} while true do t[#t + 1] = {} end";
    expect(errorOf(await b.command("EVAL", memory, "0"))).toContain("not enough memory");
    expect(await c.command("GET", "before")).toBe("1");
    expect(errorOf(await c.command("SCRIPT", "KILL"))).toContain("NOTBUSY");
    for (const each of [a, b, c]) each.close();
    await trio.cluster.converged();
  },
  LONG,
);

/** Pieces of scripts: with what a script may draw, see and call. */
const PIECES: readonly string[] = [
  "redis.call('incrby', 'n', math.random(1000))",
  "redis.call('set', 's', tostring({}) .. tostring(math.random()))",
  "for k, v in pairs({a=1, b=2, [{}]=3, [tostring]=4}) do redis.call('rpush', 'l', tostring(k)) end",
  "redis.call('sadd', 'set', math.random(100), math.random(100))",
  "redis.call('set', 'spop', redis.call('spop', 'set') or 'none')",
  "redis.call('rpush', 'l', unpack(redis.call('srandmember', 'set', 3)))",
  "redis.call('hset', 'h', 'json', cjson.encode({a={1,2},b=ARGV[1],c=math.random()}))",
  "redis.call('hset', 'h', 'pack', cmsgpack.pack({x=1.5, y=ARGV}))",
  "redis.call('set', 'time', table.concat(redis.call('time'), '.'), 'px', 5)",
  "redis.call('xadd', 'x', '*', 'f', collectgarbage('count'))",
  "redis.pcall('lpush', 's', 1)",
  "redis.call('zadd', 'z', 2 ^ 0.5 * math.random(9), math.random(50))",
  "redis.call('lpop', 'l')",
  "if math.random(5) == 1 then error('by chance ' .. math.random()) end",
  "local t = {} for i = 1, 200 do t[i] = ('x'):rep(i) end redis.call('set', 'big', #table.concat(t))",
  "redis.call('del', redis.call('randomkey') or 'none')",
];

/** Each key with its value, in bytes, as this node has them. */
async function dumpAll(client: RespClient): Promise<Decoded[]> {
  await client.command("CLIENT", "CONSISTENCY", "stale");
  const keys = (await client.command("KEYS", "*") as string[]).sort();
  return Promise.all(keys.map(async (key) => [key, await client.command("DUMP", key)]));
}

test("random scripts leave the same on every node", async () => {
  const seed = Number(process.env.BALSA_SEED ?? Date.now() >>> 0);
  console.log(`seed ${seed}`);
  const prng = new Prng(seed);
  let clients = await connect();
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < 80; i++) {
      let script = "redis.pcall('sadd', 'set', 1) ";
      for (let left = prng.below(5); left >= 0; left--) {
        script += PIECES[prng.below(PIECES.length)] + " ";
      }
      await clients[prng.below(3)].command("EVAL", script, "0", String(i));
    }
    // One that starts anew has none of what the others have in memory.
    const node = trio.cluster.nodes[round];
    await node.kill9();
    for (const each of clients) each.close();
    node.start();
    await allThere();
    clients = await connect();
  }
  await clients[0].command("SET", "last", "one");
  await trio.cluster.converged();
  const contents = await Promise.all(clients.map(dumpAll));
  expect(contents[0].length).toBeGreaterThan(0);
  for (const each of contents) expect(each).toEqual(contents[0]);
  for (const each of clients) each.close();
}, LONG);
