/** Characters that wait for a client who does not read: beyond it the client is dropped. */
const WAITING_CHARS_MAX = 1024 * 1024;

/** The last words to one who was too slow for what is not kept. */
export const TOO_SLOW = "event: dropped\ndata: too slow: what was not read is gone\n\n";

/** Events that wait for the client of a stream, which is over when there are too many. */
export class WaitingText {
  isOver = false;
  #text = "";

  /** Adds an event of one line; false when the client is dropped instead. */
  add(data: string): boolean {
    if (this.isOver) return false;
    if (this.#text.length + data.length > WAITING_CHARS_MAX && this.#text !== "") {
      this.isOver = true;
      // What was already on its way to the client is not taken back.
      this.#text = TOO_SLOW;
      return false;
    }
    this.#text += `data: ${data}\n\n`;
    return true;
  }

  take(): string {
    const text = this.#text;
    this.#text = "";
    return text;
  }
}
