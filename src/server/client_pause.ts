import { countsAsWrite, type RunnableCommand } from "../commands/command.ts";
import type { Session } from "./session.ts";

/** CLIENT PAUSE: commands of all clients that are held back for a time. */
export class ClientPause {
  readonly #letGo: (session: Session) => void;
  readonly #held = new Set<Session>();
  #mode: "none" | "write" | "all" = "none";
  /** On the monotonic clock. */
  #untilMs = 0;

  /** `letGo` has a session whose command was held back try again; not before it returns. */
  constructor(letGo: (session: Session) => void) {
    this.#letGo = letGo;
  }

  /** How many clients wait for the end of it. */
  get heldCount(): number {
    return this.#held.size;
  }

  /** A pause that is on is not made shorter, but ended by "none". */
  set(untilMs: number, mode: "none" | "write" | "all"): void {
    this.#untilMs = mode === "none" ? 0 : Math.max(this.#untilMs, untilMs);
    this.#mode = mode;
    // Another mode may hold back less.
    for (const session of this.#held) this.#letGo(session);
    this.#held.clear();
  }

  /** Ends a pause whose time is over. */
  tick(nowMs: number): void {
    if (this.#mode !== "none" && nowMs >= this.#untilMs) this.set(0, "none");
  }

  /** CLIENT stays possible, so that a pause can be ended. */
  holdsBack(session: Session, command: RunnableCommand): boolean {
    if (this.#mode === "none") return false;
    const isHeld = this.#mode === "write"
      ? writes(session, command)
      : !command.name.startsWith("client|");
    if (isHeld) this.#held.add(session);
    return isHeld;
  }
}

/** Whether a command counts as a write: also EXEC of one. */
function writes(session: Session, command: RunnableCommand): boolean {
  if (command.name === "exec") return session.transaction?.hasWrites ?? false;
  return countsAsWrite(command);
}
