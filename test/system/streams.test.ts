import { describe, expect, test } from "bun:test";
import { blocked, compareConversations } from "./conversation.ts";
import { type Decoded, RespClient } from "./resp_client.ts";
import { Trio } from "./trio.ts";

const trio = new Trio();

const SCRIPTS: Readonly<Record<string, string>> = {
  "XREAD": `
    p: FLUSHALL
    a> XREAD BLOCK 0 STREAMS s $
    a!
    b> XREAD COUNT 1 BLOCK 0 STREAMS t s 0 $
    b!
    p: XADD s 1-1 f v
    a< 1
    b< 1
    a> XREAD BLOCK 0 STREAMS t s 0 1-5
    a!
    p: XADD s 1-2 f v
    p: DEL s
    p: LPUSH s x
    p: DEL s
    p: XADD s 2-1 f v
    a< 1
    a> XREAD BLOCK 0 STREAMS s $
    a!
    p: MULTI
    p: XADD s 3-1 f v
    p: XADD s 3-2 f v
    p: EXEC
    a< 1
    a> XREAD BLOCK 0 STREAMS u u $ 5
    a!
    p: XGROUP CREATE u g $ MKSTREAM
    p: XADD u 6-0 f v
    a< 1
    p: MULTI
    p: XREAD BLOCK 0 STREAMS s $
    p: EXEC
    B: XREAD BLOCK 10 STREAMS s $`,
  "XREADGROUP: first come, first served": `
    p: FLUSHALL
    p: XGROUP CREATE s g $ MKSTREAM
    a> XREADGROUP GROUP g ann BLOCK 0 STREAMS s >
    a!
    b> XREADGROUP GROUP g bob COUNT 5 BLOCK 0 STREAMS s >
    b!
    c> XREADGROUP GROUP g ann NOACK BLOCK 0 STREAMS s >
    c!
    p: XADD s 1-1 f v
    a< 1
    p: XADD s 1-2 f v
    b< 1
    p: XADD s 1-3 f v
    c< 1
    p: XPENDING s g
    p: XINFO GROUPS s
    p: XADD s 1-4 f v
    a: XREADGROUP GROUP g ann BLOCK 0 STREAMS s >
    a: XREADGROUP GROUP g ann BLOCK 0 STREAMS s 0
    p: MULTI
    p: XREADGROUP GROUP g ann BLOCK 0 STREAMS s >
    p: EXEC
    B: XREADGROUP GROUP g ann BLOCK 10 STREAMS s >`,
  "XREADGROUP: the group or the stream goes": `
    p: FLUSHALL
    p: XGROUP CREATE s g $ MKSTREAM
    p: XGROUP CREATE s h $
    a> XREADGROUP GROUP g ann BLOCK 0 STREAMS s >
    a!
    b> XREADGROUP GROUP h bob BLOCK 0 STREAMS s >
    b!
    p: XGROUP DESTROY s g
    a< 1
    p: DEL s
    b< 1
    p: XGROUP CREATE s g $ MKSTREAM
    a> XREADGROUP GROUP g ann BLOCK 0 STREAMS s >
    a!
    p: SET s text
    a< 1
    p: DEL s
    p: XGROUP CREATE s g $ MKSTREAM
    a> XREADGROUP GROUP g ann BLOCK 0 STREAMS s >
    a!
    p: MULTI
    p: DEL s
    p: SADD s member
    p: EXEC
    a< 1
    p: DEL s
    p: XGROUP CREATE s g $ MKSTREAM
    a> XREADGROUP GROUP g ann BLOCK 0 STREAMS s >
    a!
    p: FLUSHALL
    a< 1`,
  "XREADGROUP: another stream takes the name": `
    p: FLUSHALL
    p: XGROUP CREATE s g $ MKSTREAM
    p: XADD t 1-1 f v
    p: XGROUP CREATE t g 0
    a> XREADGROUP GROUP g ann BLOCK 0 STREAMS s >
    a!
    p: RENAME t s
    a< 1
    p: XADD u 2-1 f v
    a> XREADGROUP GROUP g ann BLOCK 0 STREAMS s >
    a!
    p: RENAME u s
    a< 1`,
  "stream-node-max-entries of the client's node": `
    p: FLUSHALL
    p: CONFIG SET stream-node-max-entries 2
    p: XADD s 1 f v
    p: XADD s 2 f v
    p: MULTI
    p: XADD s 3 f v
    p: XADD s MAXLEN ~ 1 LIMIT 2 4 f v
    p: EXEC
    p: XADD s 5 f v
    p: XINFO STREAM s
    p: XTRIM s MAXLEN ~ 0 LIMIT 1
    p: XTRIM s MAXLEN ~ 0 LIMIT 2
    p: XTRIM s MAXLEN 5 LIMIT 5
    p: XADD s NODELIMITS
    p: XADD s 6
    p: CONFIG SET stream-node-max-entries 0 stream-node-max-bytes 64
    p: XADD s 6 f v
    p: XADD s 7 f v
    p: XADD s 8 f aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
    p: XADD s 9 f v
    p: XINFO STREAM s
    p: XTRIM s MINID ~ 8
    p: CONFIG SET stream-node-max-entries 100 stream-node-max-bytes 4096
    p: XADD s 10 f v
    q: XINFO STREAM s FULL`,
  "WATCH minds entries, not groups": `
    p: FLUSHALL
    p: XADD s 1-1 f v
    p: XGROUP CREATE s g 0
    w: WATCH s
    p: XGROUP CREATE s h 0
    p: XREADGROUP GROUP g ann STREAMS s >
    p: XCLAIM s g bob 0 1-1 JUSTID
    p: XACK s g 1-1
    p: XSETID s 5-5
    w: MULTI
    w: PING
    w: EXEC
    w: WATCH s
    p: XDEL s 1-1
    w: MULTI
    w: PING
    w: EXEC
    w: WATCH s
    p: XADD s 6-1 f v
    w: MULTI
    w: PING
    w: EXEC`,
};

describe("as redis-server has it", () => {
  for (const [name, script] of Object.entries(SCRIPTS)) {
    test(name, () => compareConversations([trio.balsa.port], trio.redis.port, script));
    test(`${name}, each connection at another node`, () =>
      compareConversations(trio.ports, trio.redis.port, script));
  }
});

/** What XREAD and XREADGROUP answer with one entry. */
function entry(id: string): Decoded {
  return [["jobs", [[id, ["f", "v"]]]]];
}

test("XREAD from +, of Redis 7.4: the last entry, or what comes next", async () => {
  const [first, ...others] = await Promise.all(
    trio.cluster.nodes.map(({ port }) => RespClient.open(port)),
  );
  for (const client of others) {
    await first.command("DEL", "plus");
    expect(await client.command("XREAD", "STREAMS", "plus", "+")).toBeNull();
    await first.command("XADD", "plus", "1-1", "f", "v");
    await first.command("XADD", "plus", "1-2", "f", "v");
    const last = [["plus", [["1-2", ["f", "v"]]]]] as Decoded;
    expect(await client.command("XREAD", "COUNT", "3", "STREAMS", "plus", "+")).toEqual(last);
    expect(await client.command("XREAD", "BLOCK", "0", "STREAMS", "plus", "+")).toEqual(last);
    await first.command("XDEL", "plus", "1-2");
    const before = [["plus", [["1-1", ["f", "v"]]]]] as Decoded;
    expect(await client.command("XREAD", "STREAMS", "plus", "+")).toEqual(before);
    await first.command("XDEL", "plus", "1-1");
    expect(await client.command("XREAD", "STREAMS", "plus", "+")).toBeNull();
  }
  const waiting = await blocked(
    trio.cluster.nodes[1].port,
    ..."XREAD BLOCK 0 STREAMS plus +".split(" "),
  );
  await first.command("XADD", "plus", "1-3", "f", "v");
  expect(await waiting.read()).toEqual([["plus", [["1-3", ["f", "v"]]]]]);
  for (const client of [first, ...others, waiting]) client.close();
});

test("a failover loses and doubles nothing, and keeps the order", async () => {
  const leader = await trio.cluster.leader();
  const [one, two] = await trio.cluster.followers();
  const pusher = await RespClient.open(two.port);
  await pusher.command("XGROUP", "CREATE", "jobs", "g", "$", "MKSTREAM");
  const wait = (port: number, consumer: string) =>
    blocked(port, "XREADGROUP", "GROUP", "g", consumer, "BLOCK", "0", "STREAMS", "jobs", ">");
  const clients = [
    await wait(one.port, "ann"),
    await wait(leader.port, "gone"),
    await wait(two.port, "bob"),
  ];
  const reader = await blocked(one.port, "XREAD", "BLOCK", "0", "STREAMS", "jobs", "$");
  await leader.kill9();
  await pusher.command("XADD", "jobs", "1-1", "f", "v");
  expect(await clients[0].read()).toEqual(entry("1-1"));
  expect(await reader.read()).toEqual(entry("1-1"));
  await pusher.command("XADD", "jobs", "1-2", "f", "v");
  expect(await clients[2].read()).toEqual(entry("1-2"));
  const pending = [2, "1-1", "1-2", [["ann", "1"], ["bob", "1"]]];
  expect(await pusher.command("XPENDING", "jobs", "g")).toEqual(pending);
  leader.start();
  await trio.cluster.converged();
  for (const node of trio.cluster.nodes) {
    const client = await RespClient.open(node.port);
    expect(await client.command("XPENDING", "jobs", "g")).toEqual(pending);
    client.close();
  }
  for (const client of [...clients, reader, pusher]) client.close();
});

test("XINFO tells a consumer's last use, and its last that gave it an entry", async () => {
  const client = await RespClient.open(trio.balsa.port);
  const command = (line: string) => client.command(...line.split(" "));
  const field = (list: unknown, name: string) => {
    const fields = list as unknown[];
    return fields[fields.indexOf(name) + 1];
  };
  const consumers = async (key: string) => {
    const found = await command(`XINFO CONSUMERS ${key} g`) as unknown[];
    return Object.fromEntries(found.map((each) => [field(each, "name"), each]));
  };
  await command("FLUSHALL");
  await command("XGROUP CREATE s g 0 MKSTREAM");
  await command("XGROUP CREATECONSUMER s g idle");
  await command("XADD s 1-1 f v");
  for (const name of ["ann", "bob"]) {
    await command(`XREADGROUP GROUP g ${name} COUNT 1 STREAMS s >`);
    await command("XADD s 2-1 f v");
  }
  await command("XREADGROUP GROUP g ann STREAMS s 0");
  await command("XCLAIM s g claimer 0 1-1");
  const { ann, idle, claimer } = await consumers("s");
  expect(field(idle, "inactive")).toBe(-1);
  expect(field(ann, "inactive")).toBeGreaterThanOrEqual(field(ann, "idle") as number);
  expect(field(claimer, "inactive")).toBe(field(claimer, "idle") as number);
  const times = async () => {
    const [group] = field(await command("XINFO STREAM s FULL"), "groups") as unknown[];
    const found = field(group, "consumers") as unknown[];
    return found.map((each) => [field(each, "seen-time"), field(each, "active-time")]);
  };
  const before = await times();
  expect(before.map(([seen, active]) => [active === -1, active === seen])).toEqual(
    [[false, false], [false, true], [false, true], [true, false]],
  );
  await command("COPY s t");
  await command("DEL s");
  await command("RENAME t s");
  expect(await times()).toEqual(before);
  client.close();
});
