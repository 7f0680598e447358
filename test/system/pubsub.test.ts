import { expect, test } from "bun:test";
import { until } from "./harness.ts";
import { compareConversations, converse } from "./conversation.ts";
import { RespClient } from "./resp_client.ts";
import { Trio } from "./trio.ts";

const trio = new Trio();

const SCRIPTS: Readonly<Record<string, string>> = {
  "subscribing and publishing, RESP2 and RESP3": `
    a: SUBSCRIBE one
    a> SUBSCRIBE one two three
    a< 3
    B> SUBSCRIBE one two
    B< 2
    p: PUBLISH one hello
    a< 1
    B< 1
    p: PUBLISH nobody hello
    a> UNSUBSCRIBE one zero
    a< 2
    p: PUBLISH one again
    B< 1
    p: PUBLISH two "\\x00\\r\\n\\xff"
    a< 1
    B< 1
    a> UNSUBSCRIBE two three
    a< 2
    a: UNSUBSCRIBE
    B: PING
    B: SET k v
    B> UNSUBSCRIBE two
    B: UNSUBSCRIBE one
    B< 1`,
  "patterns": `
    a> PSUBSCRIBE news.* h?llo
    a< 2
    B: PSUBSCRIBE news.*
    a: SUBSCRIBE news.1
    p: PUBLISH news.1 x
    a< 2
    B< 1
    p: PUBLISH hello y
    a< 1
    p: PUBSUB NUMPAT
    p: PUBSUB NUMSUB news.1 hello
    p: PUBSUB CHANNELS
    p: PUBSUB CHANNELS n*1
    p: PUBSUB CHANNELS x*
    a> PUNSUBSCRIBE
    a< 2
    a: PUNSUBSCRIBE other
    a: PING
    a: UNSUBSCRIBE news.1
    a: PING
    B: PUNSUBSCRIBE news.*`,
  "shard channels": `
    a> SSUBSCRIBE s1 s2
    a< 2
    B: SSUBSCRIBE s1
    p: SPUBLISH s1 x
    a< 1
    B< 1
    p: PUBLISH s1 y
    p: PUBSUB SHARDNUMSUB s1 s2 s3
    p: PUBSUB SHARDCHANNELS s2*
    p: PUBSUB CHANNELS
    a: SUBSCRIBE c
    a: SUNSUBSCRIBE s1
    a: SUNSUBSCRIBE s2
    a: SUNSUBSCRIBE
    a: UNSUBSCRIBE
    B: SUNSUBSCRIBE s1`,
  "what a RESP2 subscriber may run": `
    a: SUBSCRIBE c
    a: GET k
    a: PING
    a: PING x
    a: CLIENT ID
    a: MULTI
    a: PUBLISH c x
    a: CLIENT
    a: nonsense
    a: RESET
    a: PING
    a: GET nothing
    p: PUBSUB NUMSUB c
    a: SUBSCRIBE c
    a: QUIT`,
  "errors": `
    a: SUBSCRIBE
    a: PSUBSCRIBE
    a: PUBLISH c
    a: PUBSUB
    a: PUBSUB NONSENSE
    a: PUBSUB CHANNELS a b
    a: PUBSUB NUMPAT x
    a: PUBSUB NUMSUB
    a: PUBSUB HELP
    a: SPUBLISH c`,
  "CLIENT REPLY and messages": `
    B> CLIENT REPLY OFF
    B> SET k v
    B> SUBSCRIBE c
    B< 1
    p: PUBLISH c x
    B< 1
    B> PING
    B: CLIENT REPLY ON
    B: PING`,
};

for (const [name, script] of Object.entries(SCRIPTS)) {
  test(`${name}: as redis-server has it`, () =>
    compareConversations([trio.balsa.port], trio.redis.port, script));
  test(`${name}: as redis-server has it, each connection at another node`, () =>
    compareConversations(trio.ports, trio.redis.port, script));
}

test("a subscription is known everywhere once it is confirmed, and gone with its client", async () => {
  const [a, b, c] = trio.ports;
  for (let i = 0; i < 50; i++) {
    const heard = await converse(
      [a, b, c],
      `
      s: SUBSCRIBE c${i}
      t: PSUBSCRIBE c${i}*
      p: PUBLISH c${i} x
      s< 1
      t< 1
      p: PUBSUB NUMSUB c${i}`,
    );
    expect(heard[2][1]).toBe(":2\r\n");
  }
  const client = await RespClient.open(c);
  // Each of two nodes tells of its own subscribers.
  await until(async () => (await client.command("PUBSUB", "NUMPAT")) === 0, "no pattern left");
  await until(
    async () => (await client.command("PUBSUB", "CHANNELS") as unknown[]).length === 0,
    "no channel left",
  );
  client.close();
});

test("a node that comes back hears of the others' subscriptions", async () => {
  const [first, second] = await trio.cluster.followers();
  const subscriber = await RespClient.open(first.port);
  await subscriber.command("SUBSCRIBE", "news");
  await second.kill9();
  second.start();
  let publisher: RespClient | undefined;
  await until(async () => {
    publisher?.close();
    publisher = await RespClient.open(second.port).catch(() => undefined);
    return (await publisher?.command("PUBLISH", "news", "hello").catch(() => 0)) === 1;
  }, "a receiver");
  expect(await subscriber.read()).toEqual(["message", "news", "hello"]);
  publisher?.close();
  subscriber.close();
});

test("a subscriber that takes nothing is disconnected", async () => {
  const slow = await RespClient.open(trio.balsa.port);
  await slow.command("SUBSCRIBE", "flood");
  slow.pause();
  const publisher = await RespClient.open(trio.balsa.port);
  const payload = "x".repeat(1024 * 1024);
  await until(
    async () => Number(await publisher.command("PUBLISH", "flood", payload)) === 0,
    "the end of the subscription",
  );
  slow.close();
  publisher.close();
});
