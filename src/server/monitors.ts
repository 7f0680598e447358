import type { Bytes } from "../base/bytes.ts";
import type { Session } from "./session.ts";

/** Commands whose arguments are secrets, and MONITOR itself, are not shown, as in Redis. */
const HIDDEN: ReadonlySet<string> = new Set(["auth", "hello", "monitor", "\0exec"]);
// deno-fmt-ignore
const ESCAPES: Readonly<Record<string, string>> = {
  "\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t", "\x07": "\\a", "\b": "\\b",
};

/** Those who watch the commands that this node runs for its clients. */
export class Monitors {
  readonly #watchers = new Set<(line: Bytes) => void>();

  /** Has `tell` called with a line for each command, until the returned function is called. */
  watch(tell: (line: Bytes) => void): () => void {
    this.#watchers.add(tell);
    return () => this.#watchers.delete(tell);
  }

  /** A command ran; `wallUs`: Unix time in microseconds. */
  ran(session: Session, argv: readonly Bytes[], wallUs: () => number): void {
    if (this.#watchers.size === 0 || HIDDEN.has(argv[0].toLowerCase())) return;
    const line = monitorLine(session, argv, wallUs());
    for (const tell of this.#watchers) tell(line);
  }
}

/** `1721284005.242090 [0 127.0.0.1:50000] "GET" "key"` */
function monitorLine(session: Session, argv: readonly Bytes[], wallUs: number): Bytes {
  const seconds = Math.floor(wallUs / 1e6);
  const micros = String(wallUs % 1e6).padStart(6, "0");
  const from = session.remoteAddress === "" ? "0.0.0.0:0" : session.remoteAddress;
  return `${seconds}.${micros} [${session.db} ${from}] ${argv.map(quote).join(" ")}`;
}

// deno-lint-ignore no-control-regex -- what cannot be printed is what is escaped.
const UNPRINTABLE = /[\x00-\x1f"\\\x7f-\xff]/g;

function quote(argument: Bytes): Bytes {
  return `"${argument.replace(UNPRINTABLE, (char) => ESCAPES[char] ?? hex(char))}"`;
}

function hex(char: string): string {
  return `\\x${char.charCodeAt(0).toString(16).padStart(2, "0")}`;
}
