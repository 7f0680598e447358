import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  cpuSeconds,
  freePort,
  hasProgram,
  launch,
  type Launched,
  scratchDirectory,
  startBalsa,
  startRedis,
  until,
} from "../system/harness.ts";
import { median, spread } from "./load.ts";

const CONNECTIONS = 50;
const ROUNDS = 3;
const VALUE = "x".repeat(64);

/** One server of the comparison: its HTTP port, and whose processor time counts. */
interface Side {
  readonly name: "balsa" | "webdis";
  readonly port: number;
  readonly pids: readonly number[];
  /** The body of `POST /` that sets a key: each has a form of its own. */
  readonly setBody: string;
}

interface Row {
  readonly name: string;
  readonly path: string;
  readonly isPost: boolean;
  readonly rates: Record<Side["name"], number[]>;
  /** Processor seconds for a million requests. */
  readonly cpu: Record<Side["name"], number[]>;
}

/**
 * Balsa over HTTP beside webdis in front of redis-server, which fsyncs each write as Balsa does:
 * wrk on 50 connections, in turn. Resolves to the text of a table.
 */
export async function benchHttp(scale: number, redisArgs: readonly string[]): Promise<string> {
  for (const program of ["wrk", "webdis"]) {
    if (!hasProgram(program)) throw new Error(`Cannot measure HTTP: there is no ${program} here`);
  }
  const scratch = scratchDirectory();
  const [balsa, redis] = await Promise.all([startBalsa(), startRedis(redisArgs)]);
  const webdis = await startWebdis(scratch, redis.port);
  const sides: readonly Side[] = [
    {
      name: "balsa",
      port: balsa.httpPort,
      pids: [balsa.pid],
      setBody: JSON.stringify(["SET", "key", VALUE]),
    },
    {
      name: "webdis",
      port: webdis.port,
      pids: [webdis.process.server.pid, redis.pid],
      setBody: `SET/key/${VALUE}`,
    },
  ];
  const rows = [makeRow("GET /get/key", "/get/key", false), makeRow("POST / SET", "/", true)];
  const seconds = Math.max(2, Math.round(10 * scale));
  for (const side of sides) await measure(side, rows[1], 1, scratch);
  for (let round = 1; round <= ROUNDS; round++) {
    for (const row of rows) {
      const order = round % 2 === 1 ? sides : [...sides].reverse();
      for (const side of order) {
        const { rate, cpu } = await measure(side, row, seconds, scratch);
        row.rates[side.name].push(rate);
        row.cpu[side.name].push(cpu);
      }
      const last = (name: Side["name"]) => Math.round(row.rates[name][round - 1]);
      console.log(
        `round ${round}/${ROUNDS}  ${row.name.padEnd(14)}` +
          `  balsa ${last("balsa")}/s  webdis ${last("webdis")}/s`,
      );
    }
  }
  await Promise.all([balsa.stop(), redis.stop(), webdis.process.server.stop()]);
  return render(rows);
}

function makeRow(name: string, path: string, isPost: boolean): Row {
  return {
    name,
    path,
    isPost,
    rates: { balsa: [], webdis: [] },
    cpu: { balsa: [], webdis: [] },
  };
}

async function startWebdis(
  scratch: string,
  redisPort: number,
): Promise<{ readonly port: number; readonly process: Launched }> {
  const port = await freePort();
  const path = join(scratch, "webdis.json");
  // All else as Debian's configuration has it.
  const config = {
    redis_host: "127.0.0.1",
    redis_port: redisPort,
    http_host: "127.0.0.1",
    http_port: port,
    threads: 5,
    pool_size: 20,
    daemonize: false,
    websockets: false,
    database: 0,
    verbosity: 1,
    logfile: join(scratch, "webdis.log"),
  };
  writeFileSync(path, JSON.stringify(config));
  const process = launch(["webdis", path], scratch, {});
  const answers = () => fetch(`http://127.0.0.1:${port}/PING`).then(({ ok }) => ok, () => false);
  await until(answers, "webdis to answer");
  return { port, process };
}

async function measure(
  side: Side,
  row: Row,
  seconds: number,
  scratch: string,
): Promise<{ readonly rate: number; readonly cpu: number }> {
  const words = ["-t", "1", "-c", String(CONNECTIONS), "-d", `${seconds}s`];
  if (row.isPost) {
    const script = join(scratch, `${side.name}.lua`);
    writeFileSync(script, `wrk.method = "POST"\nwrk.body = ${luaString(side.setBody)}\n`);
    words.push("-s", script);
  }
  const used = () => side.pids.reduce((sum, pid) => sum + cpuSeconds(pid), 0);
  const before = used();
  const text = await capture([...words, `http://127.0.0.1:${side.port}${row.path}`]);
  const cpu = used() - before;
  const requests = Number(/(\d+) requests in/.exec(text)?.[1]);
  const rate = Number(/Requests\/sec:\s+([\d.]+)/.exec(text)?.[1]);
  if (!(rate > 0) || /Non-2xx|Socket errors/.test(text)) {
    throw new Error(`Cannot use what wrk measured of ${side.name}: ${text}`);
  }
  return { rate, cpu: cpu * 1e6 / requests };
}

function luaString(text: string): string {
  return `'${text.replace(/[\\']/g, "\\$&")}'`;
}

function capture(words: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn("wrk", words, { stdio: ["ignore", "pipe", "inherit"] });
    let text = "";
    child.stdout.on("data", (chunk) => text += String(chunk));
    child.on("error", reject);
    child.on("close", () => resolve(text));
  });
}

function render(rows: readonly Row[]): string {
  const head = ["requests/s", "Balsa", "webdis", "ratio", "spread B/w", "CPU s per million B/w"];
  const cells = rows.map(({ name, rates, cpu }) => {
    const [balsa, webdis] = [median(rates.balsa), median(rates.webdis)];
    const percent = (values: readonly number[]) => `${Math.round(spread(values) * 100)}%`;
    return [
      name,
      Math.round(balsa).toLocaleString("en"),
      Math.round(webdis).toLocaleString("en"),
      (balsa / webdis).toFixed(2),
      `${percent(rates.balsa)} / ${percent(rates.webdis)}`,
      `${median(cpu.balsa).toFixed(1)} / ${median(cpu.webdis).toFixed(1)}`,
    ];
  });
  const line = (row: readonly string[]) => `| ${row.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...cells.map(line)].join("\n");
}
