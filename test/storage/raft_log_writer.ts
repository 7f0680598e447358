import { writeSync } from "node:fs";
import process from "node:process";
import { openRaftLog } from "../../src/storage/raft_log.ts";
import type { AppendOutcome, LogWriterMode } from "../../src/storage/raft_log_types.ts";
import { loadSqlite } from "../../src/storage/sqlite.ts";
import { entry } from "./raft_log_fixture.ts";

// Appends to the log named by the first argument, one entry at a time and now and then a batch,
// and prints the last index of each append when it is durable. The second argument says how many
// appends to make, the third who writes them. Entry data follow from their index
// (raft_log_fixture.ts).
const [path, count, writer = "inline"] = process.argv.slice(2);
const log = openRaftLog(await loadSqlite(), path, { writer: writer as LogWriterMode });
const state = { term: 1, votedFor: 1, commit: 0 };
if (log.lastIndex === 0) log.append([], state);
writeSync(1, "open\n");
for (let i = 0; i < Number(count); i++) {
  const next = log.lastIndex + 1;
  const size = i % 7 === 3 ? 20_000 : 50;
  const length = i % 5 === 4 ? 3 : 1;
  const entries = Array.from({ length }, (_, at) => entry(next + at, 1, size));
  const committed = { ...state, commit: log.lastIndex };
  await new Promise<void>((resolve, reject) => {
    log.onWritten = () => log.poll();
    const written = (outcome: AppendOutcome) => outcome === "durable" ? resolve() : reject(outcome);
    if (log.append(entries, committed, written)) resolve();
  });
  if (i % 100 === 99) {
    const index = log.lastIndex - 20;
    log.compact({ index, term: 1, configuration: log.snapshot.configuration });
  }
  // Synchronous: what was printed has left the process before the next append.
  writeSync(1, `${log.lastIndex}\n`);
}
await log.stopWriter();
log.close();
