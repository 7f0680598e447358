import process from "node:process";

/** Places where a crash is worth a test: around what is written, and what follows from it. */
export const CRASH_POINTS = [
  "append_before",
  "append_in_transaction",
  "append_after",
  "vote_before",
  "vote_after",
  "apply_before",
  "apply_after",
  "flush_before_commit",
  "flush_after_commit",
  "snapshot_copied",
  "snapshot_named",
  "snapshot_described",
  "purge_in_transaction",
  "purge_after",
  "send_half",
  "receive_half",
  "receive_done",
  "install_in_transaction",
  "install_log_reset",
  "install_wal_removed",
  "install_renamed",
] as const;

export type CrashPoint = typeof CRASH_POINTS[number];

/** BALSA_TEST_CRASH: the name of a place, or "NAME:N" for the Nth time that it is passed. */
const [CRASH_AT, times = "1"] = (process.env.BALSA_TEST_CRASH ?? "").split(":");
let passesLeft = Number(times);

/** Ends the process at once where BALSA_TEST_CRASH says so: for tests of recovery. */
export function crashPoint(name: CrashPoint): void {
  if (name === CRASH_AT && --passesLeft === 0) process.kill(process.pid, "SIGKILL");
}
