import { writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  DEFAULT_RUNTIME,
  residentBytes,
  scratchDirectory,
  type Server,
  startBalsa,
  until,
} from "../system/harness.ts";
import { RespClient } from "../system/resp_client.ts";
import { drive, request, type Taken } from "./driver.ts";
import { table } from "./report.ts";
import { seedState } from "./seed_state.ts";

const CACHE_MB = 64;
const VALUE = "x".repeat(64);
const CLIENTS = 10;
const HOT_KEYS = 1000;
const KEYS_PER_REQUEST = 50;
/** To SET more would take too long. */
const SERVED_KEYS_MAX = 1_000_000;
const SETTLE_TIMEOUT_MS = 300_000;
const MIB = 1024 * 1024;

export interface GrowthOptions {
  /** Numbers of keys, ascending. */
  readonly sizes: readonly number[];
  /** Of each measurement. */
  readonly seconds: number;
  readonly outPath: string;
}

/** What was measured with so many keys. */
interface GrowthRow {
  readonly keys: number;
  readonly measured: Readonly<Record<string, Taken>>;
  readonly residentBytes: number;
  readonly loopLateMsMax: number;
}

const keyOf = (n: number) => `key:${n}`;
const hot = () => keyOf(1 + Math.floor(Math.random() * HOT_KEYS));

/** Measures one node with more and more keys and the same cache; resolves to the table. */
export async function benchGrowth({ sizes, seconds, outPath }: GrowthOptions): Promise<string> {
  const data = join(scratchDirectory(), "data");
  const args = ["--cache-mb", String(CACHE_MB)];
  let server = await startBalsa({ data, http: false, args });
  console.log(`balsa on ${DEFAULT_RUNTIME}, --cache-mb ${CACHE_MB}, values of 64 bytes`);
  const rows: GrowthRow[] = [];
  let filled = 0;
  for (const keys of sizes) {
    if (keys > SERVED_KEYS_MAX) {
      console.log(`  ${keys} keys are put into state.db past the server`);
      await server.stop();
      await seedState(data, filled, keys, VALUE);
      server = await startBalsa({ data, http: false, args });
    } else await fillTo(server, filled, keys);
    filled = keys;
    rows.push(await measure(server, keys, seconds));
    writeFileSync(outPath, JSON.stringify({ runtime: DEFAULT_RUNTIME, rows }, undefined, 2) + "\n");
  }
  await server.stop();
  return render(rows);
}

async function fillTo(server: Server, from: number, to: number): Promise<void> {
  let next = from;
  const timer = setInterval(() => console.log(`  ${next} of ${to} keys`), 5000);
  const taken = await drive(server.port, 4, 4, () => {
    if (next >= to) return undefined;
    const words = ["MSET"];
    for (let i = 0; i < KEYS_PER_REQUEST && next < to; i++) words.push(keyOf(++next), VALUE);
    return request(...words);
  });
  if (taken.errors > 0) throw new Error(taken.error);
  await settle(server);
  clearInterval(timer);
}

/** Waits until all is written behind. */
async function settle(server: Server): Promise<void> {
  const isClean = async () => (await infoOf(server)).get("cache_dirty_bytes") === "0";
  await until(isClean, "all is flushed", SETTLE_TIMEOUT_MS);
}

async function measure(server: Server, keys: number, seconds: number): Promise<GrowthRow> {
  const cold = () => keyOf(1 + Math.floor(Math.random() * keys));
  const kinds = {
    "GET hot": () => request("GET", hot()),
    "SET hot": () => request("SET", hot(), VALUE),
    "GET cold": () => request("GET", cold()),
    "SET cold": () => request("SET", cold(), VALUE),
  };
  const client = await RespClient.open(server.port);
  await client.command("CONFIG", "RESETSTAT");
  client.close();
  const measured: Record<string, Taken> = {};
  for (const [name, next] of Object.entries(kinds)) {
    // Once before, so that what is hot is in memory and the loop is compiled.
    await drive(server.port, CLIENTS, 1, times(2000, next));
    const endMs = performance.now() + seconds * 1000;
    const taken = await drive(server.port, CLIENTS, 1, () => {
      return performance.now() < endMs ? next() : undefined;
    });
    measured[name] = taken;
    console.log(
      `  ${keys} keys  ${name}  ${latencies(taken)}  ${Math.round(taken.requestsPerSecond)}/s`,
    );
  }
  await settle(server);
  const loopLateMsMax = Number((await infoOf(server)).get("loop_late_ms_max"));
  return { keys, measured, residentBytes: residentBytes(server.pid), loopLateMsMax };
}

function times(count: number, next: () => string): () => string | undefined {
  return () => count-- > 0 ? next() : undefined;
}

async function infoOf(server: Server): Promise<Map<string, string>> {
  const client = await RespClient.open(server.port);
  const text = String(await client.command("INFO", "all"));
  client.close();
  return new Map(text.split("\r\n").map((line) => line.split(":") as [string, string]));
}

function latencies({ p50Ms, p99Ms }: Taken): string {
  return `${p50Ms.toFixed(2)} / ${p99Ms.toFixed(1)}`;
}

function render(rows: readonly GrowthRow[]): string {
  const names = Object.keys(rows[0].measured);
  return table(
    ["keys", ...names.map((name) => `${name}, p50 / p99 ms`), "RSS MB", "loop late ms"],
    rows.map(({ keys, measured, residentBytes, loopLateMsMax }) => [
      keys.toLocaleString("en"),
      ...names.map((name) => latencies(measured[name])),
      (residentBytes / MIB).toFixed(0),
      loopLateMsMax.toFixed(0),
    ]),
  );
}
