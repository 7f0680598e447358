import { describe, test } from "bun:test";
import { compareConversations } from "./conversation.ts";
import { Trio } from "./trio.ts";

const trio = new Trio();

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
    GETEX k PERSIST | 2
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
  "streams": events(
    "KEA",
    `
    XADD s 1-1 f v | 2
    XADD s MAXLEN 1 2-1 f v | 4
    XADD s 2-1 f v | 0
    XGROUP CREATE s g 0 | 2
    XREADGROUP GROUP g ann STREAMS s > | 2
    XREADGROUP GROUP g ann STREAMS s 0 | 0
    XGROUP CREATECONSUMER s g bob | 2
    XGROUP CREATECONSUMER s g bob | 0
    XCLAIM s g cy 0 2-1 JUSTID | 2
    XAUTOCLAIM s g dan 0 - JUSTID | 2
    XACK s g 2-1 | 0
    XGROUP SETID s g 0 | 2
    XGROUP DELCONSUMER s g ann | 2
    XGROUP DELCONSUMER s g ann | 0
    XSETID s 9-9 | 2
    XDEL s 2-1 | 2
    XDEL s 2-1 | 0
    XGROUP DESTROY s g | 2
    XGROUP DESTROY s g | 0
    XGROUP CREATE new g $ MKSTREAM | 2
    XADD s 10-1 f v | 2
    XTRIM s MAXLEN 1 | 0
    XTRIM s MAXLEN 0 | 2`,
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
    GET k | 0
    EXISTS nothing | 1
    TYPE nothing | 1
    TTL nothing | 1
    OBJECT ENCODING nothing | 0`,
  ),
};

describe("as redis-server has it", () => {
  for (const [name, script] of Object.entries(SCRIPTS)) {
    test(name, () => compareConversations([trio.balsa.port], trio.redis.port, script));
    test(`${name}, heard at another node`, () =>
      compareConversations(trio.ports, trio.redis.port, script));
  }
});
