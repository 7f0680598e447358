import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { balsaCommand, type Runtime, type Server, startBalsa, until } from "./harness.ts";
import { ask, command, SseReader } from "./http_client.ts";
import { RespClient } from "./resp_client.ts";

const TOKEN = "the-token";
const READONLY = "for-readers";
const ALL = { Authorization: `Bearer ${TOKEN}` };
const READ = { Authorization: `Bearer ${READONLY}` };
const RUNTIMES: readonly Runtime[] = ["bun", "deno", "node", "binary"];

for (const runtime of RUNTIMES) {
  // Node >= 22 is named by BALSA_NODE, the binary is there after compile.sh.
  describe.skipIf(balsaCommand(runtime) === undefined)(`the HTTP dialect on ${runtime}`, () => {
    let server: Server;
    beforeAll(async () => {
      const args = ["--token", TOKEN, "--readonly-token", READONLY];
      server = await startBalsa({
        runtime,
        args: [...args, "--cors-origin", "https://app.example"],
      });
    }, 180_000);
    afterAll(() => server.stop());
    const run = (argv: readonly unknown[], headers: Record<string, string> = ALL) =>
      command(server.httpPort, argv, headers);

    test("each answer tells where the node stood", async () => {
      const set = await ask(server.httpPort, "/set/a/1", { headers: ALL });
      const get = await ask(server.httpPort, "/get/a", { headers: ALL });
      const index = Number(set.headers.get("balsa-index"));
      expect(index).toBeGreaterThan(0);
      expect(Number(get.headers.get("balsa-index"))).toBeGreaterThanOrEqual(index);
      for (const path of ["/get/a", "/nope", "/health", "/ready", "/metrics?_token=x"]) {
        const { headers } = await fetch(`http://127.0.0.1:${server.httpPort}${path}`);
        expect([headers.get("balsa-node"), headers.get("balsa-role")]).toEqual(["1", "leader"]);
      }
    });

    test("a sync token differs after each write, also of the same value at the same time", async () => {
      const write = async () => {
        const { headers } = await ask(server.httpPort, "/set/same/value", { headers: ALL });
        return headers.get("upstash-sync-token");
      };
      const tokens = await Promise.all(Array.from({ length: 50 }, write));
      expect(new Set(tokens).size).toBe(50);
    });

    test("any sync token of a client is tolerated", async () => {
      const tokens = ["", "my-new-sync-token", "00000000-999999-1", "a-b-c", "-"];
      for (const token of tokens) {
        const headers = { ...ALL, "upstash-sync-token": token, "Balsa-Consistency": "stale" };
        expect(await run(["SET", "k", token], headers)).toBe("OK");
        expect(await run(["GET", "k"], headers)).toBe(token);
      }
    });

    test("Balsa-Min-Index waits for the index, or says what is wrong with it", async () => {
      const { headers } = await ask(server.httpPort, "/set/a/1", { headers: ALL });
      const index = Number(headers.get("balsa-index"));
      const later = run(["GET", "a"], { ...ALL, "Balsa-Min-Index": String(index + 2) });
      expect(await Promise.race([later, Promise.resolve("waits")])).toBe("waits");
      await run(["SET", "a", "2"]);
      await run(["SET", "a", "3"]);
      expect(await later).toBe("3");
      expect(await run(["GET", "a"], { ...ALL, "Balsa-Min-Index": "-1" }))
        .toBe("Error: ERR Balsa-Min-Index is not the index of an entry: -1");
    });

    test("a read-only token reads, and does nothing else", async () => {
      await run(["SET", "shown", "value"]);
      expect(await run(["GET", "shown"], READ)).toBe("value");
      expect(await run(["STRLEN", "shown"], READ)).toBe(5);
      expect(await run(["PING"], READ)).toBe("PONG");
      const forbidden = [
        ["set", "shown", "x"],
        ["KEYS", "*"],
        ["scan", "0"],
        ["CONFIG", "GET", "*"],
        ["FLUSHALL"],
        ["info"],
        ["idempotent", "k", "1000", "SET", "shown", "x"],
      ];
      for (const argv of forbidden) {
        expect(await run(argv, READ)).toBe(
          `Error: NOPERM this user has no permissions to run the '${argv[0].toLowerCase()}' ` +
            "command or its subcommand",
        );
      }
      const pipeline = await ask(server.httpPort, "/pipeline", {
        method: "POST",
        headers: READ,
        body: '[["GET","shown"],["DEL","shown"],["GET","shown"]]',
      });
      const kinds = (pipeline.json as object[]).map((item) => Object.keys(item)[0]);
      expect(kinds).toEqual(["result", "error", "result"]);
    });

    test("an idempotency key has a write carried out once, in each form", async () => {
      const send = (path: string, body: string, key: string) =>
        ask(server.httpPort, path, {
          method: "POST",
          body,
          headers: { ...ALL, "Idempotency-Key": key },
        });
      for (let again = 0; again < 3; again++) {
        expect((await send("/", '["INCR","once"]', "key-1")).json).toEqual({ result: 1 });
        expect((await send("/append/log", "x", '"key-2"')).json).toEqual({ result: 1 });
        expect((await send("/pipeline", '[["INCR","once"],["GET","once"]]', "key-3")).json)
          .toEqual([{ result: 2 }, { result: "2" }]);
      }
      expect((await send("/", '["INCR","other"]', "key-1")).json)
        .toEqual({ error: "ERR this idempotency key was used with another command" });
      expect(await run(["GET", "once"])).toBe("2");
      const refused = await send("/", '["INCR","once"]', "");
      expect([refused.status, refused.json]).toEqual([400, {
        error: "ERR Idempotency-Key must have 1 to 1024 bytes",
      }]);
    });

    test("a key is good for as long as its header says", async () => {
      const headers = { ...ALL, "Idempotency-Key": "short", "Balsa-Idempotency-Ttl": "50" };
      expect(await run(["INCR", "short"], headers)).toBe(1);
      expect(await run(["INCR", "short"], headers)).toBeOneOf([1, 2]);
      await new Promise((resolve) => setTimeout(resolve, 60));
      expect(await run(["INCR", "short"], headers)).toBeOneOf([2, 3]);
      for (const ttl of ["0", "x", "1.5", "1e99"]) {
        expect(await run(["INCR", "short"], { ...headers, "Balsa-Idempotency-Ttl": ttl }))
          .toInclude("Balsa-Idempotency-Ttl must be milliseconds");
      }
    });

    test("pages of the allowed origin may read answers and their headers, others not", async () => {
      const from = (origin: string) =>
        ask(server.httpPort, "/get/a", { headers: { ...ALL, Origin: origin } });
      const { headers } = await from("https://app.example");
      expect(headers.get("access-control-allow-origin")).toBe("https://app.example");
      expect(headers.get("access-control-expose-headers")).toInclude("Upstash-Sync-Token");
      expect((await from("https://evil.example")).headers.get("access-control-allow-origin"))
        .toBeNull();
    });

    test("/monitor shows the commands that run, and no secrets", async () => {
      const path = `/monitor?_token=${TOKEN}`;
      const reader = new SseReader(server.httpPort, path);
      await until(() => reader.events.length === 1, "the stream");
      expect(reader.events[0].data).toBe('"OK"');
      await run(["SET", "watched", 'a\n"ü'], ALL);
      const resp = await RespClient.open(server.port);
      await resp.command("AUTH", "default", "not to be seen");
      await resp.command("GET", "watched");
      resp.close();
      await until(() => reader.events.some(({ data }) => data.includes('"GET"')), "the commands");
      const lines = reader.events.slice(1).map(({ data }) => data);
      expect(lines.join()).not.toInclude("not to be seen");
      expect(lines[0]).toMatch(
        /^\d+\.\d{6} \[0 0\.0\.0\.0:0\] "SET" "watched" "a\\n\\"\\xc3\\xbc"$/,
      );
      expect(lines.at(-1)).toMatch(/^\d+\.\d{6} \[0 127\.0\.0\.1:\d+\] "GET" "watched"$/);
      reader.close();
      expect((await ask(server.httpPort, "/monitor", { headers: READ })).json)
        .toMatchObject({ error: expect.stringContaining("NOPERM") });
    });

    test("/metrics tells of commands, Raft, storage and the loop", async () => {
      await run(["SET", "counted", "1"]);
      const response = await fetch(`http://127.0.0.1:${server.httpPort}/metrics`, { headers: ALL });
      expect(response.headers.get("content-type")).toStartWith("text/plain");
      const text = await response.text();
      for (
        const line of [
          /^balsa_command_duration_seconds_bucket\{command="set",le="\+Inf"\} [1-9]/m,
          /^# TYPE balsa_command_duration_seconds histogram$/m,
          /^balsa_raft_role\{role="leader"\} 1$/m,
          /^balsa_raft_applied_index [1-9]/m,
          /^balsa_log_fsync_seconds_count [1-9]/m,
          /^balsa_loop_delay_seconds_count [1-9]/m,
          /^balsa_http_requests_total\{code="200"\} [1-9]/m,
          /^balsa_http_received_bytes_total [1-9]/m,
          /^balsa_http_sent_bytes_total [1-9]/m,
          /^balsa_cache_lookups_total [1-9]/m,
          /^balsa_remembered_replies [1-9]/m,
          /^balsa_keys\{db="0"\} [1-9]/m,
        ]
      ) expect(text).toMatch(line);
      expect(text).not.toInclude("NaN");
      expect((await fetch(`http://127.0.0.1:${server.httpPort}/metrics`)).status).toBe(401);
    });
  });
}
