import { hasProgram, type Server, startBalsa } from "../system/harness.ts";
import { type Load, type Measured, median, runLoad } from "./load.ts";

const ROUNDS = 3;
const DELAYS_MS = [0, 5];
const WRITERS = ["inline", "worker", "auto"] as const;
const CLIENTS = 50;
const READERS = 10;

/** What was measured of one way to write the log, on one disk. */
interface Row {
  readonly writer: string;
  readonly delayMs: number;
  readonly sets: Measured[];
  /** GETs while another client sets. */
  readonly gets: Measured[];
}

/**
 * `--log-writer` inline and worker, on this disk and on one whose fsyncs take 5 ms longer (strace
 * holds each of them up): SETs alone, and GETs while others set. Resolves to the text of a table.
 */
export async function benchSlowDisk(scale: number): Promise<string> {
  if (!hasProgram("strace")) throw new Error("Cannot slow the disk down: there is no strace here");
  const rows = DELAYS_MS.flatMap((delayMs) =>
    WRITERS.map((writer): Row => ({ writer, delayMs, sets: [], gets: [] }))
  );
  for (let round = 1; round <= ROUNDS; round++) {
    for (const row of round % 2 === 1 ? rows : [...rows].reverse()) {
      await measure(row, scale);
      const [sets, gets] = [row.sets[round - 1], row.gets[round - 1]];
      console.log(
        `round ${round}/${ROUNDS}  ${row.writer.padEnd(6)}  +${row.delayMs} ms  ` +
          `SET ${Math.round(sets.requestsPerSecond)}/s  GET beside it p99 ${gets.p99Ms} ms`,
      );
    }
  }
  return render(rows);
}

async function measure(row: Row, scale: number): Promise<void> {
  const server = await start(row);
  // At 5 ms an fsync a round of the clients takes as long: fewer requests say as much.
  const share = row.delayMs === 0 ? 1 : 0.3;
  const load = (command: Load["command"], clients: number, requests: number): Load => ({
    command,
    clients,
    pipeline: 1,
    requests: Math.round(requests * scale * share),
  });
  await runLoad(server.port, load("SET", CLIENTS, 10_000));
  row.sets.push(await runLoad(server.port, load("SET", CLIENTS, 40_000)));
  let isOver = false;
  const writing = (async () => {
    while (!isOver) await runLoad(server.port, load("SET", CLIENTS, 10_000));
  })();
  row.gets.push(await runLoad(server.port, load("GET", READERS, 40_000)));
  isOver = true;
  await writing;
  await server.stop();
}

function start({ writer, delayMs }: Row): Promise<Server> {
  const inject = `inject=fsync,fdatasync:delay_enter=${delayMs * 1000}`;
  const strace = ["strace", "-D", "-f", "--seccomp-bpf", "-o", "/dev/null"];
  return startBalsa({
    http: false,
    args: ["--log-writer", writer],
    wrapper: delayMs === 0 ? [] : [...strace, "-e", "trace=fsync,fdatasync", "-e", inject],
  });
}

function render(rows: readonly Row[]): string {
  const head = [
    "fsync",
    "--log-writer",
    "SET/s",
    "SET p50 ms",
    "SET p99 ms",
    "GET/s beside",
    "GET p50 ms",
    "GET p99 ms",
  ];
  const cells = rows.map(({ writer, delayMs, sets, gets }) => {
    const of = (list: readonly Measured[], key: keyof Measured) =>
      median(list.map((measured) => measured[key]));
    const rate = (list: readonly Measured[]) =>
      Math.round(of(list, "requestsPerSecond")).toLocaleString("en");
    const ms = (list: readonly Measured[], key: "p50Ms" | "p99Ms") => of(list, key).toFixed(2);
    return [
      delayMs === 0 ? "as it is" : `+${delayMs} ms`,
      writer,
      rate(sets),
      ms(sets, "p50Ms"),
      ms(sets, "p99Ms"),
      rate(gets),
      ms(gets, "p50Ms"),
      ms(gets, "p99Ms"),
    ];
  });
  const line = (row: readonly string[]) => `| ${row.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...cells.map(line)].join("\n");
}
