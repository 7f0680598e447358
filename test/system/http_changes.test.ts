import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import {
  balsaCommand,
  cpuSeconds,
  residentBytes,
  type Runtime,
  scratchDirectory,
  type Server,
  sleep,
  startBalsa,
  until,
} from "./harness.ts";
import { ask, command, SseReader } from "./http_client.ts";
import { RespClient } from "./resp_client.ts";

const RUNTIMES: readonly Runtime[] = ["bun", "deno", "node", "binary"];

/** `kind key` of each change a reader has had. */
function changes(reader: SseReader): string[] {
  return reader.events.map(({ data }) => {
    const { kind, key } = JSON.parse(data);
    return key === undefined ? kind : `${kind} ${key}`;
  });
}

for (const runtime of RUNTIMES) {
  describe.skipIf(balsaCommand(runtime) === undefined)(`GET /changes on ${runtime}`, () => {
    let server: Server;
    const readers: SseReader[] = [];
    const run = (...argv: unknown[]) => command(server.httpPort, argv);
    const read = (query: string, headers: Record<string, string> = {}) => {
      const reader = new SseReader(server.httpPort, `/changes${query}`, headers);
      readers.push(reader);
      return reader;
    };
    /** The index of the last entry that was applied. */
    const here = async () =>
      Number((await ask(server.httpPort, "/set/here/1")).headers.get("balsa-index"));

    beforeAll(async () => {
      server = await startBalsa({ runtime, args: ["--changes-mb", "1"] });
    }, 180_000);
    afterAll(async () => {
      for (const reader of readers) reader.close();
      await server.stop();
    });

    test("tells of each change that is made, and of no other", async () => {
      const since = await here();
      const reader = read(`?since=${since}`);
      await run("MSET", "a", "1", "b", "2");
      await run("DEL", "a", "missing");
      await run("GET", "b");
      await run("INCR", "text");
      await run("SET", "text", "x");
      await run("INCR", "text");
      await run("RENAME", "b", "c");
      await run("FLUSHDB");
      await run("FLUSHDB");
      await run("SET", "é,\n\"'", "1");
      await until(() => reader.events.length >= 9, "the changes");
      expect(changes(reader)).toEqual([
        "set a",
        "set b",
        "del a",
        "set text",
        "set text",
        "del b",
        "set c",
        "flush",
        "set é,\n\"'",
      ]);
      const first = JSON.parse(reader.events[0].data);
      expect(first).toMatchObject({ db: 0, command: "mset" });
      expect(first.index).toBeGreaterThan(since);
      expect(Math.abs(first.time - Date.now())).toBeLessThan(60_000);
      expect(reader.head).toInclude("content-type: text/event-stream");
      expect(reader.head).toInclude("upstash-sync-token: ");
    });

    test("a key that has expired is told of", async () => {
      const reader = read(`?since=${await here()}&prefix=dies`);
      await run("SET", "dies", "x", "PX", "20");
      await until(() => reader.events.length === 2, "its end");
      expect(changes(reader)).toEqual(["set dies", "expired dies"]);
    });

    test("a prefix leaves out other keys; keys of any bytes are told of", async () => {
      const reader = read(`?prefix=user%3A&since=${await here()}`);
      await run("SET", "user:1", "x");
      await run("SET", "other", "x");
      await ask(server.httpPort, "/set/user%3A%ff/x");
      await run("SET", "user:2", "x");
      await until(() => reader.events.length === 3, "the changes");
      const events = reader.events.map(({ data }) => JSON.parse(data));
      expect(events.map(({ key }) => key)).toEqual(["user:1", "user:\ufffd", "user:2"]);
      expect(Buffer.from(events[1].keyBase64, "base64").toString("latin1")).toBe("user:\xff");
    });

    test("who resumes by any id has neither gap nor double", async () => {
      const since = await here();
      const whole = read(`?since=${since}`);
      for (let i = 0; i < 20; i++) {
        await run("MSET", `x${i}`, "1", `y${i}`, "2", `z${i}`, "3");
      }
      await until(() => whole.events.length === 60, "all changes");
      const ids = whole.events.map(({ id }) => id);
      expect(new Set(ids).size).toBe(60);
      for (let at = 0; at < 60; at += 7) {
        const rest = read("?since=0", { "Last-Event-ID": ids[at] });
        await until(() => rest.events.length >= 59 - at, "the rest");
        await sleep(20);
        expect(rest.events).toEqual(whole.events.slice(at + 1));
        rest.close();
      }
    });

    test("many readers, at any time, have the same", async () => {
      const since = await here();
      const early = Array.from({ length: 10 }, () => read(`?since=${since}`));
      const resp = await RespClient.open(server.port);
      for (let i = 0; i < 300; i++) await resp.command("SET", `many${i}`, "x");
      const late = Array.from({ length: 10 }, () => read(`?since=${since}`));
      for (let i = 300; i < 600; i++) await resp.command("SET", `many${i}`, "x");
      resp.close();
      const all = [...early, ...late];
      await until(() => all.every(({ events }) => events.length === 600), "all of them");
      for (const { events } of all) expect(events).toEqual(early[0].events);
      for (const reader of all) reader.close();
    });

    test("what is too old is 410, with the oldest index; what is no index is 400", async () => {
      const resp = await RespClient.open(server.port);
      for (let round = 0; round < 40; round++) {
        const pairs = Array.from({ length: 1000 }, (_, i) => [`key-with-a-long-name-${i}`, "x"]);
        await resp.command("MSET", ...pairs.flat());
      }
      resp.close();
      await until(async () => (await fetchStatus("/changes?since=0")) === 410, "0 to be gone");
      let oldest = 0;
      let reader = read("?since=0");
      // More may go between the answer and the next request.
      await until(async () => {
        reader.close();
        const gone = await ask(server.httpPort, "/changes?since=0");
        const told = gone.json as { oldest: number; error: string };
        oldest = told.oldest;
        expect(told.error).toBe(`ERR the changes before index ${oldest} are gone`);
        expect(await fetchStatus(`/changes?since=${oldest - 2}`)).toBe(410);
        reader = read(`?since=${oldest - 1}`);
        await until(() => reader.status !== 0, "an answer");
        return reader.status === 200;
      }, "the changes to be trimmed no more");
      await until(() => reader.events.length > 0, "the oldest change");
      expect(JSON.parse(reader.events[0].data).index).toBe(oldest);
      for (const query of ["since=x", "since=-1", "since=1-2-3", "since=1.5", "from=1"]) {
        expect(await fetchStatus(`/changes?${query}`)).toBe(400);
      }
    });

    async function fetchStatus(path: string): Promise<number> {
      const reader = read(path.slice("/changes".length));
      await until(() => reader.status !== 0, "an answer");
      reader.close();
      return reader.status;
    }

    test("who stops reading is dropped with an event that says why, and harms nobody", async () => {
      const resp = await RespClient.open(server.port);
      const write = async (rounds: number) => {
        const long = "k".repeat(2000);
        for (let round = 0; round < rounds; round++) {
          const pairs = Array.from({ length: 200 }, (_, i) => [`${long}${round}-${i}`, "x"]);
          await resp.command("MSET", ...pairs.flat());
          await resp.command("DEL", ...pairs.map(([key]) => key));
        }
      };
      await write(40);
      const before = residentBytes(server.pid);
      const since = await here();
      // Processes, which the system stops: a socket's pause() is a request to the runtime.
      const stopped = Array.from({ length: 20 }, () => {
        const file = join(scratchDirectory(), "events");
        const url = `http://127.0.0.1:${server.httpPort}/changes?since=${since}`;
        return { file, curl: spawn("curl", ["-sN", "-o", file, url], { stdio: "ignore" }) };
      });
      const [{ file, curl }] = stopped;
      await until(
        () => stopped.every((each) => existsSync(each.file) && statSync(each.file).size > 0),
        "the streams",
      );
      for (const each of stopped) each.curl.kill("SIGSTOP");
      await write(20);
      const half = await here();
      await write(20);
      expect(await resp.command("PING")).toBe("PONG");
      resp.close();
      // 33 MB of events for each of them. Old ones go little by little: when the first half has
      // gone, nobody can go on who has had no more than the system holds for a reader.
      await until(async () => await fetchStatus(`/changes?since=${half}`) === 410, "the bound");
      const grown = residentBytes(server.pid) - before;
      curl.kill("SIGCONT");
      await once(curl, "exit");
      for (const each of stopped) each.curl.kill("SIGKILL");
      const last = readFileSync(file, "utf8").trimEnd().split("\n").slice(-2);
      expect(last[0]).toBe("event: dropped");
      // A machine that needs 30 s for the writes has it dropped by the timer.
      const { error } = JSON.parse(last[1].slice("data: ".length));
      expect(error).toMatch(/^too slow: (the changes before index \d+ are gone|nothing was read)/);
      expect(grown).toBeLessThan(700e6);
    });

    test("two hundred open streams cost little", async () => {
      const streams = Array.from({ length: 200 }, () => read(`?prefix=nothing`));
      await until(() => streams.every(({ status }) => status === 200), "the streams");
      const before = { bytes: residentBytes(server.pid), seconds: cpuSeconds(server.pid) };
      await sleep(1000);
      expect(cpuSeconds(server.pid) - before.seconds).toBeLessThan(0.5);
      const resp = await RespClient.open(server.port);
      for (let i = 0; i < 200; i++) await resp.command("SET", "watched", String(i));
      resp.close();
      expect(residentBytes(server.pid) - before.bytes).toBeLessThan(50e6);
      for (const stream of streams) stream.close();
    });

    test("a stop ends the streams and does not wait for them", async () => {
      const reader = read("");
      await until(() => reader.status === 200, "the stream");
      const start = Date.now();
      await server.stop();
      expect(Date.now() - start).toBeLessThan(4000);
      await until(() => reader.isClosed, "its end");
    });
  });
}
