import type { Monitors } from "../server/monitors.ts";
import type { EventSource } from "./event_stream.ts";
import { TOO_SLOW, WaitingText } from "./waiting_text.ts";

/** Each command that the node runs, as MONITOR shows it; the first line is `"OK"`. */
export class MonitorStream implements EventSource {
  isDropped = false;
  readonly #waiting = new WaitingText();
  readonly #stop: () => void;

  constructor(monitors: Monitors, wake: () => void) {
    this.#waiting.add('"OK"');
    this.#stop = monitors.watch((line) => {
      if (!this.#waiting.add(line)) this.#drop();
      wake();
    });
  }

  get isOver(): boolean {
    return this.#waiting.isOver;
  }

  next(): string {
    return this.#waiting.take();
  }

  heartbeat(): string {
    return ": heartbeat\n\n";
  }

  farewell(): string {
    this.#drop();
    return TOO_SLOW;
  }

  close(): void {
    this.#waiting.isOver = true;
    this.#stop();
  }

  #drop(): void {
    this.isDropped = true;
    this.close();
  }
}
