import type { Bytes } from "../base/bytes.ts";
import type { SlowLogEntry } from "../commands/local_context.ts";
import { redacted } from "./redacted.ts";
import type { Session } from "./session.ts";

/** Arguments, and bytes of each, that an entry keeps (Redis's SLOWLOG_ENTRY_MAX_*). */
const ARGUMENTS_MAX = 32;
const ARGUMENT_BYTES_MAX = 128;

/** The slow log: the latest commands that took longer than a limit, newest first. */
export class SlowLog {
  entries: SlowLogEntry[] = [];
  #nextId = 0;

  add(session: Session, argv: readonly Bytes[], durationMs: number, nowMs: number, max: number) {
    this.entries.unshift({
      id: this.#nextId++,
      atMs: nowMs,
      durationUs: Math.round(durationMs * 1000),
      argv: trim(redacted(argv)),
      remoteAddress: session.remoteAddress,
      clientName: session.name,
    });
    if (this.entries.length > max) this.entries.length = max;
  }

  reset(): void {
    this.entries = [];
  }
}

function trim(argv: readonly Bytes[]): Bytes[] {
  const kept = argv.slice(0, argv.length > ARGUMENTS_MAX ? ARGUMENTS_MAX - 1 : ARGUMENTS_MAX)
    .map((arg) => {
      const more = arg.length - ARGUMENT_BYTES_MAX;
      return more > 0 ? `${arg.slice(0, ARGUMENT_BYTES_MAX)}... (${more} more bytes)` : arg;
    });
  const missing = argv.length - kept.length;
  return missing > 0 ? [...kept, `... (${missing} more arguments)`] : kept;
}
