import { appendFileSync, openSync, readSync } from "node:fs";
import process from "node:process";
import { isMainThread } from "node:worker_threads";

// Loaded into a server on Bun and Linux beside its program. Appends a line to the file that
// BALSA_STALL_FILE names for each tick of a timer that was late: the time, by how many milliseconds,
// how many of those the thread ran, and how many it neither ran nor waited for a processor: it
// waited for a disk or for another thread. The rest is the machine's doing.

const TICK_MS = 10;
const LATE_MIN_MS = 2;

function probe(path: string): void {
  const file = openSync(`/proc/self/task/${process.pid}/schedstat`, "r");
  const buffer = Buffer.alloc(100);
  /** Milliseconds that this thread has run, and has waited for a processor. */
  const times = () => {
    const text = buffer.toString("latin1", 0, readSync(file, buffer, 0, buffer.length, 0));
    const [ran, waited] = text.split(" ");
    return { nowMs: performance.now(), ranMs: Number(ran) / 1e6, waitedMs: Number(waited) / 1e6 };
  };
  let last = times();
  setInterval(() => {
    const now = times();
    const lateMs = now.nowMs - last.nowMs - TICK_MS;
    const ownMs = Math.max(0, lateMs - (now.waitedMs - last.waitedMs));
    const ranMs = Math.min(ownMs, now.ranMs - last.ranMs);
    last = now;
    if (lateMs < LATE_MIN_MS) return;
    const figures = [lateMs, ranMs, ownMs - ranMs].map((figure) => figure.toFixed(2));
    appendFileSync(path, `${Date.now()} ${figures.join(" ")}\n`);
  }, TICK_MS).unref();
}

const path = process.env.BALSA_STALL_FILE;
if (isMainThread && path !== undefined) probe(path);
