import { existsSync, mkdirSync, readFileSync, rmdirSync } from "node:fs";
import {
  cpuSeconds,
  DEFAULT_RUNTIME,
  residentBytes,
  type Server,
  sleep,
  startBalsa,
} from "../system/harness.ts";
import { RespClient } from "../system/resp_client.ts";
import { drive, request } from "./driver.ts";

const MIB = 1024 * 1024;
const LARGE_HASH_FIELDS = 500_000;
const FIELDS_PER_REQUEST = 20;

export interface SmallMachineOptions {
  /** Memory of the machine; none when 0. */
  readonly limitMb: number;
  /** As `--cache-mb`; undefined for what Balsa chooses. */
  readonly cacheMb: number | undefined;
  readonly dataMb: number;
  /** Of the mixed load. */
  readonly seconds: number;
}

/** A memory cgroup (version 1 or 2) below this process's own; undefined where none can be made. */
function makeGroup(limitMb: number): { path: string; wrapper: string[] } | undefined {
  const own = readFileSync("/proc/self/cgroup", "latin1").split("\n");
  const v1 = own.map((line) => line.split(":")).find(([, names]) => names === "memory");
  const base = v1 === undefined
    ? `/sys/fs/cgroup${own.find((line) => line.startsWith("0::"))?.slice(3) ?? ""}`
    : `/sys/fs/cgroup/memory${v1[2]}`;
  const path = `${base}/balsa-bench-${process.pid}`;
  try {
    mkdirSync(path);
  } catch {
    return undefined;
  }
  const limits = v1 === undefined ? ["memory.max", "memory.swap.max"] : ["memory.limit_in_bytes"];
  const set = limits.map((name) =>
    `[ ! -e ${path}/${name} ] || echo ${
      name.includes("swap") ? 0 : limitMb * MIB
    } > ${path}/${name}`
  );
  const script = [...set, `echo $$ > ${path}/cgroup.procs`, 'exec "$@"'].join("; ");
  return { path, wrapper: ["sh", "-c", script, "sh"] };
}

/** A key's value length, 100 B to 10 kB, small ones more frequent; the same for a key each time. */
function lengthOf(key: number): number {
  const share = (Math.imul(key, 0x9e3779b1) >>> 0) / 2 ** 32;
  return Math.round(100 * 100 ** share);
}

async function info(port: number): Promise<Map<string, string>> {
  const client = await RespClient.open(port);
  const text = String(await client.command("INFO", "all"));
  client.close();
  return new Map(text.split("\r\n").map((line) => line.split(":") as [string, string]));
}

/** Loads data far beyond the memory and drives them; prints what it took, and the memory. */
export async function benchSmallMachine(options: SmallMachineOptions): Promise<void> {
  const { limitMb, cacheMb, dataMb, seconds } = options;
  const group = limitMb > 0 ? makeGroup(limitMb) : undefined;
  if (limitMb > 0 && group === undefined) {
    console.log("no cgroup can be made: memory is not limited");
  }
  const args = cacheMb === undefined ? [] : ["--cache-mb", String(cacheMb)];
  const server = await startBalsa({ http: false, args, wrapper: group?.wrapper });
  console.log(
    `balsa on ${DEFAULT_RUNTIME}, ${limitMb} MB machine, ` +
      `cache ${(await info(server.port)).get("cache_bytes_max")} bytes`,
  );
  let peak = 0;
  const watch = setInterval(() => {
    if (existsSync(`/proc/${server.pid}/status`)) {
      peak = Math.max(peak, residentBytes(server.pid));
    }
  }, 50);
  try {
    await phases(server, dataMb, seconds, () => peak, () => peak = 0);
  } finally {
    clearInterval(watch);
    await server.stop();
    if (group !== undefined) rmdirSync(group.path);
  }
}

async function phases(
  server: Server,
  dataMb: number,
  seconds: number,
  peak: () => number,
  reset: () => void,
): Promise<void> {
  const { port } = server;
  const filler = "x".repeat(10_000);
  const report = async (name: string, run: () => Promise<Awaited<ReturnType<typeof drive>>>) => {
    reset();
    const client = await RespClient.open(port);
    await client.command("CONFIG", "RESETSTAT");
    client.close();
    const cpu = cpuSeconds(server.pid);
    const taken = await run();
    const usedCpu = cpuSeconds(server.pid) - cpu;
    const figures = await info(port);
    console.log(
      `${name.padEnd(34)} ${Math.round(taken.requestsPerSecond)}/s` +
        `  p50 ${taken.p50Ms.toFixed(2)}  p99 ${taken.p99Ms.toFixed(1)}` +
        `  max ${taken.maxMs.toFixed(0)} ms  loop late ${figures.get("loop_late_ms_max")} ms` +
        `  CPU ${(usedCpu / taken.requests * 1e6).toFixed(0)} us` +
        `  RSS ${mb(residentBytes(server.pid))}, peak ${mb(peak())} MB` +
        `  held ${mb(Number(figures.get("cache_bytes")))} MB` +
        (taken.errors > 0 ? `  ${taken.errors} errors: ${taken.error}` : ""),
    );
  };
  let keys = 0;
  let left = dataMb * MIB;
  const set = (key: number) => request("SET", `key:${key}`, filler.slice(0, lengthOf(key)));
  await report(`load ${dataMb} MB`, () =>
    drive(port, 16, 8, () => {
      if (left <= 0) return undefined;
      left -= lengthOf(++keys);
      return set(keys);
    }));
  let field = 0;
  await report(
    `hash of ${LARGE_HASH_FIELDS}, ${FIELDS_PER_REQUEST} at a time`,
    () =>
      drive(port, 4, 4, () => {
        if (field >= LARGE_HASH_FIELDS) return undefined;
        const words = ["HSET", "large"];
        for (let i = 0; i < FIELDS_PER_REQUEST; i++) {
          words.push(`field:${++field}`, filler.slice(0, 100));
        }
        return request(...words);
      }),
  );
  const random = (count: number) => 1 + Math.floor(Math.random() * count);
  const until = (name: string, next: () => string, snapshots: boolean) =>
    report(name, async () => {
      const endMs = performance.now() + seconds * 1000;
      const taken: Promise<void>[] = [];
      const timer = snapshots
        ? setInterval(() => taken.push(snapshot(port)), Math.max(1000, seconds * 250))
        : undefined;
      const driven = await drive(port, 50, 1, () => performance.now() < endMs ? next() : undefined);
      clearInterval(timer);
      await Promise.all(taken);
      return driven;
    });
  const get = (key: number) => request("GET", `key:${key}`);
  await until("GET uniform", () => get(random(keys)), false);
  await until("GET of 1000 hot keys", () => get(random(1000)), false);
  await until("GET 80, SET 20 uniform, snapshots", () => {
    const key = random(keys);
    return Math.random() < 0.8 ? get(key) : set(key);
  }, true);
  await until("SET uniform, snapshots", () => set(random(keys)), true);
  const anyField = () => `field:${random(LARGE_HASH_FIELDS)}`;
  await until("HGET of the large hash", () => request("HGET", "large", anyField()), false);
  await until("HSET of the large hash", () => request("HSET", "large", anyField(), "v"), true);
  await sleep(3000);
  console.log(`after 3 s of rest: RSS ${mb(residentBytes(server.pid))} MB`);
}

async function snapshot(port: number): Promise<void> {
  const client = await RespClient.open(port);
  await client.command("RAFT.SNAPSHOT");
  client.close();
}

function mb(bytes: number): string {
  return (bytes / MIB).toFixed(0);
}
