import { afterAll, beforeAll, expect, test } from "bun:test";
import type { Bytes } from "../../src/base/bytes.ts";
import { BALSA_VERSION, PUBLISH_BYTES_MAX, REDIS_VERSION } from "../../src/constants.ts";
import { err, ErrorReply, MapReply, OK, VerbatimReply } from "../../src/resp/reply.ts";
import { RealRedis } from "../compat/real_redis.ts";
import { type FakeClient, FakeNode, NOW_US } from "./fake_views.ts";

let locked: RealRedis;

beforeAll(async () => {
  locked = await RealRedis.start("--requirepass", "secret");
});
afterAll(() => locked.stop());

function textOf(reply: unknown): Bytes {
  if (reply instanceof VerbatimReply || reply instanceof ErrorReply) return reply.text;
  throw new Error(`not a text: ${reply}`);
}

/** A node with a password, and a connection that has not given it. */
function lockedNode(): { node: FakeNode; client: FakeClient } {
  const node = new FakeNode();
  node.config.set([["requirepass", "secret"]]);
  const client = node.connect();
  client.authenticated = false;
  return { node, client };
}

test("a node with a password answers as Redis does", async () => {
  const conversations: readonly (readonly (readonly Bytes[])[])[] = [
    [["HELLO"], ["HELLO", "3"], ["HELLO", "9"], ["HELLO", "3", "SETNAME", "a"]],
    [["HELLO", "3", "AUTH", "default", "wrong"], ["AUTH", "wrong"], ["AUTH", "secret"]],
    [["AUTH", "default", "secret"], ["CLIENT", "GETNAME"]],
    [["AUTH", "other", "secret"], ["AUTH", "default", "secret", "x"], ["QUIT"]],
    [["HELLO", "2", "AUTH", "default", "secret", "SETNAME", "a b"], ["ACL", "WHOAMI"]],
    [["AUTH", "secret"], ["AUTH", "wrong"], ["ECHO", "still here"]],
  ];
  for (const conversation of conversations) {
    const real = await locked.connect();
    const { node, client } = lockedNode();
    for (const argv of conversation) {
      expect(await node.runRaw(client, argv)).toBe(await real.send(argv) ?? "");
    }
    real.close();
  }
});

test("HELLO tells and changes the connection", async () => {
  const node = new FakeNode();
  const client = node.connect();
  const reply = await node.run(client, ["HELLO", "3", "SETNAME", "me"]);
  expect(client.protocol).toBe(3);
  expect(client.name).toBe("me");
  expect(reply).toEqual(
    new MapReply([
      ["server", "redis"],
      ["version", REDIS_VERSION],
      ["proto", 3],
      ["id", client.id],
      ["mode", "standalone"],
      ["role", "master"],
      ["modules", []],
    ]),
  );
  await node.run(client, ["HELLO"]);
  expect(client.protocol).toBe(3);
  await node.run(client, ["HELLO", "2", "SETNAME", "a b"]);
  expect([client.protocol, client.name]).toEqual([3, "me"]);
});

test("HELLO has the shape of Redis's", async () => {
  const real = await locked.connect();
  const argv = ["HELLO", "3", "AUTH", "default", "secret"];
  const { node, client } = lockedNode();
  const expected = (await real.send(argv) ?? "")
    .replace("$6\r\n7.0.15\r\n", `$5\r\n${REDIS_VERSION}\r\n`).replace(/id\r\n:\d+/, "id\r\n:1");
  expect(await node.runRaw(client, argv)).toBe(expected);
  expect(client.authenticated).toBe(true);
  real.close();
});

test("SELECT, RESET and QUIT act on the connection", async () => {
  const node = new FakeNode();
  const client = node.connect();
  await node.run(client, ["SELECT", "7"]);
  expect(client.db).toBe(7);
  await node.run(client, ["RESET"]);
  expect(client.db).toBe(0);
  await node.run(client, ["QUIT"]);
  expect(client.closed).toBe("later");
});

test("PUBLISH takes no message that other nodes could not be given", async () => {
  const node = new FakeNode();
  const publish = (name: string, bytes: number) =>
    node.run(node.connect(), [name, "channel", "x".repeat(bytes)]);
  const longest = PUBLISH_BYTES_MAX - "channel".length;
  expect(await publish("PUBLISH", longest)).toBe(0);
  for (const name of ["PUBLISH", "SPUBLISH"]) {
    expect(textOf(await publish(name, longest + 1))).toMatch(/^ERR message exceeds the limit of /);
  }
});

test("PING answers a RESP2 subscriber with an array", async () => {
  const node = new FakeNode();
  const client = node.connect();
  client.type = "pubsub";
  expect(await node.run(client, ["PING"])).toEqual(["pong", ""]);
  expect(await node.run(client, ["PING", "x"])).toEqual(["pong", "x"]);
  client.protocol = 3;
  expect(await node.run(client, ["PING", "x"])).toBe("x");
});

test("CLIENT names, switches and reply modes", async () => {
  const node = new FakeNode();
  const client = node.connect();
  await node.run(client, ["CLIENT", "SETNAME", "me"]);
  expect(await node.run(client, ["CLIENT", "GETNAME"])).toBe("me");
  await node.run(client, ["CLIENT", "SETNAME", ""]);
  expect(await node.run(client, ["CLIENT", "GETNAME"])).toBeNull();
  await node.run(client, ["CLIENT", "SETINFO", "LIB-NAME", "lib"]);
  await node.run(client, ["CLIENT", "SETINFO", "lib-ver", "1.0"]);
  expect([client.libName, client.libVersion]).toEqual(["lib", "1.0"]);
  expect(await node.run(client, ["CLIENT", "SETINFO", "foo", "x"])).toEqual(
    err("Unrecognized option 'foo'"),
  );
  expect(await node.run(client, ["CLIENT", "SETINFO", "lib-name", "a b"])).toEqual(
    err("lib-name cannot contain spaces, newlines or special characters."),
  );
  await node.run(client, ["CLIENT", "NO-EVICT", "on"]);
  await node.run(client, ["CLIENT", "NO-TOUCH", "ON"]);
  expect([client.noEvict, client.noTouch]).toEqual([true, true]);
  await node.run(client, ["CLIENT", "REPLY", "skip"]);
  expect(client.replyMode).toBe("skip");
  const replyMode = async (...modes: Bytes[]): Promise<string> => {
    client.replyMode = "on";
    for (const mode of modes) await node.run(client, ["CLIENT", "REPLY", mode]);
    return client.replyMode;
  };
  expect(await replyMode("OFF", "SKIP")).toBe("off");
  expect(await replyMode("OFF", "ON")).toBe("on");
  await node.run(client, ["CLIENT", "PAUSE", "100", "WRITE"]);
  expect(node.paused).toEqual([100, "write"]);
  await node.run(client, ["CLIENT", "UNPAUSE"]);
  expect(node.paused).toEqual([0, "all"]);
});

test("CLIENT LIST has Redis's fields in Redis's order", async () => {
  const real = await locked.connect();
  await real.send(["AUTH", "secret"]);
  const theirs = fieldNames((await real.send(["CLIENT", "LIST"]) ?? "").split(/\r?\n/)[1]);
  const node = new FakeNode();
  const ours = fieldNames(textOf(await node.run(node.connect(), ["CLIENT", "LIST"])));
  expect(ours).toEqual([...theirs, "lib-name", "lib-ver"]);
  real.close();
});

function fieldNames(line: string): string[] {
  return line.trim().split(" ").map((field) => field.split("=")[0]);
}

test("CLIENT LIST and INFO tell what is known", async () => {
  const node = new FakeNode();
  const [first, second] = [node.connect(), node.connect()];
  second.name = "two";
  second.libName = "lib";
  second.type = "pubsub";
  second.outputBufferBytes = 10;
  const line = `id=2 addr=127.0.0.1:50002 laddr=127.0.0.1:6379 fd=-1 name=two age=5 idle=1 ` +
    `flags=P db=0 sub=0 psub=0 ssub=0 multi=-1 qbuf=0 qbuf-free=0 argv-mem=0 multi-mem=0 rbs=0 ` +
    `rbp=0 obl=0 oll=1 omem=10 tot-mem=10 events=r cmd=NULL user=default redir=-1 resp=2 ` +
    `lib-name=lib lib-ver=\n`;
  expect(textOf(await node.run(first, ["CLIENT", "LIST", "ID", "2"]))).toBe(line);
  expect(textOf(await node.run(first, ["CLIENT", "LIST", "TYPE", "PubSub"]))).toBe(line);
  expect(textOf(await node.run(first, ["CLIENT", "LIST"])).split("\n").length).toBe(3);
  const info = textOf(await node.run(first, ["CLIENT", "INFO"]));
  expect(info).toStartWith("id=1 ");
  expect(info).toContain(" cmd=client|info ");
});

test("CLIENT KILL closes those that fit every filter", async () => {
  const node = new FakeNode();
  const [me, other, subscriber] = [node.connect(), node.connect(), node.connect()];
  subscriber.type = "pubsub";
  const closed = () => node.all.map((client) => client.closed);
  expect(await node.run(me, ["CLIENT", "KILL", "TYPE", "pubsub", "ID", "2"])).toBe(0);
  expect(await node.run(me, ["CLIENT", "KILL", "ID", "1"])).toBe(0);
  expect(closed()).toEqual([undefined, undefined, undefined]);
  expect(await node.run(me, ["CLIENT", "KILL", other.remoteAddress])).toBe(OK);
  expect(closed()).toEqual([undefined, "now", undefined]);
  expect(await node.run(me, ["CLIENT", "KILL", "USER", "default", "TYPE", "pubsub"])).toBe(1);
  expect(closed()).toEqual([undefined, "now", "now"]);
  expect(await node.run(me, ["CLIENT", "KILL", "SKIPME", "no", "LADDR", me.localAddress])).toBe(3);
  expect(closed()).toEqual(["later", "now", "now"]);
});

test("TIME, LASTSAVE and LOLWUT", async () => {
  const node = new FakeNode();
  const client = node.connect();
  expect(await node.run(client, ["TIME"])).toEqual(["1700000000", "123456"]);
  expect(await node.run(client, ["LASTSAVE"])).toBe(1_700_000_000);
  expect(textOf(await node.run(client, ["LOLWUT", "VERSION", "5"]))).toBe("Redis ver. 7.2.0\n");
  expect(BALSA_VERSION).not.toBe(REDIS_VERSION);
});

test("SLOWLOG GET counts, newest first", async () => {
  const node = new FakeNode();
  const client = node.connect();
  for (let id = 11; id >= 0; id--) {
    node.slowLog.entries.push({
      id,
      atMs: NOW_US / 1000,
      durationUs: 12.5,
      argv: ["GET", "a"],
      remoteAddress: "127.0.0.1:1",
      clientName: "me",
    });
  }
  const first = [11, 1_700_000_000, 12, ["GET", "a"], "127.0.0.1:1", "me"];
  expect(await node.run(client, ["SLOWLOG", "GET", "1"])).toEqual([first]);
  expect(await node.run(client, ["SLOWLOG", "GET"])).toHaveLength(10);
  expect(await node.run(client, ["SLOWLOG", "GET", "-1"])).toHaveLength(12);
  expect(await node.run(client, ["SLOWLOG", "LEN"])).toBe(12);
});

test("INFO asks for each section once, in lower case", async () => {
  const node = new FakeNode();
  const client = node.connect();
  await node.run(client, ["INFO"]);
  expect(node.infoAsked).toEqual(["default"]);
  await node.run(client, ["INFO", "Server", "RAFT", "server"]);
  expect(node.infoAsked).toEqual(["server", "raft"]);
});

test("SHUTDOWN, DEBUG SLEEP, ROLE and WAIT ask the node", async () => {
  const node = new FakeNode();
  const client = node.connect();
  const answer = await node.run(client, ["SHUTDOWN", "NOSAVE", "NOW", "FORCE"]);
  expect(answer).toEqual(err("shutdown was asked for"));
  await node.run(client, ["DEBUG", "SLEEP", "0.25"]);
  expect(node.sleptMs).toBe(250);
  node.role = { role: "master", offset: 7, replicas: [{ host: "h", port: 1, offset: 6 }] };
  expect(await node.run(client, ["ROLE"])).toEqual(["master", 7, [["h", "1", "6"]]]);
  node.role = { role: "slave", leaderHost: "h", leaderPort: 1, state: "connected", offset: 6 };
  expect(await node.run(client, ["ROLE"])).toEqual(["slave", "h", 1, "connected", 6]);
  expect(await node.run(client, ["WAIT", "3", "10"])).toBe(0);
  expect(textOf(await node.run(client, ["REPLICAOF", "host", "1"]))).toStartWith("ERR a Balsa");
});
