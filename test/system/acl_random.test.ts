import { afterAll, expect, test } from "bun:test";
import { Prng } from "../../src/base/prng.ts";
import { cleanupAll, startBalsa, startRedis } from "./harness.ts";
import { RespClient, RespError } from "./resp_client.ts";

afterAll(cleanupAll);

/** Those that once told a difference, and a fresh one. */
const SEEDS = [351_202, 500_126, 500_211];
const FRESH_SEED = Number(process.env.BALSA_SEED ?? Math.floor(Math.random() * 1e6));
const USERS = 40;
const SECRET = /(?<=[' ])(>secret|#[0-9a-f]{64})/g;

const NAMES = ["get", "set", "del", "hset", "lpush", "sort", "config", "config|get", "object"];
const CATEGORIES = ["read", "write", "string", "hash", "list", "fast", "slow", "keyspace", "admin"];
const PATTERNS = ["a*", "b?", "[ab]c", "key", "*x"];
const REQUESTS = [
  ["GET", "key"],
  ["SET", "ax", "v"],
  ["SET", "bc", "v", "GET"],
  ["DEL", "key", "ac"],
  ["MSET", "a1", "1", "bc", "2"],
  ["COPY", "b1", "ac"],
  ["HSET", "key", "f", "v"],
  ["HGETALL", "b2"],
  ["LPUSH", "zx", "1"],
  ["SORT", "ac"],
  ["SORT", "ac", "STORE", "key"],
  ["ZUNIONSTORE", "key", "2", "ac", "b1"],
  ["BITOP", "AND", "ax", "key", "bc"],
  ["OBJECT", "ENCODING", "ac"],
  ["CONFIG", "GET", "save"],
  ["CONFIG", "SET", "save", ""],
  ["PUBLISH", "key", "m"],
  ["SUBSCRIBE", "ac", "zx"],
  ["PSUBSCRIBE", "a*"],
  ["KEYS", "*"],
  ["EVAL", "return 1", "1", "key"],
  ["XADD", "ac", "*", "f", "v"],
];

/** Rules as people may write them, wrong ones among them. */
function randomRules(prng: Prng): string[] {
  const pick = <Item>(items: readonly Item[]) => items[prng.nextUint32() % items.length];
  const makers: (() => string)[] = [
    () => `${pick(["+", "-"])}${pick(NAMES)}`,
    () => `${pick(["+", "-"])}@${pick(CATEGORIES)}`,
    () => `+select|${prng.nextUint32() % 3}`,
    () => `${pick(["~", "%R~", "%W~", "%rw~"])}${pick(PATTERNS)}`,
    () => `&${pick(PATTERNS)}`,
    () => pick(["+@all", "-@all", "allkeys", "resetkeys", "allchannels", "resetchannels"]),
    () => pick(["on", "off", "nopass", ">secret", "reset", "clearselectors"]),
    () =>
      prng.nextUint32() % 4 > 0 ? "on" : pick(["!nope", "bad", "+get|", "-@nope", "(+get", "%~a"]),
    () => `(${pick(["+@all", "+get", "+@write"])} ${pick(["~*", "%R~b*", "~key"])})`,
  ];
  return Array.from({ length: 1 + prng.nextUint32() % 7 }, () => pick(makers)());
}

test.each([...SEEDS, FRESH_SEED])(
  "random rules allow what Redis lets them, seed %d",
  async (seed) => {
    const [balsa, redis] = await Promise.all([startBalsa({ http: false }), startRedis()]);
    const [ours, theirs] = await Promise.all([
      RespClient.open(balsa.port),
      RespClient.open(redis.port),
    ]);
    const prng = new Prng(seed);
    const ask = async (client: RespClient, argv: readonly string[]) => {
      const reply = await client.command(...argv);
      // In the log a password is a hash, so an error about it tells that.
      return reply instanceof RespError ? reply.text.replace(SECRET, "(password)") : reply;
    };
    for (let user = 0; user < USERS; user++) {
      const name = `u${user % 10}`;
      const setUser = ["ACL", "SETUSER", name, ...randomRules(prng)];
      expect([setUser, await ask(ours, setUser)]).toEqual([setUser, await ask(theirs, setUser)]);
      for (const request of REQUESTS) {
        const dryRun = ["ACL", "DRYRUN", name, ...request];
        expect([setUser, dryRun, await ask(ours, dryRun)])
          .toEqual([setUser, dryRun, await ask(theirs, dryRun)]);
      }
      // What ACL LIST tells makes the same user again.
      const line = (await ask(ours, ["ACL", "LIST"]) as string[])
        .find((each) => each.startsWith(`user ${name} `));
      if (line === undefined) continue;
      const rules = line.split(" ").slice(2);
      expect(await ask(ours, ["ACL", "SETUSER", `${name}-again`, "reset", ...rules])).toBe("OK");
      for (const request of REQUESTS) {
        const [first, again] = [name, `${name}-again`].map((each) => ["ACL", "DRYRUN", each]);
        expect([line, await ask(ours, [...again, ...request])])
          .toEqual([line, await ask(ours, [...first, ...request])]);
      }
    }
    ours.close();
    theirs.close();
  },
  120_000,
);
