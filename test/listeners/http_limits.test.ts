import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type ChildProcess, spawn } from "node:child_process";
import { connect } from "node:net";
import { createInterface } from "node:readline";
import { sleep, until } from "../system/harness.ts";
import { SseReader } from "../system/http_client.ts";
import { exchange, parseResponse } from "./http_raw_client.ts";
import { RUNTIMES } from "./http_runtimes.ts";

const SCRIPT = `${import.meta.dirname}/http_limits_app.ts`;

for (const { name, argv: [program, ...argv], skipped } of RUNTIMES) {
  describe.skipIf(skipped)(`limits of HTTP on ${name}`, () => {
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

    /** Sends a head, then a byte of the body every 50 ms; resolves with the status answered. */
    function trickle(head: string): Promise<number> {
      return new Promise((resolve, reject) => {
        let received = "";
        const socket = connect(port, "127.0.0.1", () => socket.write(head));
        const timer = setInterval(() => socket.write("1\r\nx\r\n"), 50);
        const end = () => {
          clearInterval(timer);
          socket.destroy();
          const status = /^HTTP\/1\.1 (\d+)/.exec(received)?.[1];
          if (status === undefined) reject(new Error("closed without an answer"));
          else resolve(Number(status));
        };
        socket.on("data", (chunk) => {
          received += String(chunk);
          if (received.includes("too slowly")) end();
        });
        socket.on("close", end);
        socket.on("error", end);
      });
    }

    test("a body that comes too slowly is refused, however it is sent", async () => {
      const head = "POST /set/a HTTP/1.1\r\nHost: x\r\n";
      const attacks = [
        `${head}Content-Length: 1000\r\n\r\n`,
        `${head}Content-Length: 3000000\r\n\r\n`,
        `${head}Transfer-Encoding: chunked\r\n\r\n`,
      ];
      const start = performance.now();
      expect(await Promise.all(attacks.map(trickle))).toEqual([408, 408, 408]);
      expect(performance.now() - start).toBeGreaterThan(390);
    });

    test("a large body that keeps coming may take longer", async () => {
      const bytes = 2_000_000;
      const head = `POST /strlen HTTP/1.1\r\nHost: x\r\nConnection: close\r\n` +
        `Content-Length: ${bytes}\r\n\r\n`;
      const answer = await new Promise<Buffer>((resolve) => {
        const chunks: Buffer[] = [];
        const socket = connect(port, "127.0.0.1", async () => {
          socket.write(head);
          for (let sent = 0; sent < bytes; sent += 200_000) {
            socket.write("x".repeat(200_000));
            await sleep(70);
          }
        });
        socket.on("data", (chunk: Buffer) => chunks.push(chunk));
        socket.on("close", () => resolve(Buffer.concat(chunks)));
      });
      expect(parseResponse(answer).status).toBe(200);
    });

    test("streams are limited in number; a silent one has heartbeats", async () => {
      const open = () => new SseReader(port, "/subscribe/a");
      const readers = [open(), open(), open()];
      await until(() => readers.every(({ status }) => status === 200), "three streams");
      const fourth = open();
      await until(() => fourth.status !== 0, "an answer");
      expect(fourth.status).toBe(503);
      expect(fourth.text).toInclude("BUSY Too many event streams");
      fourth.close();
      await until(() => readers.every(({ comments }) => comments >= 8), "heartbeats");
      expect(readers.some(({ isClosed }) => isClosed)).toBe(false);
      readers[0].close();
      let again = open();
      await until(async () => {
        if (again.status === 503) again = (await sleep(20), again.close(), open());
        return again.status === 200;
      }, "room for another");
      for (const reader of [...readers, again]) reader.close();
    });

    test("silent connections and unfinished heads are cut", async () => {
      const silent = exchange(port, "");
      const unfinished = exchange(port, "GET /ok HTTP/1.1\r\nHost: x\r\nX-Slow: ");
      const dripping = new Promise<void>((resolve) => {
        const socket = connect(port, "127.0.0.1", () => socket.write("GET /ok HTTP/1.1\r\n"));
        const timer = setInterval(() => socket.write("X-Slow: x\r\n"), 100);
        socket.on("error", () => {});
        socket.on("close", () => resolve(clearInterval(timer)));
      });
      const idle = exchange(port, "GET /ok HTTP/1.1\r\nHost: x\r\n\r\n");
      const ends = await Promise.all([silent, unfinished, idle]);
      expect(parseResponse(ends[2]).status).toBe(200);
      await dripping;
    }, 180_000);
  });
}
