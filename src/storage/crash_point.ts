import process from "node:process";

const CRASH_AT = process.env.BALSA_TEST_CRASH ?? "";

/** Ends the process at once when BALSA_TEST_CRASH names this place: for tests of recovery. */
export function crashPoint(name: string): void {
  if (name === CRASH_AT) process.kill(process.pid, "SIGKILL");
}
