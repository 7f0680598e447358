import type { Bytes } from "../base/bytes.ts";
import type { RunnableCommand } from "../commands/command.ts";
import { COMMAND_BYTES_MAX } from "../constants.ts";

/** A command behind MULTI. */
export interface QueuedCommand {
  readonly command: RunnableCommand;
  readonly argv: readonly Bytes[];
  readonly db: number;
}

/** What a queue may hold: it becomes one command. */
export const QUEUED_BYTES_MAX = COMMAND_BYTES_MAX - 1024;

/** Commands that Redis flags NO_MULTI, and one that waits for another server. */
export const MAY_NOT_QUEUE: ReadonlySet<Bytes> = new Set([
  "migrate",
  "psync",
  "save",
  "shutdown",
  "sync",
]);

/** The commands that a session has queued since MULTI. */
export class Transaction {
  readonly commands: QueuedCommand[] = [];
  bytes = 0;
  /** A command was refused: EXEC will fail. */
  isBroken = false;

  get hasWrites(): boolean {
    return this.commands.some(({ command }) => command.path === "write");
  }

  push(queued: QueuedCommand, bytes: number): void {
    // Nothing of it will run.
    if (this.isBroken) return;
    this.commands.push(queued);
    this.bytes += bytes;
  }
}
