import { ADDS_DATA } from "../commands/deny_oom.ts";
import type { RunnableCommand } from "../commands/command.ts";
import { ErrorReply } from "../resp/reply.ts";
import type { Session } from "./session.ts";

const OUT_OF_MEMORY = new ErrorReply("OOM command not allowed when used memory > 'maxmemory'.");
/** The size of the data is looked at so often at most. */
const LOOK_MS = 100;

/**
 * maxmemory, under the policy noeviction: while the data take more on this node's disk, its clients
 * may add none. Memory itself is bounded by the cache.
 */
export class MemoryLimit {
  /** 0: no limit. */
  maxBytes = 0;
  /** What the data take. */
  usedBytes: () => number = () => 0;
  #usedBytes = 0;
  #lookedMs = -Infinity;

  /** The error for a command that adds data to too much; undefined when it may run. */
  refusal(session: Session, command: RunnableCommand, nowMs: number): ErrorReply | undefined {
    if (this.maxBytes === 0) return undefined;
    const adds = command.name === "exec"
      ? session.transaction?.commands.some((each) => ADDS_DATA.has(each.command.name)) ?? false
      : ADDS_DATA.has(command.name);
    if (!adds) return undefined;
    if (nowMs - this.#lookedMs >= LOOK_MS) {
      this.#lookedMs = nowMs;
      this.#usedBytes = this.usedBytes();
    }
    return this.#usedBytes > this.maxBytes ? OUT_OF_MEMORY : undefined;
  }
}
