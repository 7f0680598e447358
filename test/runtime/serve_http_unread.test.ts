import { expect, test } from "bun:test";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { scratchDirectory, until } from "../system/harness.ts";

const RUN = fileURLToPath(new URL("./serve_http_unread_run.ts", import.meta.url).href);
const DENO = fileURLToPath(new URL("../../node_modules/.bin/deno", import.meta.url).href);

const RUNTIMES: [string, string[]][] = [["bun", [process.execPath]]];
if (existsSync(DENO)) RUNTIMES.push(["deno", [DENO, "run", "-A", "--no-check"]]);
if (process.env.BALSA_NODE) RUNTIMES.push(["node", [process.env.BALSA_NODE]]);

/** Connections to `port` that are open on its side. */
function established(port: number): number {
  const local = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const rows = readFileSync("/proc/net/tcp", "utf8").split("\n").map((line) => line.split(/ +/));
  return rows.filter((row) => row[2]?.endsWith(local) && row[4] === "01").length;
}

for (const [runtime, [command, ...args]] of RUNTIMES) {
  test.skipIf(!existsSync("/proc/net/tcp"))(
    `serveHttp on ${runtime} cuts who takes nothing of an answer, and nobody who is slow`,
    async () => {
      const children: ChildProcess[] = [];
      const server = spawn(command, [...args, RUN], { stdio: ["ignore", "pipe", "inherit"] });
      children.push(server);
      try {
        const port = Number(String((await once(server.stdout, "data"))[0]));
        const get = (path: string, ...more: string[]) => {
          const file = join(scratchDirectory(), "answer");
          const url = `http://127.0.0.1:${port}${path}`;
          const curl = spawn("curl", ["-sN", "-o", file, ...more, url], { stdio: "ignore" });
          children.push(curl);
          return { curl, bytes: () => existsSync(file) ? statSync(file).size : 0 };
        };
        const stopped = ["/big", "/dropped"].map((path) => get(path, "--limit-rate", "500k"));
        for (const { curl, bytes } of stopped) {
          await until(() => bytes() > 0, "the first bytes");
          curl.kill("SIGSTOP");
        }
        const slow = get("/big", "--limit-rate", "6M");
        const stream = get("/stream", "--limit-rate", "4M");
        const ended = await once(slow.curl, "exit");
        expect([ended[0], slow.bytes()]).toEqual([0, 16 << 20]);
        await until(() => established(port) === 1, "the end of those that stopped");
        expect(stream.curl.exitCode).toBeNull();
      } finally {
        for (const child of children) child.kill("SIGKILL");
      }
    },
  );
}
