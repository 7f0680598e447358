import { afterAll, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import {
  balsaCommand,
  cleanupAll,
  hasProgram,
  type Runtime,
  scratchDirectory,
  startBalsa,
  until,
} from "./harness.ts";
import { RespClient } from "./resp_client.ts";
import { parseStrace, repliesBeforeSync, STRACE_WORDS } from "./strace.ts";

afterAll(cleanupAll);

const LOG = /\/log\.db/;
const COMMANDS = 20;

const RUNTIMES: readonly Runtime[] = ["bun", "deno", "binary", "node"];
const CASES = RUNTIMES.flatMap((runtime) => [[runtime, "inline"], [runtime, "worker"]] as const);

for (const [runtime, writer] of CASES) {
  const runs = hasProgram("strace") && balsaCommand(runtime) !== undefined;
  const name = `a write's reply leaves after the fsync of the log (${runtime}, ${writer})`;
  test.skipIf(!runs)(name, async () => {
    const trace = join(scratchDirectory(), "strace.txt");
    const args = ["--log-writer", writer];
    const wrapper = [...STRACE_WORDS, trace];
    const server = await startBalsa({ runtime, http: false, args, wrapper });
    const client = await RespClient.open(server.port);
    for (let i = 0; i < COMMANDS; i++) {
      expect(await client.command("SET", `one:${i}`, "value")).toBe("OK");
    }
    const many = Array.from({ length: COMMANDS }, (_, i) => ["SET", `many:${i}`, "value"]);
    expect(await client.pipeline(many)).toEqual(many.map(() => "OK"));
    expect(String(await client.command("INFO", "raft"))).toContain(`raft_log_writer:${writer}`);
    client.close();
    await server.stop();
    await until(() => readFileSync(trace, "latin1").includes("+++ exited"), "strace's last line");
    const result = repliesBeforeSync(parseStrace(readFileSync(trace, "latin1")), LOG);
    expect(result.early).toEqual([]);
    expect(result.replies).toBeGreaterThanOrEqual(COMMANDS + 1);
  }, 120_000);
}

const SOCKET = "9<TCP:[127.0.0.1:7991->127.0.0.1:48300]>";
const READ = `7 1.0 read(${SOCKET}, "*3 SET a b", 16384) = 27\n`;
const WRITE = `7 1.1 pwrite64(8</tmp/log.db-wal>, "SET a b", 50, 0) = 50\n`;
const SYNC = `8 1.2 fdatasync(8</tmp/log.db-wal> <unfinished ...>\n` +
  `8 1.3 <... fdatasync resumed>) = 0\n`;
const REPLY = `7 1.4 sendto(${SOCKET}, "+OK\\r\\n", 5, 0, NULL, 0) = 5\n`;

test("repliesBeforeSync tells a reply behind the fsync from one before it", () => {
  const early = (trace: string) => repliesBeforeSync(parseStrace(trace), LOG).early.length;
  expect(early(READ + WRITE + SYNC + REPLY)).toBe(0);
  expect(early(READ + WRITE + REPLY + SYNC)).toBe(1);
  expect(early(READ + SYNC + WRITE + REPLY)).toBe(1);
  expect(early(WRITE + SYNC + READ + REPLY)).toBe(1);
  const [syncStart, syncEnd] = SYNC.split("\n");
  expect(early(READ + WRITE + syncStart + "\n" + REPLY + syncEnd + "\n")).toBe(1);
});
