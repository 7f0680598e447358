import type { Bytes } from "../base/bytes.ts";
import { ADDS_DATA } from "../commands/deny_oom.ts";
import type { RunnableCommand } from "../commands/command.ts";
import type { ScriptSurroundings } from "../commands/script_surroundings.ts";
import { ErrorReply } from "../resp/reply.ts";
import { needsRoom } from "./script_reads.ts";
import type { Session } from "./session.ts";

const OUT_OF_MEMORY = new ErrorReply("OOM command not allowed when used memory > 'maxmemory'.");
const NOT_FOR_FULL = new ErrorReply(
  "OOM allow-oom flag is not set on the script, can not run it when used memory > 'maxmemory'",
);
/** The size of the data is looked at so often at most. */
const LOOK_MS = 100;

/**
 * maxmemory, under the policy noeviction: while the data take more on this node's disk, its clients
 * may add none. A script that says nothing of itself is not held back: what it calls is not known,
 * and whether there is room differs between nodes. Memory itself is bounded by the cache.
 */
export class MemoryLimit {
  /** 0: no limit. */
  maxBytes = 0;
  /** What the data take. */
  usedBytes: () => number = () => 0;
  readonly #scripting: ScriptSurroundings;
  #usedBytes = 0;
  #lookedMs = -Infinity;

  constructor(scripting: ScriptSurroundings) {
    this.#scripting = scripting;
  }

  /** The error for a command that adds data to too much; undefined when it may run. */
  refusal(
    session: Session,
    command: RunnableCommand,
    argv: readonly Bytes[],
    nowMs: number,
  ): ErrorReply | undefined {
    if (this.maxBytes === 0) return undefined;
    const isScript = needsRoom(this.#scripting, command, argv);
    const adds = command.name === "exec"
      ? session.transaction?.commands.some((each) => addsData(each.command, each.argv)) ?? false
      : isScript || addsData(command, argv);
    if (!adds) return undefined;
    if (nowMs - this.#lookedMs >= LOOK_MS) {
      this.#lookedMs = nowMs;
      this.#usedBytes = this.usedBytes();
    }
    if (this.#usedBytes <= this.maxBytes) return undefined;
    return isScript ? NOT_FOR_FULL : OUT_OF_MEMORY;
  }
}

/** Whether a request, or the one that it sends with an idempotency key, adds data. */
function addsData({ name }: RunnableCommand, argv: readonly Bytes[]): boolean {
  return ADDS_DATA.has(name === "idempotent" ? argv[3]?.toLowerCase() ?? "" : name);
}
