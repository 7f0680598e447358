import { statSync } from "node:fs";
import { join } from "node:path";
import {
  cpuSeconds,
  DEFAULT_RUNTIME,
  residentBytes,
  scratchDirectory,
  type Server,
  sleep,
  startBalsa,
} from "../system/harness.ts";
import { RespClient } from "../system/resp_client.ts";
import { drive, request } from "./driver.ts";
import { median } from "./load.ts";
import { table } from "./report.ts";
import { makeData, seedState } from "./seed_state.ts";

const MIB = 1024 * 1024;
const STARTS = 5;
const VALUE = "x".repeat(64);
/** What a key of this size takes in state.db, about. */
const BYTES_PER_KEY = 130;
const LOAD_MS = 5000;

/** How long starts of one data directory took. */
interface StartRow {
  readonly name: string;
  readonly readyMs: number[];
  readonly replyMs: number[];
  /** Of the processor, until the first reply. */
  readonly cpuMs: number[];
  residentBytes: number;
}

/** Starts nodes on small and large data directories; resolves to the table. */
export async function benchStart(stateMb: number): Promise<string> {
  console.log(`balsa on ${DEFAULT_RUNTIME}, the middle of ${STARTS} starts`);
  const empty = newRow("empty");
  for (let i = 0; i < STARTS; i++) {
    await (await start(empty, join(scratchDirectory(), "data"), "PING")).stop();
  }
  console.log(`making a state.db of ${stateMb} MB`);
  const data = join(scratchDirectory(), "data");
  await makeData(data);
  await seedState(data, 0, Math.round(stateMb * MIB / BYTES_PER_KEY), VALUE);
  const bytes = statSync(join(data, "state.db")).size;
  const large = newRow(`state.db of ${(bytes / MIB).toFixed(0)} MB`);
  for (let i = 0; i < STARTS; i++) await (await start(large, data, "GET", "key:77777")).stop();
  const killed = newRow("the same, killed under load");
  for (let i = 0; i < STARTS; i++) {
    const server = await start(killed, data, "GET", "key:77777");
    await load(server);
    await server.kill9();
  }
  // The first of them was not after a kill.
  for (const times of [killed.readyMs, killed.replyMs, killed.cpuMs]) times.shift();
  const last = await start(newRow(""), data, "GET", "key:77777");
  const client = await RespClient.open(last.port);
  const info = String(await client.command("INFO", "persistence"));
  client.close();
  await last.stop();
  console.log(`log at the end: ${/log_bytes:(\d+)/.exec(info)?.[1]} bytes`);
  return table(
    ["start with", "ready, ms", "first reply, ms", "CPU, ms", "RSS after a second, MB"],
    [empty, large, killed].map((row) => [
      row.name,
      median(row.readyMs).toFixed(0),
      median(row.replyMs).toFixed(0),
      median(row.cpuMs).toFixed(0),
      (row.residentBytes / MIB).toFixed(1),
    ]),
  );
}

function newRow(name: string): StartRow {
  return { name, readyMs: [], replyMs: [], cpuMs: [], residentBytes: 0 };
}

async function start(row: StartRow, data: string, ...command: string[]): Promise<Server> {
  const startMs = performance.now();
  const server = await startBalsa({ data, http: false });
  row.readyMs.push(performance.now() - startMs);
  const client = await RespClient.open(server.port);
  await client.command(...command);
  row.replyMs.push(performance.now() - startMs);
  row.cpuMs.push(cpuSeconds(server.pid) * 1000);
  client.close();
  await sleep(1000);
  row.residentBytes = residentBytes(server.pid);
  return server;
}

async function load({ port }: Server): Promise<void> {
  const endMs = performance.now() + LOAD_MS;
  const anyKey = () => `key:${1 + Math.floor(Math.random() * 1e6)}`;
  await drive(port, 20, 1, () => {
    return performance.now() < endMs ? request("SET", anyKey(), VALUE) : undefined;
  });
}
