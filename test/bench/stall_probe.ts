import { appendFileSync, openSync, readSync } from "node:fs";
import process from "node:process";
import { isMainThread } from "node:worker_threads";

// Loaded into a server on Bun and Linux beside its program. Appends a line to the file that
// BALSA_STALL_FILE names for each tick of a timer that was late: the time, by how many milliseconds,
// and the same less what the thread waited for a processor, which is the machine's doing.

const TICK_MS = 10;
const LATE_MIN_MS = 2;

function probe(path: string): void {
  const file = openSync(`/proc/self/task/${process.pid}/schedstat`, "r");
  const buffer = Buffer.alloc(100);
  /** Milliseconds that this thread has waited for a processor. */
  const waitedMs = () => {
    const text = buffer.toString("latin1", 0, readSync(file, buffer, 0, buffer.length, 0));
    return Number(text.split(" ")[1]) / 1e6;
  };
  let [tickMs, tickWaitedMs] = [performance.now(), waitedMs()];
  setInterval(() => {
    const [nowMs, nowWaitedMs] = [performance.now(), waitedMs()];
    const lateMs = nowMs - tickMs - TICK_MS;
    const ownMs = lateMs - (nowWaitedMs - tickWaitedMs);
    [tickMs, tickWaitedMs] = [nowMs, nowWaitedMs];
    if (lateMs < LATE_MIN_MS) return;
    appendFileSync(path, `${Date.now()} ${lateMs.toFixed(2)} ${Math.max(0, ownMs).toFixed(2)}\n`);
  }, TICK_MS).unref();
}

const path = process.env.BALSA_STALL_FILE;
if (isMainThread && path !== undefined) probe(path);
