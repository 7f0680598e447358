import { afterAll, beforeAll, expect, test } from "bun:test";
import { createServer, type Server as TcpServer, type Socket } from "node:net";
import { TestCluster } from "./cluster_harness.ts";
import { cleanupAll, freePort, type Server, startBalsa, startRedis, until } from "./harness.ts";
import { type Decoded, RespClient, RespError } from "./resp_client.ts";

let balsa: Server;
let other: Server;
let redis: Server;
let here: RespClient;
let there: RespClient;
let real: RespClient;

beforeAll(async () => {
  [balsa, other, redis] = await Promise.all([startBalsa(), startBalsa(), startRedis()]);
  [here, there, real] = await Promise.all(
    [balsa, other, redis].map(({ port }) => RespClient.open(port)),
  );
});

afterAll(cleanupAll);

const HOST = "127.0.0.1";

function textOf(reply: Decoded): string {
  expect(reply).toBeInstanceOf(RespError);
  return (reply as RespError).text;
}

async function empty(): Promise<void> {
  for (const client of [here, there, real]) await client.command("FLUSHALL");
}

/** A key of each type, and one that expires. */
const EXAMPLES: readonly (readonly string[])[] = [
  ["SET", "string", "a\r\n\0\xff"],
  ["SET", "number", "12345"],
  ["SET", "expires", "soon", "PX", "100000"],
  ["RPUSH", "list", "a", "1", "x".repeat(10_000)],
  ["SADD", "numbers", "1", "2", "70000"],
  ["SADD", "set", "member"],
  ["ZADD", "zset", "1.5", "a", "-inf", "b"],
  ["HSET", "hash", "f", "v", "g", "2"],
  ["XADD", "stream", "1-1", "f", "v"],
  ["XGROUP", "CREATE", "stream", "group", "0"],
  ["XREADGROUP", "GROUP", "group", "consumer", "STREAMS", "stream", ">"],
];
const NAMES = [
  ...new Set(EXAMPLES.map((argv) => argv[0] === "XGROUP" ? argv[2] : argv[1])),
].filter((name) => name !== "GROUP");

test("every type of value goes to Redis, to Balsa and back", async () => {
  await empty();
  for (const argv of EXAMPLES) await here.command(...argv);
  const dumps = () => Promise.all(NAMES.map((name) => here.command("DUMP", name)));
  const before = await dumps();
  for (const [target, port] of [[real, redis.port], [there, other.port]] as const) {
    const out = ["MIGRATE", HOST, `${port}`, "", "3", "5000", "KEYS", ...NAMES];
    expect(await here.command(...out)).toBe("OK");
    expect(await here.command("DBSIZE")).toBe(0);
    await target.command("SELECT", "3");
    expect(await target.command("DBSIZE")).toBe(NAMES.length);
    expect(Number(await target.command("PTTL", "expires"))).toBeWithin(90_000, 100_001);
    expect(await target.command("PTTL", "string")).toBe(-1);
    const back = ["MIGRATE", HOST, `${balsa.port}`, "", "0", "5000", "KEYS", ...NAMES];
    expect(await target.command(...back)).toBe("OK");
    expect(await target.command("DBSIZE")).toBe(0);
    await target.command("SELECT", "0");
    expect(await dumps()).toEqual(before);
  }
});

test("COPY keeps, BUSYKEY refuses one of many, REPLACE does not, missing keys are left out", async () => {
  await empty();
  const to = (...more: string[]) => here.command("MIGRATE", HOST, `${redis.port}`, ...more);
  expect(await to("none", "0", "1000")).toBe("NOKEY");
  expect(await to("", "0", "1000", "KEYS", "none", "neither")).toBe("NOKEY");
  await here.command("MSET", "a", "1", "b", "2", "c", "3");
  expect(await to("a", "0", "1000", "COPY")).toBe("OK");
  expect(await here.command("GET", "a")).toBe("1");
  expect(await real.command("GET", "a")).toBe("1");
  const busy = "ERR Target instance replied with error: BUSYKEY Target key name already exists.";
  expect(textOf(await to("", "0", "1000", "KEYS", "b", "a", "none", "c"))).toBe(busy);
  expect(await here.command("KEYS", "*")).toEqual(["a"]);
  expect(await real.command("DBSIZE")).toBe(3);
  await here.command("SET", "a", "new");
  expect(await to("", "0", "1000", "REPLACE", "KEYS", "a", "a")).toBe("OK");
  expect(await here.command("EXISTS", "a")).toBe(0);
  expect(await real.command("GET", "a")).toBe("new");
});

test("wrong requests are refused as by Redis", async () => {
  await empty();
  for (
    const argv of [
      ["MIGRATE", HOST, "1", "key", "0"],
      ["MIGRATE", HOST, "1", "key", "0", "x"],
      ["MIGRATE", HOST, "1", "key", "x", "0"],
      ["MIGRATE", HOST, "1", "key", "0", "0", "NONSENSE"],
      ["MIGRATE", HOST, "1", "key", "0", "0", "AUTH"],
      ["MIGRATE", HOST, "1", "key", "0", "0", "AUTH2", "user"],
      ["MIGRATE", HOST, "1", "key", "0", "0", "KEYS", "a"],
      ["MIGRATE", HOST, "1", "", "0", "0", "KEYS"],
      ["MIGRATE", HOST, "1", "key", "0", "0", "COPY", "REPLACE", "AUTH2", "KEYS", "b"],
      ["COMMAND", "GETKEYS", "MIGRATE", HOST, "1", "key", "0", "0"],
      ["COMMAND", "GETKEYS", "MIGRATE", HOST, "1", "", "0", "0", "AUTH", "KEYS", "KEYS", "a", "b"],
      ["COMMAND", "GETKEYSANDFLAGS", "MIGRATE", HOST, "1", "", "0", "0", "KEYS", "a", "b"],
    ]
  ) {
    expect(await here.command(...argv)).toEqual(await real.command(...argv));
  }
  for (const [argv, word] of [[["MULTI"], "transaction"], [["EVAL"], "script"]] as const) {
    if (argv[0] === "MULTI") {
      await here.command("MULTI");
      expect(textOf(await here.command("MIGRATE", HOST, "1", "key", "0", "0"))).toContain(word);
      expect(textOf(await here.command("EXEC"))).toStartWith("EXECABORT");
    } else {
      const script = "return redis.call('MIGRATE', '127.0.0.1', '1', 'key', '0', '0')";
      expect(textOf(await here.command("EVAL", script, "0"))).toContain(word);
    }
  }
});

test("a target that cannot be reached, or has no such database", async () => {
  await empty();
  await here.command("SET", "key", "value");
  await real.command("SET", "key", "value");
  const down = await freePort();
  for (const [host, port] of [[HOST, `${down}`], [HOST, "0"], [HOST, "99999"], ["", "1"]]) {
    const argv = ["MIGRATE", host, port, "key", "0", "1000"];
    const text = textOf(await here.command(...argv));
    expect(text).toBe("IOERR error or timeout connecting to the client");
    if (host !== "" && port !== "99999") {
      expect(textOf(await real.command(...argv))).toStartWith("IOERR error or timeout ");
    }
  }
  const noDatabase = textOf(
    await here.command("MIGRATE", HOST, `${redis.port}`, "key", "99", "1000"),
  );
  expect(noDatabase).toBe(
    "ERR Target instance replied with error: ERR DB index is out of range",
  );
  expect(await here.command("EXISTS", "key")).toBe(1);
});

/** A server that does as it is told with what it receives. */
async function target(receive: (socket: Socket, text: string) => void): Promise<TcpServer> {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.on("data", (chunk) => receive(socket, chunk.toString("latin1")));
  });
  await new Promise<void>((resolve) => server.listen(0, HOST, resolve));
  return server;
}

function portOf(server: TcpServer): string {
  return String((server.address() as { port: number }).port);
}

test("a target that is silent, ends, or answers anything but OK", async () => {
  await empty();
  await here.command("MSET", "key", "value", "other", "value");
  const failed = /^IOERR error or timeout (reading|writing) to target instance$/;
  const reading = "IOERR error or timeout reading to target instance";
  const cases: readonly (readonly [(socket: Socket, text: string) => void, string | RegExp])[] = [
    [() => {}, reading],
    [(socket) => socket.destroy(), reading],
    [(socket) => socket.write("nonsense\r\n"), reading],
    [(socket) => socket.write("+OK\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n"), failed],
    [(socket) => socket.write("$-1\r\n"), /replied with error: the reply is not OK/],
    [(socket) => socket.write("$1000000000\r\n" + "x".repeat(200_000)), reading],
    [
      (socket, text) => socket.write(text.includes("SELECT") ? "+OK\r\n" : ":1\r\n"),
      /not OK|IOERR/,
    ],
  ];
  for (const [receive, expected] of cases) {
    const server = await target(receive);
    const startMs = performance.now();
    const reply = textOf(
      await here.command("MIGRATE", HOST, portOf(server), "", "0", "300", "KEYS", "key", "other"),
    );
    if (typeof expected === "string") expect(reply).toBe(expected);
    else expect(reply).toMatch(expected);
    expect(performance.now() - startMs).toBeLessThan(5000);
    expect(await here.command("EXISTS", "key", "other")).toBe(2);
    server.close();
  }
});

test("only what the target has answered OK for is deleted when it ends", async () => {
  await empty();
  await here.command("MSET", "key", "value", "other", "value");
  const server = await target((socket, text) => {
    if (text.includes("SELECT")) socket.write("+OK\r\n");
    else socket.end("+OK\r\n");
  });
  const reply = await here.command(
    ...["MIGRATE", HOST, portOf(server), "", "0", "1000", "KEYS", "key", "other"],
  );
  expect(textOf(reply)).toBe("IOERR error or timeout reading to target instance");
  expect(await here.command("KEYS", "*")).toEqual(["other"]);
  server.close();
});

test("a key that changes before the target has answered stays", async () => {
  await empty();
  const changes: readonly (readonly string[])[] = [
    ["SET", "key", "other"],
    ["APPEND", "key", "s"],
    ["EXPIRE", "key", "100"],
    ["DEL", "key"],
    ["FLUSHALL"],
  ];
  const client = await RespClient.open(balsa.port);
  for (const change of changes) {
    await here.command("MSET", "key", "value", "unchanged", "value");
    const server = await target((socket, text) => {
      if (text.includes("SELECT")) socket.write("+OK\r\n");
      else void client.command(...change).then(() => socket.write("+OK\r\n+OK\r\n"));
    });
    const reply = await here.command(
      ...["MIGRATE", HOST, portOf(server), "", "0", "5000", "KEYS", "unchanged", "key"],
    );
    expect(textOf(reply)).toContain("it has changed here meanwhile and was not deleted");
    expect(await here.command("EXISTS", "unchanged")).toBe(0);
    expect(await here.command("EXISTS", "key")).toBe(/DEL|FLUSH/.test(change[0]) ? 0 : 1);
    server.close();
  }
  // What goes on in the groups of a stream is no change to WATCH.
  await here.command("XADD", "stream", "1-1", "f", "v");
  await here.command("XGROUP", "CREATE", "stream", "group", "0");
  const reading = ["XREADGROUP", "GROUP", "group", "consumer", "STREAMS", "stream", ">"];
  for (const isRead of [true, false]) {
    const server = await target((socket, text) => {
      if (text.includes("SELECT")) socket.write("+OK\r\n");
      else if (!isRead) socket.write("+OK\r\n");
      else void client.command(...reading).then(() => socket.write("+OK\r\n"));
    });
    const argv = ["MIGRATE", HOST, portOf(server), "stream", "0", "5000"];
    const reply = await here.command(...argv);
    if (isRead) expect(textOf(reply)).toContain("has changed");
    else expect(reply).toBe("OK");
    expect(await here.command("EXISTS", "stream")).toBe(isRead ? 1 : 0);
    server.close();
  }
  // To itself: what is here then is what was restored.
  await here.command("SET", "key", "value");
  const self = ["MIGRATE", HOST, `${balsa.port}`, "key", "0", "5000"];
  expect(textOf(await here.command(...self))).toContain("BUSYKEY");
  expect(textOf(await here.command(...self, "REPLACE"))).toContain("has changed");
  expect(await here.command("GET", "key")).toBe("value");
  client.close();
});

test("passwords: of the default user and of another, right and wrong; told to nobody", async () => {
  await empty();
  await real.command("ACL", "SETUSER", "mover", "on", ">secret", "~*", "+@all");
  await real.command("CONFIG", "SET", "requirepass", "password");
  await real.command("CLIENT", "KILL", "TYPE", "normal");
  const monitor = await RespClient.open(balsa.port);
  await monitor.command("MONITOR");
  await here.command("CONFIG", "SET", "slowlog-log-slower-than", "0");
  const run = async (...auth: string[]) => {
    await here.command("SET", "key", "value");
    return await here.command(
      ...["MIGRATE", HOST, `${redis.port}`, "key", "0", "1000", "REPLACE", ...auth],
    );
  };
  expect(await run("AUTH", "password")).toBe("OK");
  expect(textOf(await run())).toContain("NOAUTH");
  expect(textOf(await run("AUTH", "wrong"))).toContain("WRONGPASS");
  expect(textOf(await run("AUTH2", "mover", "wrong"))).toContain("WRONGPASS");
  expect(await here.command("EXISTS", "key")).toBe(1);
  expect(await run("AUTH2", "mover", "secret")).toBe("OK");
  expect(await here.command("EXISTS", "key")).toBe(0);
  await real.command("ACL", "SETUSER", "mover", "resetpass", ">changed");
  expect(textOf(await run("AUTH2", "mover", "secret"))).toContain("WRONGPASS");
  await until(() => Promise.resolve(monitor.unread.includes("AUTH2")), "the monitor to be told");
  const told = monitor.unread + JSON.stringify(await here.command("SLOWLOG", "GET", "100"));
  expect(told).not.toMatch(/password|secret|mover|wrong/);
  expect(told).not.toMatch(/dump|exec|del"/i);
  expect(monitor.unread).toContain('"AUTH2" "(redacted)" "(redacted)"');
  await real.command("CONFIG", "SET", "requirepass", "");
  await here.command("CONFIG", "SET", "slowlog-log-slower-than", "10000");
  monitor.close();
});

test("users need the right to read and to write each key", async () => {
  await empty();
  await here.command("ACL", "SETUSER", "mover", "on", "nopass", "+@all", "~rw", "%R~r", "%W~w");
  const client = await RespClient.open(balsa.port);
  await client.command("AUTH", "mover", "");
  const run = (...more: string[]) => client.command("MIGRATE", HOST, `${redis.port}`, ...more);
  await here.command("MSET", "rw", "1", "r", "2", "w", "3");
  for (const key of ["r", "w", "none"]) {
    expect(textOf(await run(key, "0", "1000"))).toStartWith("NOPERM");
    expect(textOf(await run("", "0", "1000", "KEYS", "rw", key))).toStartWith("NOPERM");
  }
  expect(await run("", "0", "1000", "KEYS", "rw")).toBe("OK");
  await here.command("ACL", "DELUSER", "mover");
});

test("large values and many keys, with connections that are kept for a while", async () => {
  await empty();
  const cached = async () => {
    const info = String(await here.command("INFO", "stats"));
    return /migrate_cached_sockets:(\d+)/.exec(info)?.[1];
  };
  const large = "0123456789abcdef".repeat(2 ** 21);
  await here.command("SET", "large", large);
  expect(await here.command("MIGRATE", HOST, `${other.port}`, "large", "0", "20000")).toBe("OK");
  expect(await there.command("GET", "large") === large).toBe(true);
  expect(await here.command("EXISTS", "large")).toBe(0);
  const names: string[] = [];
  for (let i = 0; i < 20_000; i++) names.push(`key:${i}`);
  await here.command("MSET", ...names.flatMap((name) => [name, name.repeat(100)]));
  await here.command("DEL", "key:7");
  const many = ["MIGRATE", HOST, `${other.port}`, "", "0", "20000", "KEYS", ...names];
  expect(await here.command(...many)).toBe("OK");
  expect(await here.command("DBSIZE")).toBe(0);
  expect(await there.command("DBSIZE")).toBe(20_000);
  expect(Number(await cached())).toBeGreaterThan(0);
  await until(async () => await cached() === "0", "the connections to be closed", 15_000);
}, 60_000);

test("a connection that the target has ended meanwhile is made anew", async () => {
  await empty();
  await here.command("MSET", "a", "1", "b", "2");
  const run = (key: string) => here.command("MIGRATE", HOST, `${redis.port}`, key, "0", "1000");
  expect(await run("a")).toBe("OK");
  await real.command("CLIENT", "KILL", "TYPE", "normal");
  expect(await run("b")).toBe("OK");
  expect(await real.command("EXISTS", "a", "b")).toBe(2);
});

test("from a follower, and a client that goes away", async () => {
  await empty();
  const cluster = await TestCluster.start();
  const [follower] = await cluster.followers();
  const client = await RespClient.open(follower.port);
  await client.command("MSET", "a", "1", "b", "2", "c", "3");
  const run = ["MIGRATE", HOST, `${redis.port}`, "", "0", "5000", "KEYS", "a", "b"];
  expect(await client.command(...run)).toBe("OK");
  for (const { port } of cluster.nodes) {
    const each = await RespClient.open(port);
    expect(await each.command("KEYS", "*")).toEqual(["c"]);
    each.close();
  }
  client.command("MIGRATE", HOST, `${redis.port}`, "c", "0", "5000").catch(() => {});
  client.close();
  const leader = await RespClient.open((await cluster.leader()).port);
  // It is in one place or the other.
  await until(
    async () => await leader.command("EXISTS", "c") !== await real.command("EXISTS", "c"),
    "the key to be in one place",
  );
  leader.close();
  await cluster.kill();
}, 60_000);
