import { describe, expect, test } from "bun:test";
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import process from "node:process";
import { promisify } from "node:util";
import { fileURLToPath } from "node:url";

const RUN = fileURLToPath(new URL("./serve_http_run.ts", import.meta.url).href);
const DENO = fileURLToPath(new URL("../../node_modules/.bin/deno", import.meta.url).href);

/** Runtimes to spawn; Node.js only where BALSA_NODE names one that strips types. */
const RUNTIMES: [string, string[]][] = [["bun", [process.execPath]]];
if (existsSync(DENO)) RUNTIMES.push(["deno", [DENO, "run", "-A", "--no-check"]]);
if (process.env.BALSA_NODE) RUNTIMES.push(["node", [process.env.BALSA_NODE]]);

describe("serveHttp", () => {
  for (const [runtime, [command, ...args]] of RUNTIMES) {
    test(`on ${runtime}: bytes, peer, streams, a port in use, stop`, async () => {
      const { stdout } = await promisify(execFile)(command, [...args, RUN]);
      expect(JSON.parse(stdout)).toEqual({
        runtime,
        status: 201,
        method: "POST",
        binary: true,
        peer: "127.0.0.1",
        inUse: "ListenError EADDRINUSE",
        streamed: true,
        inFlight: 201,
        refusedAfterStop: true,
        stopsWhenIdle: true,
      });
    });
  }
});
