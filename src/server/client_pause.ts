import type { RunnableCommand } from "../commands/command.ts";

/** CLIENT PAUSE: commands of all clients that are held back for a time. */
export class ClientPause {
  readonly #onEnd: () => void;
  #mode: "none" | "write" | "all" = "none";
  /** On the monotonic clock. */
  #untilMs = 0;

  /** `onEnd` lets what was held back go on. */
  constructor(onEnd: () => void) {
    this.#onEnd = onEnd;
  }

  set(untilMs: number, mode: "none" | "write" | "all"): void {
    this.#untilMs = untilMs;
    this.#mode = mode;
    if (mode === "none") this.#onEnd();
  }

  /** Ends a pause whose time is over. */
  tick(nowMs: number): void {
    if (this.#mode !== "none" && nowMs >= this.#untilMs) this.set(0, "none");
  }

  /** CLIENT stays possible, so that a pause can be ended. */
  holdsBack(command: RunnableCommand): boolean {
    if (this.#mode === "none") return false;
    if (this.#mode === "write") return command.path === "write";
    return !command.name.startsWith("client|");
  }
}
