import { afterAll, expect, test } from "bun:test";
import { statSync } from "node:fs";
import { join } from "node:path";
import { LOG_BYTES_SOFT_MAX } from "../../src/constants.ts";
import { cleanupAll, startBalsa } from "./harness.ts";
import { RespClient, RespError } from "./resp_client.ts";

afterAll(cleanupAll);

const VALUE_BYTES = 4096;
const DEPTH = 64;
const CLIENTS = 4;
const KEYS = 2000;

test("the log is compacted under sustained writes, and they go on", async () => {
  const server = await startBalsa({ http: false });
  const total = 2.5 * LOG_BYTES_SOFT_MAX / VALUE_BYTES;
  const last = new Map<string, string>();
  const write = async (id: number): Promise<void> => {
    const client = await RespClient.open(server.port);
    for (let sent = 0; sent < total / CLIENTS; sent += DEPTH) {
      const commands = Array.from({ length: DEPTH }, (_, i) => {
        const key = `key:${id}:${(sent + i) % KEYS}`;
        const value = `${sent + i}.`.padEnd(VALUE_BYTES, "x");
        last.set(key, value);
        return ["SET", key, value];
      });
      for (const reply of await client.pipeline(commands)) {
        if (reply instanceof RespError) throw new Error(reply.text);
      }
    }
    client.close();
  };
  await Promise.all(Array.from({ length: CLIENTS }, (_, id) => write(id)));
  const logBytes = statSync(join(server.data, "log.db")).size;
  expect(logBytes).toBeLessThan(2.2 * LOG_BYTES_SOFT_MAX);
  await server.kill9();
  const again = await startBalsa({ data: server.data, http: false });
  const reader = await RespClient.open(again.port);
  for (const [key, value] of last) {
    if (await reader.command("GET", key) !== value) throw new Error(`${key} is not the last value`);
  }
  reader.close();
  await again.stop();
}, 120_000);
