import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Bytes } from "../../src/base/bytes.ts";
import { OK } from "../../src/resp/reply.ts";
import { sleep } from "../system/harness.ts";
import { BODY_BYTES_MAX, fakeExecutor, serveFake, TOKEN } from "./http_fake_app.ts";
import {
  exchange,
  firstResponse,
  parseResponse,
  type RawResponse,
  sendRaw,
} from "./http_raw_client.ts";
import { type RequestRow, REQUESTS } from "./http_requests.ts";
import { RUNTIMES } from "./http_runtimes.ts";

const SCRIPT = `${import.meta.dirname}/http_fake_app.ts`;

for (const { name, argv: [program, ...argv], skipped } of RUNTIMES) {
  describe.skipIf(skipped)(`makeHttpApp on ${name}`, () => {
    let child: ChildProcess;
    let port = 0;
    beforeAll(async () => {
      child = spawn(program, [...argv, SCRIPT], { stdio: ["pipe", "pipe", "inherit"] });
      for await (const line of createInterface({ input: child.stdout! })) {
        port = Number(line);
        break;
      }
      expect(port).toBeGreaterThan(0);
    });
    afterAll(() => child.stdin!.end());

    REQUESTS.forEach((row, index) => {
      if (name !== "bun" && row.onBunOnly) return;
      test(`${index}: ${title(row)}`, async () => check(row, await sendRaw(port, complete(row))));
    });

    test("a body that ends early runs no command, and the server lives on", async () => {
      const head = `POST /set/a HTTP/1.1\r\nHost: x\r\nAuthorization: ${TOKEN}\r\n`;
      const cuts = [
        "Content-Length: 10\r\n\r\nabc",
        "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
      ];
      for (const cut of cuts) {
        const answer = await exchange(port, head + cut, true);
        if (answer.length > 0) expect(parseResponse(answer).status).toBe(400);
      }
      expect((await sendRaw(port, { target: "/health" })).status).toBe(200);
    });

    test("a declared length over the limit is refused before the body comes", async () => {
      const head = `POST /set/a HTTP/1.1\r\nHost: x\r\nAuthorization: ${TOKEN}\r\n`;
      const answer = await firstResponse(port, `${head}Content-Length: ${1e12}\r\n\r\n`);
      expect(answer.status).toBe(413);
      expect(JSON.parse(answer.body.toString()).error).toInclude("Actual: 1000000000000 bytes");
    });

    test("a head that is not HTTP or far too large is refused, and the server lives on", async () => {
      const heads = [
        "garbage\r\n\r\n",
        `GET / HTTP/1.1\r\nHost: x\r\nX: ${"a".repeat(4 << 20)}\r\n`,
      ];
      for (const head of heads) {
        // Cut in the middle of a head, a connection may be reset before its answer is read.
        const answer = await exchange(port, head).catch(() => undefined);
        if (answer !== undefined && answer.length > 0) {
          expect(parseResponse(answer).status).toBeWithin(400, 500);
        }
      }
      expect((await sendRaw(port, { target: "/health" })).status).toBe(200);
    });

    test("one connection serves many requests in order", async () => {
      const one = (target: string) =>
        `GET ${target} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${TOKEN}\r\n`;
      const answer = await exchange(
        port,
        `${one("/echo/1")}\r\n${one("/echo/2")}\r\n${one("/echo/3")}Connection: close\r\n\r\n`,
      );
      const bodies = answer.toString().matchAll(/"result":\["echo","(\d)"\]/g);
      expect([...bodies].map((body) => body[1])).toEqual(["1", "2", "3"]);
    });
  });
}

/** 0 where there is no Node.js. */

function title({ method = "GET", target, headers, body, chunked }: RequestRow): string {
  const parts = [method, target.slice(0, 40), JSON.stringify(headers ?? ""), body?.slice(0, 30)];
  return [...parts, chunked ? "chunked" : ""].join(" ").replace(/[^ -~]/g, "?");
}

function complete(row: RequestRow): RequestRow {
  const headers = {
    ...(row.anonymous ? {} : { Authorization: `Bearer ${TOKEN}` }),
    ...(row.argv === undefined ? {} : { "Upstash-Encoding": "base64" }),
    ...row.headers,
  };
  return { ...row, headers };
}

function check(row: RequestRow, response: RawResponse): void {
  const status = row.status ?? 200;
  expect(response.status).toBe(status);
  const text = response.body.toString("utf8");
  if (row.text !== undefined) expect(response.body.toString("latin1")).toBe(row.text);
  else expect(response.headers.get("content-type")).toBe("application/json");
  if (row.argv !== undefined) expect(JSON.parse(text).result.map(atob)).toEqual(row.argv);
  if (row.json !== undefined) expect(JSON.parse(text)).toEqual(row.json);
  if (row.error !== undefined) expect(JSON.parse(text).error).toInclude(row.error);
  if (status === 401) expect(response.headers.get("www-authenticate")).toBe("Bearer");
  if (status === 405) expect(response.headers.get("allow")).toBeString();
}

describe("HttpExecutor", () => {
  test("readiness decides GET /ready, never GET /health", async () => {
    const state = { reason: "no leader" };
    const server = await serveFake(fakeExecutor(state));
    const ready = await sendRaw(server.port, { target: "/ready" });
    expect(ready.status).toBe(503);
    expect(JSON.parse(ready.body.toString())).toEqual({ error: "not ready: no leader" });
    expect((await sendRaw(server.port, { target: "/health" })).status).toBe(200);
    state.reason = "";
    expect((await sendRaw(server.port, { target: "/ready" })).status).toBe(200);
    await server.stop();
  });

  test("a pipeline is run at once, without its refused commands", async () => {
    const batches: (readonly (readonly Bytes[])[])[] = [];
    const server = await serveFake({
      ...fakeExecutor({ reason: "" }),
      execute(commands) {
        batches.push(commands);
        const position = { index: 1, position: 1 };
        return Promise.resolve({ replies: commands.map(() => OK), position });
      },
    });
    const body = '[["A"],["QUIT"],["B","1"]]';
    const answer = await sendRaw(server.port, { method: "POST", target: "/pipeline", body });
    expect(batches).toEqual([[["A"], ["B", "1"]]]);
    const kinds = JSON.parse(answer.body.toString()).map((item: object) => Object.keys(item)[0]);
    expect(kinds).toEqual(["result", "error", "result"]);
    await server.stop();
  });

  test("an endless chunked body is cut off at the limit", async () => {
    let executed = 0;
    const server = await serveFake({
      ...fakeExecutor({ reason: "" }),
      execute() {
        executed++;
        return Promise.resolve({ replies: [OK], position: { index: 1, position: 1 } });
      },
    });
    let pulled = 0;
    const stream = new ReadableStream<Uint8Array>({
      pull(controller) {
        pulled += 16_384;
        controller.enqueue(new Uint8Array(16_384));
        if (pulled > 1000 * BODY_BYTES_MAX) controller.close();
      },
    });
    const url = `http://127.0.0.1:${server.port}/set/a`;
    const answer = await fetch(url, { method: "POST", body: stream }).catch(() => undefined);
    if (answer !== undefined) expect(answer.status).toBe(413);
    expect(executed).toBe(0);
    expect(pulled).toBeLessThan(1000 * BODY_BYTES_MAX);
    await server.stop(sleep(100));
  });
});
