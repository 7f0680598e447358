import type { Bytes } from "../base/bytes.ts";
import type { RunnableCommand } from "../commands/command.ts";
import { redacted } from "./redacted.ts";
import type { Session } from "./session.ts";

/** One that is told of commands: a connection after MONITOR, or a stream of server-sent events. */
export interface Monitor {
  /** One line, as MONITOR has it: `1339518083.107412 [0 127.0.0.1:60866] "keys" "*"`. */
  receive(line: Bytes): void;
}

/** Commands that are not told, as in Redis: those of administrators. */
const ADMIN =
  /^(acl\||client\|(kill|list|no-evict|pause|unblock|unpause)|config\||latency\||module\||slowlog\||raft\.|(bgrewriteaof|bgsave|debug|failover|monitor|pfdebug|pfselftest|replicaof|save|shutdown|slaveof)$)/;

const ESCAPES: Readonly<Record<string, string>> = {
  "\\": "\\\\",
  '"': '\\"',
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\x07": "\\a",
  "\b": "\\b",
};

/** Who is told of the commands that clients send to this node. */
export class Monitors {
  readonly #wallUs: () => number;
  readonly #monitors = new Set<Monitor>();
  readonly #changed: (isUsed: boolean) => void;

  /** `changed` is called when the first monitor comes and when the last has gone. */
  constructor(wallUs: () => number, changed: (isUsed: boolean) => void) {
    this.#wallUs = wallUs;
    this.#changed = changed;
  }

  add(monitor: Monitor): void {
    this.#monitors.add(monitor);
    if (this.#monitors.size === 1) this.#changed(true);
  }

  remove(monitor: Monitor): void {
    if (this.#monitors.delete(monitor) && this.#monitors.size === 0) this.#changed(false);
  }

  /** Has `tell` called with a line for each command, until the returned function is called. */
  watch(tell: (line: Bytes) => void): () => void {
    const monitor: Monitor = { receive: tell };
    this.add(monitor);
    return () => this.remove(monitor);
  }

  /** Tells of a command of a session; one that quits is told no more, not even of that. */
  feed(session: Session, command: RunnableCommand, argv: readonly Bytes[], db = session.db): void {
    if (this.#monitors.size === 0 || ADMIN.test(command.name)) return;
    if (command.name === "quit") session.monitor?.close();
    this.#tell(db, session.remoteAddress === "" ? "0.0.0.0:0" : session.remoteAddress, argv);
  }

  /** Tells of a command that a script has called. */
  feedCalled(command: RunnableCommand, argv: readonly Bytes[], db: number): void {
    if (this.#monitors.size === 0 || ADMIN.test(command.name)) return;
    this.#tell(db, "lua", argv);
  }

  /** `from`: the address of the client. */
  #tell(db: number, from: string, argv: readonly Bytes[]): void {
    const nowUs = Math.floor(this.#wallUs());
    const seconds = Math.floor(nowUs / 1_000_000);
    const rest = String(nowUs % 1_000_000).padStart(6, "0");
    const words = redacted(argv).map(represent).join(" ");
    const line = `${seconds}.${rest} [${db} ${from}] ${words}`;
    for (const monitor of this.#monitors) monitor.receive(line);
  }
}

/** In double quotes, as C would have it. */
function represent(bytes: Bytes): Bytes {
  const escaped = bytes.replace(
    /[^ !#-[\]-~]/g,
    (char) => ESCAPES[char] ?? "\\x" + char.charCodeAt(0).toString(16).padStart(2, "0"),
  );
  return `"${escaped}"`;
}
