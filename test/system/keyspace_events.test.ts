import { afterAll, beforeAll, describe, test } from "bun:test";
import { TestCluster } from "./cluster_harness.ts";
import { allConnected, compareConversations } from "./conversation.ts";
import { cleanupAll, type Server, startBalsa, startRedis } from "./harness.ts";

let balsa: Server;
let redis: Server;
let cluster: TestCluster;

beforeAll(async () => {
  [balsa, redis, cluster] = await Promise.all([startBalsa(), startRedis(), TestCluster.start()]);
  await allConnected(cluster.nodes.map(({ port }) => port));
});
afterAll(async () => {
  await cluster.kill();
  await cleanupAll();
});

/** A script, with how many events each of its commands on keys causes. */
function events(classes: string, rows: string): string {
  const lines = rows.trim().split("\n").map((row) => row.trim().split(" | "));
  return `
    s: CONFIG SET notify-keyspace-events ${classes}
    p: CONFIG SET notify-keyspace-events ${classes}
    p: FLUSHALL
    s: PSUBSCRIBE __key*
    ${lines.map(([command, count]) => `p: ${command}\n    s< ${count}`).join("\n    ")}
    p: CONFIG SET notify-keyspace-events ""`;
}

const SCRIPTS: Readonly<Record<string, string>> = {
  "strings and keys": events(
    "KEA",
    `
    SET k 1 | 2
    SET k 1 EX 100 | 4
    SET k 1 NX | 0
    INCR k | 2
    DECRBY k 2 | 2
    INCRBYFLOAT k 1.5 | 2
    APPEND k x | 2
    SETRANGE k 1 abc | 2
    GETEX k PERSIST | 0
    GETEX k EX 100 | 2
    GETEX k PERSIST | 2
    GETSET k v | 2
    GETDEL k | 2
    SETEX k 100 v | 4
    PSETEX k 100000 v | 4
    MSET a 1 b 2 | 4
    MSETNX a 1 c 2 | 0
    SETNX c 1 | 2
    SETBIT bits 3 1 | 2
    BITOP AND bits nothing | 2
    BITFIELD bits SET u8 0 255 | 2
    EXPIRE k 1000 | 2
    PERSIST k | 2
    PEXPIRE k -1 | 2
    RENAME a d | 4
    RENAMENX d e | 4
    COPY e f | 2
    MOVE f 5 | 4
    DEL b c nothing | 4
    UNLINK e | 2`,
  ),
  "lists": events(
    "KEA",
    `
    RPUSH l 1 2 3 | 2
    LPUSH l 0 | 2
    LPOP l | 2
    RPOP l | 2
    LSET l 0 x | 2
    LINSERT l BEFORE x y | 2
    LREM l 0 y | 2
    LTRIM l 0 0 | 2
    LMOVE l m LEFT RIGHT | 6
    BLPOP m 0 | 4`,
  ),
  "only some classes, one form": events(
    "E$x",
    `
    SET k 1 EX 100 | 1
    EXPIRE k 10 | 0
    DEL k | 0
    SET k 1 PX 1 | 2`,
  ),
  "new and missed keys": events(
    "Knm",
    `
    SET k 1 | 1
    SET k 2 | 0
    RPUSH l 1 | 1
    RPUSH l 1 | 0
    GET nothing | 1
    GET k | 0`,
  ),
};

describe("as redis-server has it", () => {
  for (const [name, script] of Object.entries(SCRIPTS)) {
    test(name, () => compareConversations([balsa.port], redis.port, script));
    test(`${name}, heard at another node`, () =>
      compareConversations(cluster.nodes.map(({ port }) => port), redis.port, script));
  }
});
