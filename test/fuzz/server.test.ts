import { afterAll, expect, test } from "bun:test";
import { connect } from "node:net";
import { join } from "node:path";
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import fc from "fast-check";
import {
  balsaCommand,
  cleanupAll,
  freePort,
  launch,
  residentBytes,
  scratchDirectory,
  startBalsa,
} from "../system/harness.ts";
import { RespClient } from "../system/resp_client.ts";
import { encodeFrame, FRAME } from "../../src/transport/frame.ts";
import { anyBytes, damaged, holdsAsync } from "./fuzz.ts";

const LONG = 180_000;
const CONNECTIONS = 150;
const SILENT_MS = 200;

afterAll(cleanupAll);

/** Sends bytes, and waits for the end of the connection, or for silence. */
function send(port: number, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port }, () => socket.write(bytes));
    const end = (): void => {
      socket.destroy();
      resolve();
    };
    socket.setTimeout(SILENT_MS, end);
    socket.on("data", () => {});
    socket.on("error", end);
    socket.on("close", end);
  });
}

test("a server that is sent anything on any port serves on, in as much memory", async () => {
  const peerPort = await freePort();
  const server = await startBalsa({ args: ["--peer-port", String(peerPort)] });
  const client = await RespClient.open(server.port);
  await client.command("SET", "key", "value");
  const beforeBytes = residentBytes(server.pid);
  const texts = fc.constantFrom(
    "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1073741824\r\n",
    "*1000000\r\n",
    "GET /",
  );
  const http = fc.tuple(fc.constantFrom("GET / HTTP/1.1", "POST /pipeline HTTP/1.1"), anyBytes())
    .map(([line, body]) => `${line}\r\nContent-Length: 99\r\n\r\n${body.toString("latin1")}`);
  const frame = fc.tuple(fc.constantFrom(...Object.values(FRAME)), anyBytes())
    .map(([type, payload]) => encodeFrame(type, payload));
  const input = fc.oneof(
    anyBytes(),
    fc.oneof(texts, http).map((text) => Buffer.from(text, "latin1")),
    frame,
  );
  await holdsAsync(fc.array(input, { minLength: 6, maxLength: 6 }), async (all) => {
    const ports = [server.port, server.httpPort, peerPort];
    await Promise.all(all.map((bytes, i) => send(ports[i % ports.length], bytes)));
  }, CONNECTIONS / 6);
  expect(await client.command("GET", "key")).toBe("value");
  expect(residentBytes(server.pid) - beforeBytes).toBeLessThan(200 * 1024 * 1024);
  await server.stop();
}, LONG);

test("a server whose files are damaged starts, or says in one line why not", async () => {
  const data = join(scratchDirectory(), "data");
  const server = await startBalsa({ data });
  const client = await RespClient.open(server.port);
  for (let i = 0; i < 200; i++) await client.command("SET", `key:${i}`, `value:${i}`);
  await client.command("RAFT.SNAPSHOT");
  for (let i = 0; i < 50; i++) await client.command("SET", `key:${i}`, `later:${i}`);
  await server.stop();
  const ends = { started: 0, refused: 0 };
  for (const name of ["state.db", "log.db"]) {
    const whole = readFileSync(join(data, name));
    await holdsAsync(damaged(whole), async (bytes) => {
      const copy = join(scratchDirectory(), "data");
      cpSync(data, copy, { recursive: true });
      writeFileSync(join(copy, name), bytes);
      const words = [...balsaCommand("bun")!, "serve", "--data", copy, "--port", "0"];
      const { server, output, waitFor } = launch([...words, "--http-port", "0"], copy, {});
      await waitFor(/ready to accept connections/).catch(() => {});
      const isUp = output().includes("ready to accept connections");
      isUp ? ends.started++ : ends.refused++;
      await server.kill9();
      expect(output()).not.toMatch(/\n {4,}at /);
      if (!isUp) expect(output()).toMatch(/error |balsa: /);
    }, 8);
  }
  console.log(`damaged files: ${JSON.stringify(ends)}`);
}, LONG);
