// @upstash/ratelimit, whose limiters are Lua scripts, with nothing but a URL and a token of ours.
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { MultiRegionRatelimit, Ratelimit } from "@upstash/ratelimit";
import { Redis } from "@upstash/redis";
import { balsaCommand, type Runtime, type Server, startBalsa } from "./harness.ts";

const TOKEN = "the-token";
const RUNTIMES: readonly Runtime[] = ["bun", "deno", "node", "binary"];
type MultiRegionConfig = ConstructorParameters<typeof MultiRegionRatelimit>[0];

/** So long that no window ends while a test runs, but for one in a century. */
const LONG = "36500 d";

for (const runtime of RUNTIMES) {
  describe.skipIf(balsaCommand(runtime) === undefined)(`@upstash/ratelimit on ${runtime}`, () => {
    let server: Server;
    let redis: Redis;
    beforeAll(async () => {
      server = await startBalsa({ runtime, args: ["--token", TOKEN] });
      redis = new Redis({
        url: `http://127.0.0.1:${server.httpPort}`,
        token: TOKEN,
        enableTelemetry: false,
      });
    }, 180_000);
    afterAll(() => server.stop());

    /** Ten requests at a limit of five, then what is left. */
    async function spend(limiter: Ratelimit | MultiRegionRatelimit): Promise<void> {
      const outcomes: boolean[] = [];
      for (let i = 0; i < 10; i++) {
        const { success, pending, limit } = await limiter.limit("someone");
        await pending;
        expect(limit).toBe(5);
        outcomes.push(success);
      }
      expect(outcomes).toEqual(Array.from({ length: 10 }, (_, i) => i < 5));
      expect((await limiter.getRemaining("someone")).remaining).toBe(0);
      expect((await limiter.limit("another")).success).toBe(true);
      await limiter.resetUsedTokens("someone");
      expect((await limiter.limit("someone")).success).toBe(true);
    }

    const limiters = {
      fixedWindow: () => Ratelimit.fixedWindow(5, LONG),
      slidingWindow: () => Ratelimit.slidingWindow(5, LONG),
      tokenBucket: () => Ratelimit.tokenBucket(5, LONG, 5),
    };
    for (const [name, limiter] of Object.entries(limiters)) {
      test(`${name} lets five of ten pass`, async () => {
        await spend(
          new Ratelimit({ redis, limiter: limiter(), prefix: name, ephemeralCache: false }),
        );
      });
    }

    test("cachedFixedWindow counts on the server what its cache let pass", async () => {
      const limiter = new Ratelimit({
        redis,
        limiter: Ratelimit.cachedFixedWindow(5, LONG),
        prefix: "cached",
        ephemeralCache: new Map(),
      });
      const outcomes: boolean[] = [];
      for (let i = 0; i < 10; i++) {
        const { success, pending } = await limiter.limit("someone");
        await pending;
        outcomes.push(success);
      }
      expect(outcomes.filter(Boolean)).toHaveLength(5);
    });

    test("several regions share a limit", async () => {
      for (const name of ["fixedWindow", "slidingWindow"] as const) {
        const limiter = MultiRegionRatelimit[name](5, LONG);
        await spend(
          new MultiRegionRatelimit({
            // Its types come from another copy of the SDK's types.
            redis: [redis] as unknown as MultiRegionConfig["redis"],
            limiter,
            prefix: `multi-${name}`,
            ephemeralCache: false,
          }),
        );
      }
    });

    test("a rate per request, limits that change, and waiting for a place", async () => {
      const limiter = new Ratelimit({
        redis,
        limiter: Ratelimit.fixedWindow(5, LONG),
        prefix: "dynamic",
        ephemeralCache: false,
        dynamicLimits: true,
      });
      expect((await limiter.limit("someone", { rate: 4 })).remaining).toBe(1);
      expect((await limiter.limit("someone", { rate: 4 })).success).toBe(false);
      await limiter.setDynamicLimit({ limit: 100 });
      expect(await limiter.getDynamicLimit()).toEqual({ dynamicLimit: 100 });
      expect((await limiter.limit("someone else")).remaining).toBe(99);
      const narrow = new Ratelimit({
        redis,
        limiter: Ratelimit.fixedWindow(1, "200 ms"),
        prefix: "narrow",
        ephemeralCache: false,
      });
      for (let i = 0; i < 3; i++) {
        expect((await narrow.blockUntilReady("someone", 50_000)).success).toBe(true);
      }
    });

    test("the SDK's scripts: by text, by SHA-1, and read only", async () => {
      const text = `return {KEYS[1], ARGV[1], redis.call("INCR", KEYS[1])}`;
      const sha1 = await redis.scriptLoad(text);
      expect(await redis.scriptExists(sha1, "0".repeat(40))).toEqual([1, 0]);
      expect(await redis.evalsha<string[], unknown>(sha1, ["n"], ["a"])).toEqual(["n", "a", 1]);
      expect(await redis.eval<string[], unknown>(text, ["n"], ["b"])).toEqual(["n", "b", 2]);
      const script = redis.createScript<unknown>("return redis.call('GET', KEYS[1])");
      expect(await script.exec(["n"], [])).toBe(2);
      const readOnly = redis.createScript<unknown, true>(
        "return redis.call('GET', KEYS[1])..ARGV[1]",
        { readonly: true },
      );
      for (let i = 0; i < 2; i++) expect(await readOnly.exec(["n"], ["0"])).toBe(20);
      const wrong = redis.createScript<unknown, true>("return redis.call('SET', KEYS[1], 1)", {
        readonly: true,
      });
      expect(wrong.exec(["n"], [])).rejects.toThrow(
        "Write commands are not allowed from read-only scripts",
      );
    });
  });
}
