import { afterAll, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  balsaCommand,
  cleanupAll,
  DEFAULT_RUNTIME,
  runToEnd,
  startBalsa,
  until,
} from "./harness.ts";
import { RespClient, RespError } from "./resp_client.ts";
import { MIB, smallDisk, unmountAll } from "./small_disk.ts";

const FILLER_MIB = 44;

afterAll(() => {
  unmountAll();
  cleanupAll();
});

test(
  "a full disk: writes are refused, reads served, nothing lost, writes again with room",
  async () => {
    const disk = smallDisk();
    if (disk === undefined) return;
    const filler = join(disk, "filler");
    writeFileSync(filler, Buffer.alloc(FILLER_MIB * MIB));
    const data = join(disk, "data");
    const server = await startBalsa({ data });
    const client = await RespClient.open(server.port);
    const acknowledged: number[] = [];
    const valueOf = (i: number): string =>
      `${i}.`.padEnd(64 * 1024, String.fromCharCode(97 + i % 26));
    let refusal = "";
    for (let i = 0; refusal === "" && i < 1000; i++) {
      const reply = await client.command("SET", `key:${i}`, valueOf(i));
      if (!(reply instanceof RespError)) acknowledged.push(i);
      // One that meets the full disk on its way is not told that it was refused.
      else if (!reply.text.startsWith("UNKNOWN")) refusal = reply.text;
    }
    expect(refusal).toMatch(/disk|full|space/i);
    expect(acknowledged.length).toBeGreaterThan(5);
    const checkAll = async (reader: RespClient): Promise<void> => {
      for (const i of acknowledged) {
        if (await reader.command("GET", `key:${i}`) !== valueOf(i)) {
          throw new Error(
            `key:${i} is lost`,
          );
        }
      }
    };
    await checkAll(client);
    expect(await client.command("PING")).toBe("PONG");
    expect((await fetch(`http://127.0.0.1:${server.httpPort}/health`)).status).toBe(200);
    const ready = await fetch(`http://127.0.0.1:${server.httpPort}/ready`);
    expect([ready.status, await ready.json()]).toEqual([503, { error: "not ready: disk full" }]);
    rmSync(filler);
    await until(
      async () => await client.command("SET", "after", "room") === "OK",
      "a write to succeed once there is room",
    );
    await checkAll(client);
    client.close();
    await server.kill9();
    const again = await startBalsa({ data, http: false });
    const reader = await RespClient.open(again.port);
    await checkAll(reader);
    expect(await reader.command("GET", "after")).toBe("room");
    reader.close();
    expect((await again.stop()).code).toBe(0);
  },
  120_000,
);

test("a start on a full disk loses nothing", async () => {
  const disk = smallDisk();
  if (disk === undefined) return;
  const data = join(disk, "data");
  const server = await startBalsa({ data, http: false });
  const client = await RespClient.open(server.port);
  for (let i = 0; i < 20; i++) await client.command("SET", `key:${i}`, "x".repeat(32 * 1024));
  client.close();
  await server.kill9();
  const filler = join(disk, "filler");
  spawnSync("dd", ["if=/dev/zero", `of=${filler}`, "bs=64k"]);
  const command = balsaCommand(DEFAULT_RUNTIME) ?? [];
  const words = [...command, "serve", "--data", data, "--port", "0", "--http-port", "0"];
  const full = await runToEnd([...words, "--peer-port", "0"], "", 3000);
  expect(full.output).toMatch(/disk.*full/i);
  rmSync(filler);
  const again = await startBalsa({ data, http: false });
  const reader = await RespClient.open(again.port);
  for (let i = 0; i < 20; i++) {
    expect(await reader.command("STRLEN", `key:${i}`)).toBe(32 * 1024);
  }
  reader.close();
  expect((await again.stop()).code).toBe(0);
}, 120_000);
