import { appendFileSync, chmodSync, readFileSync, writeFileSync } from "node:fs";

const LINES_MAX = 1_000;
const PRIVATE = { mode: 0o600 };

/** The lines of earlier prompts, newest first; trims the file when it has grown. */
export function loadHistory(path: string): string[] {
  let lines: string[];
  try {
    lines = readFileSync(path, "utf8").split("\n").filter((line) => line !== "");
  } catch {
    return [];
  }
  if (lines.length > 2 * LINES_MAX) {
    lines = lines.slice(-LINES_MAX);
    tryWrite(() => writeFileSync(path, lines.join("\n") + "\n", PRIVATE));
  }
  return lines.slice(-LINES_MAX).reverse();
}

/** Adds a line unless it holds a secret. History is a comfort: a failure to write is no error. */
export function appendHistory(path: string, line: string): void {
  if (line.trim() === "" || holdsSecret(line)) return;
  tryWrite(() => {
    appendFileSync(path, line.replaceAll("\n", " ") + "\n", PRIVATE);
    // A file made by something else may be readable to others.
    chmodSync(path, 0o600);
  });
}

/** Whether a line may carry a password: it is then kept nowhere. */
export function holdsSecret(line: string): boolean {
  return /\b(auth2?|requirepass|masterauth|masteruser|setuser|cluster-secret)\b/i.test(line);
}

function tryWrite(write: () => void): void {
  try {
    write();
  } catch {
    // A read-only home directory must not end the prompt.
  }
}
