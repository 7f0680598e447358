import process from "node:process";

/** One Ctrl-C may arrive twice: from the terminal and from npm. */
const SAME_SIGNAL_MS = 500;

/** Environment name; "1": the process stops when its standard input ends, as its parent does. */
export const STOP_AT_STDIN_END = "BALSA_STOP_AT_STDIN_END";

/**
 * Resolves, with what it was, when the process is told to stop: at the first SIGTERM, SIGINT or
 * SIGHUP. At the second one it exits at once.
 */
export function toldToStop(): Promise<string> {
  return new Promise((resolve) => {
    let firstMs: number | undefined;
    for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) {
      process.on(signal, () => {
        if (firstMs !== undefined && performance.now() - firstMs > SAME_SIGNAL_MS) process.exit(1);
        firstMs ??= performance.now();
        resolve(signal);
      });
    }
    if (process.env[STOP_AT_STDIN_END] === "1") {
      process.stdin.on("end", () => resolve("end of standard input"));
      process.stdin.on("error", () => resolve("end of standard input"));
      process.stdin.resume();
    }
  });
}
