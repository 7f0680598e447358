import type { EventSource } from "./event_stream.ts";

/** Characters that wait for a client who does not read: beyond it the client is dropped. */
const WAITING_CHARS_MAX = 1024 * 1024;

/** The last words to one who was too slow for what is not kept. */
const TOO_SLOW = "event: dropped\ndata: too slow: what was not read is gone\n\n";

/** Events of one line each. Nothing is kept for who does not read: a slow one is dropped. */
export class LineStream implements EventSource {
  isOver = false;
  isDropped = false;
  readonly #wake: () => void;
  #onClose: () => void = () => {};
  #text = "";

  /** `open` begins what tells the lines and returns what ends it. */
  constructor(wake: () => void, open: (stream: LineStream) => () => void) {
    this.#wake = wake;
    this.#onClose = open(this);
    if (this.isOver) this.#onClose();
  }

  tell(data: string): void {
    if (this.isOver) return;
    if (this.#text.length + data.length > WAITING_CHARS_MAX && this.#text !== "") {
      // What was already on its way to the client is not taken back.
      this.#text = this.farewell();
    } else {
      this.#text += `data: ${data}\n\n`;
    }
    this.#wake();
  }

  next(): string {
    const text = this.#text;
    this.#text = "";
    return text;
  }

  heartbeat(): string {
    return ": heartbeat\n\n";
  }

  farewell(): string {
    this.isDropped = true;
    this.close();
    return TOO_SLOW;
  }

  close(): void {
    this.isOver = true;
    this.#onClose();
  }
}
