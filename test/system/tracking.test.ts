import { describe, expect, test } from "bun:test";
import { compareConversations, type Mask } from "./conversation.ts";
import { until } from "./harness.ts";
import { RespClient } from "./resp_client.ts";
import { Trio } from "./trio.ts";

const trio = new Trio();

const SCRIPTS: Readonly<Record<string, string>> = {
  "by what was read": `
    p: FLUSHALL
    A: DBSIZE
    A: CLIENT TRACKINGINFO
    A: CLIENT TRACKING ON
    A: CLIENT TRACKINGINFO
    A: CLIENT GETREDIR
    A: GET k
    A: MGET k l
    p: SET k 1
    A< 1
    p: SET k 2
    p: SET l 2
    A< 1
    A: GET k
    A: SET k 3
    A< 1
    A: GET k
    p: FLUSHALL
    A< 1
    A: MULTI
    A: GET k
    A: EXEC
    p: SET k 1
    A< 1
    A: GET k
    A: CLIENT TRACKING OFF
    p: SET k 2
    A: PING`,
  "keys that are counted": `
    p: FLUSHALL
    p: SADD s 1
    p: ZADD z 1 a
    A: DBSIZE
    A: CLIENT TRACKING ON
    A: SINTERCARD 2 s t
    p: SADD t 1
    A< 1
    A: ZUNION 2 y z
    p: ZADD z 2 b
    A< 1
    A: ZINTERCARD 1 z LIMIT 5
    p: DEL z
    A< 1`,
  "databases that are emptied, once however many": `
    p: MSET k 1 l 1
    p: SELECT 1
    p: SET m 1
    A: GET k
    A: CLIENT TRACKING ON
    A: GET k
    p: FLUSHALL
    A< 1
    A: PING
    p: FLUSHDB
    A< 1
    A: PING
    A: CLIENT TRACKING OFF`,
  "scripts that read": `
    p: MSET k 1 l 1 m 1
    A: CLIENT TRACKING ON
    A: EVAL "redis.call('set','m','2')" 2 k l
    p: MSET k 2 l 2
    A: EVAL "redis.call('get','m')" 2 k l
    p: SET k 3
    A< 1
    p: SET l 3
    A< 1
    A: EVAL_RO "redis.call('ping')" 2 k l
    p: MSET k 4 l 4
    A: EVAL_RO "redis.call('get','m')" 1 k
    p: SET k 5
    A< 1
    A: PING
    A: CLIENT TRACKING OFF`,
  "streams": `
    p: FLUSHALL
    p: XADD s 1-1 f v
    p: XGROUP CREATE s g 0
    A: DBSIZE
    A: CLIENT TRACKING ON
    A: XLEN s
    p: XREADGROUP GROUP g ann STREAMS s >
    p: XACK s g 1-1
    p: XGROUP SETID s g 0
    p: XSETID s 5-5
    A: PING
    p: XADD s 6-1 f v
    A< 1
    A: XRANGE s - +
    p: XDEL s 9-9
    A: PING
    p: XDEL s 1-1
    A< 1
    A: XREAD STREAMS s nothing 0 0
    p: XTRIM s MAXLEN 0
    A< 1
    p: XGROUP CREATE nothing g 0 MKSTREAM
    A< 1
    A: XPENDING s g
    p: XADD s 7-1 f v
    A< 1
    A: XINFO STREAM s
    p: DEL s
    A< 1`,
  "OPTIN, OPTOUT, NOLOOP": `
    p: FLUSHALL
    A: DBSIZE
    A: CLIENT TRACKING ON OPTIN NOLOOP
    A: GET k
    p: SET k 1
    A: CLIENT CACHING YES
    A: CLIENT TRACKINGINFO
    A: GET k
    A: GET l
    p: MSET l 1 k 2
    A< 1
    A: CLIENT CACHING YES
    A: GET k
    A: SET k mine
    p: SET k 1
    A: CLIENT CACHING NO
    A: CLIENT TRACKING ON OPTOUT
    A: CLIENT TRACKING OFF
    A: CLIENT TRACKING ON OPTOUT
    A: GET k
    A: CLIENT CACHING NO
    A: GET l
    p: SET l 2
    p: SET k 2
    A< 1
    A: CLIENT CACHING YES`,
  "OPTIN, and a transaction that only reads": `
    p: SET k 1
    A: CLIENT TRACKING ON OPTIN
    A: CLIENT CACHING YES
    A: MULTI
    A: GET k
    A: EXEC
    p: SET k 2
    A< 1
    A: GET k
    p: SET k 3
    A: PING
    A: CLIENT TRACKING OFF`,
  "scripts of a user who is held to rules": `
    p: SET k 1
    p: ACL SETUSER held on nopass ~* &* +@all -debug
    A: AUTH held x
    A: CLIENT TRACKING ON
    A: EVAL "return redis.call('get',KEYS[1])" 1 k
    p: SET k 2
    A< 1
    A: CLIENT TRACKING OFF
    A: AUTH default x
    p: ACL DELUSER held`,
  "by prefix": `
    p: FLUSHALL
    A: DBSIZE
    A: CLIENT TRACKING ON BCAST PREFIX user: PREFIX item:
    A: CLIENT TRACKINGINFO
    p: SET user:1 x
    A< 1
    p: SET other x
    p: MSET item:2 x item:1 x other y
    A< 1
    A: SET user:2 x
    A< 1
    p: FLUSHALL
    A< 1
    A: CLIENT TRACKING ON BCAST PREFIX user:x
    A: CLIENT TRACKING ON BCAST PREFIX a PREFIX ab
    B: CLIENT TRACKING ON BCAST NOLOOP
    B: SET mine x
    p: SET theirs x
    B< 1`,
  "redirected, to a RESP2 subscriber": `
    s: SUBSCRIBE __redis__:invalidate
    a: CLIENT TRACKING ON REDIRECT {s}
    a: GET k
    p: SET k 1
    s< 1
    a: GET k
    p: FLUSHALL
    s< 1
    a: CLIENT TRACKING OFF
    a: CLIENT GETREDIR`,
  "errors": `
    a: CLIENT TRACKING
    a: CLIENT TRACKING MAYBE
    a: CLIENT TRACKING ON REDIRECT 999999
    a: CLIENT TRACKING ON REDIRECT x
    a: CLIENT TRACKING ON PREFIX x
    a: CLIENT TRACKING ON BCAST OPTIN
    a: CLIENT TRACKING ON OPTIN OPTOUT
    a: CLIENT TRACKING ON NONSENSE
    a: CLIENT CACHING YES
    a: CLIENT TRACKING ON
    a: CLIENT TRACKING ON BCAST
    a: CLIENT CACHING MAYBE
    a: CLIENT CACHING YES
    a: CLIENT CACHING NO
    a: CLIENT TRACKING OFF
    a: CLIENT TRACKING OFF`,
};

/** The ids of connections are each server's own. */
const mask: Mask = (raw) => raw.replace(/(redirect\r\n:)[1-9]\d*/, "$1ID");

describe("as redis-server has it", () => {
  for (const [name, script] of Object.entries(SCRIPTS)) {
    test(name, () => compareConversations([trio.balsa.port], trio.redis.port, script, mask));
    if (script.includes("{s}")) continue;
    test(`${name}, each connection at another node`, () =>
      compareConversations(trio.ports, trio.redis.port, script, mask));
  }
});

test("a key that expires is told", async () => {
  const client = await RespClient.open(trio.balsa.port);
  await client.command("HELLO", "3");
  await client.command("CLIENT", "TRACKING", "ON", "NOLOOP");
  await until(async () => {
    await client.command("SET", "short", "x", "PX", "100");
    return await client.command("GET", "short") === "x";
  }, "a read before it expires");
  expect(await client.read()).toEqual(["invalidate", ["short"]]);
  client.close();
});

test("a key that expires behind a wait in vain is told", async () => {
  const client = await RespClient.open(trio.balsa.port);
  const other = await RespClient.open(trio.balsa.port);
  await client.command("HELLO", "3");
  await until(async () => {
    await client.command("CLIENT", "TRACKING", "OFF");
    await other.command("SET", "short", "x", "PX", "300");
    // The last of this client's commands that is applied: nobody is told of changes then.
    await client.command("BLPOP", "nothing", "0.01");
    await client.command("CLIENT", "TRACKING", "ON", "NOLOOP");
    return await client.command("GET", "short") === "x";
  }, "a read before it expires");
  expect(await client.read()).toEqual(["invalidate", ["short"]]);
  for (const each of [client, other]) each.close();
});
