import { afterAll, describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { type ClusterNode, TestCluster } from "./cluster_harness.ts";
import { compareConversations } from "./conversation.ts";
import { cleanupAll, sleep, startBalsa, startRedis, until } from "./harness.ts";
import { command, SseReader } from "./http_client.ts";
import { type Decoded, RespClient, RespError } from "./resp_client.ts";

afterAll(cleanupAll);

/** Without what differs between clients and moments; redis-server tells rules in any order. */
function mask(raw: string): string {
  return raw.replace(/\$\d+\r\nid=[^\r]*/g, "(client)")
    .replace(/(age-seconds\r\n)[^\r]*\r\n[^\r]*/g, "$1")
    // Of 7.2.
    .replace(/(\*20|%10)(?=\r\n\$5\r\ncount)/g, (head) => head === "%10" ? "%7" : "*14")
    .replace(/\$8\r\nentry-id\r\n:\d+\r\n(\$\d+\r\ntimestamp-[a-z-]+\r\n:\d+\r\n){2}/g, "")
    .replace(/(?:[+-][@\w|]+ )+[+-][@\w|]+/g, (rules) => rules.split(" ").sort().join(" "));
}

const ALLOWED = `
  a: ACL SETUSER virginia on >pass ~x:* %R~read:* %W~write:* &c* +get +set +mset
  a: ACL SETUSER virginia +copy +zunionstore +sort
  a: ACL SETUSER virginia -migrate -cluster +nonsense
  a: ACL SETUSER virginia +psubscribe +publish +multi +exec +select|3 +ping +acl|whoami +object|help
  a: ACL LIST
  a: ACL GETUSER virginia
  A: ACL GETUSER virginia
  a: ACL USERS
  b: AUTH virginia wrong
  b: AUTH nobody pass
  b: AUTH virginia pass
  b: PING
  b: ACL WHOAMI
  b: SET x:1 v
  b: GET x:1
  b: SET y v
  b: GET read:1
  b: SET read:1 v
  b: SET write:1 v
  b: GET write:1
  b: SET write:1 v GET
  b: COPY read:1 write:1
  b: COPY write:1 read:1
  b: MSET x:1 1 x:2 2
  b: MSET x:1 1 y 2
  b: ZUNIONSTORE x:d 2 x:a read:b
  b: ZUNIONSTORE x:d 2 x:a write:b
  b: SORT x:l BY nope
  b: SORT x:l BY w_*
  b: SORT x:l GET w_*
  b: OBJECT ENCODING x:1
  b: OBJECT HELP
  b: FLUSHALL
  b: CONFIG GET maxclients
  b: SELECT 3
  b: SELECT 2
  b: PUBLISH c1 x
  b: PUBLISH d x
  b: MULTI
  b: SET x:1 q
  b: SET y q
  b: EXEC
  b: PSUBSCRIBE c?
  a: ACL DRYRUN virginia GET x:1
  a: ACL DRYRUN virginia GET z
  a: ACL DRYRUN virginia PUBLISH d x
  a: ACL DRYRUN virginia CONFIG GET x
  a: ACL DRYRUN virginia GET
  a: ACL DRYRUN virginia NOPE
  a: ACL DRYRUN nobody GET x`;

const CHANGED = `
  a: ACL SETUSER virginia on nopass ~* &* +@all
  b: AUTH virginia any
  b: MULTI
  b: SELECT 3
  b: SET k here
  b: SORT l BY w_*
  a: ACL SETUSER virginia -select resetkeys ~k ~l
  b: EXEC
  b: GET k
  a: ACL SETUSER virginia +select ~*
  b: MULTI
  b: SET k v
  b: PUBLISH c x
  b: GET k
  a: ACL SETUSER virginia resetkeys ~x* -publish
  b: EXEC
  b: GET k
  a: ACL SETUSER virginia (~k +get) (%R~l +lrange)
  b: GET k
  b: LRANGE l 0 1
  b: LPUSH l 1
  a: ACL LIST
  a: ACL SETUSER virginia clearselectors
  b: GET k
  s: AUTH virginia any
  s: SUBSCRIBE channel other
  s< 1
  a: ACL SETUSER virginia resetchannels &channel
  c: AUTH virginia any
  a: ACL SETUSER virginia off
  d: AUTH virginia any
  c: PING
  a: ACL DELUSER virginia nobody
  a: ACL DELUSER virginia
  a: ACL LOG
  a: ACL LOG 1
  a: ACL LOG RESET
  a: ACL LOG`;

const SCRIPTS = `
  a: ACL SETUSER u on nopass ~u:* &c +eval +eval_ro +evalsha +get +set +publish +multi +exec
  b: AUTH u x
  b: EVAL "return redis.call('set', 'u:1', 'v')" 0
  b: EVAL "return redis.call('set', 'other', 'v')" 0
  b: EVAL "return redis.call('del', 'u:1')" 0
  b: EVAL "return redis.pcall('get', KEYS[1])" 1 u:1
  b: EVAL "return redis.pcall('get', KEYS[1])" 1 other
  b: EVAL "return redis.pcall('publish', 'd', 'x').err" 0
  b: EVAL "return {redis.acl_check_cmd('set','u:1','x'), redis.acl_check_cmd('set','k','x')}" 0
  b: EVAL_RO "return redis.call('get', 'u:1')" 0
  b: EVAL_RO "return redis.pcall('get', 'other').err" 0
  b: EVAL "#!lua flags=no-writes\\nreturn redis.pcall('get', 'other').err" 0
  b: EVAL "#!lua flags=no-writes\\nreturn redis.call('get', 'u:1')" 0
  b: SCRIPT LOAD "return 1"
  b: MULTI
  b: EVAL "return redis.call('set', 'u:2', 'v')" 1 u:2
  b: EVAL "return redis.pcall('set', 'other', 'v').err" 1 u:2
  b: EXEC
  a: ACL SETUSER u -get
  b: EVAL "return redis.pcall('get', KEYS[1]).err" 1 u:1
  b: EVAL "return redis.pcall('acl', 'setuser', 'u', '+@all').err" 0
  a: EVAL "return redis.pcall('acl', 'setuser', 'u', '+@all').err" 0
  a: GET other
  a: ACL LOG 100`;

const MISTAKES = `
  a: ACL SETUSER "a b"
  a: ACL SETUSER u +nope
  a: ACL SETUSER u +@nope
  a: ACL SETUSER u -get|x
  a: ACL SETUSER u +config|nope
  a: ACL SETUSER u +config|get|x
  a: ACL SETUSER u +get|
  a: ACL SETUSER u ~* ~a
  a: ACL SETUSER u allchannels &a
  a: ACL SETUSER u %X~a
  a: ACL SETUSER u "~a b"
  a: ACL SETUSER u #nope
  a: ACL SETUSER u !c3ab8ff13720e8ad9047dd39466b3c8974e592c2fa383d4a3960714caef0c4f2
  a: ACL SETUSER u (+get
  a: ACL SETUSER u (+get ~a )
  a: ACL SETUSER u (+get ~* ~a)
  a: ACL SETUSER u nonsense
  a: ACL SETUSER u "" on
  a: ACL SETUSER u >p >p >q <p #2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae
  a: ACL SETUSER u +@all -@hyperloglog -object +object|help
  a: ACL LIST
  a: ACL SETUSER u reset +@string +@list -lpop allkeys allchannels skip-sanitize-payload
  a: ACL GETUSER u
  a: ACL GETUSER nobody
  a: ACL CAT nope
  a: ACL GENPASS 0
  a: ACL GENPASS x
  a: ACL GENPASS 5000
  a: ACL DELUSER default
  a: ACL DELUSER nobody
  a: ACL LOAD
  a: ACL SAVE
  a: ACL NOPE
  a: ACL SETUSER
  a: ACL LOG x
  a: ACL LOG -1
  a: AUTH x
  a: ACL SETUSER default >secret
  a: ACL LIST
  b: PING
  b: AUTH x
  b: AUTH secret
  b: AUTH default secret
  a: ACL SETUSER default -@dangerous +acl
  a: CONFIG GET maxclients
  a: KEYS *`;

describe("ACL as redis-server has it", () => {
  for (const [name, script] of Object.entries({ ALLOWED, CHANGED, SCRIPTS, MISTAKES })) {
    test(name.toLowerCase(), async () => {
      const [balsa, redis] = await Promise.all([startBalsa({ http: false }), startRedis()]);
      await compareConversations([balsa.port], redis.port, script, mask);
    }, 180_000);
  }
});

function text(reply: Decoded): string {
  return reply instanceof RespError ? reply.text : String(reply);
}

describe("users", () => {
  test("are the same on every node, also after a kill -9 and on a new node", async () => {
    const cluster = await TestCluster.start();
    const [first, second] = cluster.nodes;
    const list = async (node: ClusterNode) => await node.command("ACL", "LIST");
    expect(await first.command("ACL", "SETUSER", "reader", "on", ">open", "~r:*", "+@read"))
      .toBe("OK");
    for (let i = 0; i < 50; i++) await second.command("ACL", "SETUSER", `u${i}`, "+get");
    await second.command("ACL", "DELUSER", ...Array.from({ length: 50 }, (_, i) => `u${i}`));
    const expected = await list(second);
    const everywhere = async () => {
      for (const node of cluster.nodes) {
        await until(async () => Bun.deepEquals(await list(node), expected), "the users");
        const client = await RespClient.open(node.port);
        expect(await client.command("AUTH", "reader", "open")).toBe("OK");
        expect(await client.command("GET", "r:1")).toBe(null);
        expect(text(await client.command("SET", "r:1", "x"))).toInclude("NOPERM");
        expect(text(await client.command("GET", "other"))).toInclude("NOPERM");
        client.close();
      }
    };
    await everywhere();
    await first.command("ACL", "SETUSER", "scripts", "on", "nopass", "~s:*", "+@all");
    for (const { port } of cluster.nodes) {
      const client = await RespClient.open(port);
      await until(async () => await client.command("AUTH", "scripts", "x") === "OK", "the user");
      for (const key of ["s:a", "other"]) {
        const script = `redis.pcall('SET', '${key}', 'x') return redis.call('INCR', 's:n')`;
        expect(await client.command("EVAL", script, "0")).toBeNumber();
      }
      client.close();
    }
    await cluster.converged();
    expect(await first.command("EXISTS", "s:a", "other")).toBe(1);
    expect(await first.command("ACL", "DELUSER", "scripts")).toBe(1);
    await first.kill9WhenDurable();
    first.start();
    await first.ready();
    await second.kill9();
    second.start();
    await second.ready();
    await (await cluster.add()).ready();
    await everywhere();
    await cluster.stop();
    for (const { data } of cluster.nodes) {
      for (const name of readdirSync(data).filter((each) => /\.db/.test(each))) {
        expect(readFileSync(`${data}/${name}`, "latin1")).not.toInclude(">open");
      }
    }
  }, 120_000);

  test(
    "what IDEMPOTENT wraps is looked at, and has no password in the log",
    async () => {
      const server = await startBalsa({ http: false });
      const admin = await RespClient.open(server.port);
      await admin.command("ACL", "SETUSER", "u", "on", "nopass", "~u:*", "+@all", "-del");
      const user = await RespClient.open(server.port);
      await user.command("AUTH", "u", "");
      const run = async (...argv: string[]) => text(await user.command(...argv));
      expect(await run("IDEMPOTENT", "key1", "9999", "SET", "u:1", "x")).toBe("OK");
      expect(await run("IDEMPOTENT", "key2", "9999", "SET", "other", "x")).toInclude("NOPERM");
      expect(await run("IDEMPOTENT", "key3", "9999", "DEL", "u:1")).toInclude("NOPERM");
      const change = ["IDEMPOTENT", "key4", "9999", "ACL", "SETUSER", "v", ">plain"];
      expect(await admin.command(...change)).toBe("OK");
      expect(String(await admin.command("ACL", "LIST"))).not.toInclude("plain");
      admin.close();
      user.close();
      await server.stop();
    },
    60_000,
  );
});

describe("users over HTTP", () => {
  test("a token runs as its user, until its password is gone", async () => {
    const server = await startBalsa({ args: ["--password", "secret"] });
    const port = server.httpPort;
    const as = (token: string) => ({ Authorization: `Bearer ${token}` });
    const root = as("secret");
    const run = (headers: Record<string, string>, ...argv: string[]) =>
      command(port, argv, headers);
    await run(root, "ACL", "SETUSER", "app", "on", ">pw", "~app:*", "&news", "+@all", "-keys");
    const token = String(await run(root, "ACL", "RESTTOKEN", "app", "pw"));
    expect(token).toMatch(/^[\w-]+$/);
    expect(await run(root, "ACL", "RESTTOKEN", "app", "no"))
      .toBe('Error: ERR Wrong password or user "app" does not exist');
    const app = as(token);
    expect(await run(app, "ACL", "WHOAMI")).toBe("app");
    expect(await run(app, "SET", "app:1", "x")).toBe("OK");
    expect(await run(app, "SET", "other", "x")).toInclude("NOPERM");
    expect(await run(app, "KEYS", "*"))
      .toBe("Error: NOPERM this user has no permissions to run the 'keys' command");
    const once = { ...app, "Idempotency-Key": "k" };
    expect(await run(once, "SET", "other", "x")).toInclude("NOPERM");
    const batch = (path: string) =>
      fetch(`http://127.0.0.1:${port}${path}`, {
        method: "POST",
        headers: app,
        body: '[["SET","app:2","x"],["SET","other","x"]]',
      });
    expect(await (await batch("/pipeline")).json())
      .toEqual([{ result: "OK" }, { error: expect.stringContaining("NOPERM") }]);
    expect((await batch("/multi-exec")).status).toBe(400);
    // Who may not run MULTI has none of a transaction carried out.
    await run(root, "ACL", "SETUSER", "app", "-multi");
    const plain = { method: "POST", headers: app, body: '[["SET","app:3","x"],["DEL","app:1"]]' };
    const refused = await fetch(`http://127.0.0.1:${port}/multi-exec`, plain);
    expect([refused.status, (await refused.json()).error])
      .toEqual([400, "NOPERM this user has no permissions to run the 'multi' command"]);
    // Also not a moment after the answer.
    await sleep(20);
    expect(await run(root, "MGET", "app:3", "app:1")).toEqual([null, "x"]);
    const status = async (path: string) =>
      (await fetch(`http://127.0.0.1:${port}${path}?_token=${token}`)).status;
    expect(await Promise.all(["/changes", "/subscribe/other", "/get/app:1"].map(status)))
      .toEqual([400, 400, 200]);
    const stream = new SseReader(port, `/subscribe/news?_token=${token}`);
    await until(() => stream.events.length === 1, "the subscription");
    await run(root, "ACL", "SETUSER", "app", "resetpass", ">other");
    await until(() => stream.isClosed || stream.events.at(-1)?.type === "end", "its end");
    expect(await status("/get/app:1")).toBe(401);
    expect(await run(root, "GET", "other")).toBe(null);
    await run(root, "ACL", "SETUSER", "default", "resetpass", ">changed");
    expect(await run(root, "PING")).toInclude("WRONGPASS");
    expect(await run(as("changed"), "PING")).toBe("PONG");
    expect(await run(as("changed"), "CONFIG", "SET", "requirepass", "x"))
      .toInclude("ACL SETUSER has changed the default user");
    stream.close();
    await server.stop();
  }, 180_000);
});
