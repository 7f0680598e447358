import type { Socket } from "node:net";
import type { Bytes } from "../base/bytes.ts";
import { OUTPUT_CHUNK_BYTES } from "../constants.ts";

/**
 * Output that goes to a socket in slices, as it takes them. Handed over at once, a value of 200 MB
 * would be copied and written in one turn of the loop, which then does nothing else for a second.
 */
export class OutputQueue {
  /** Not handed over yet. */
  bytes = 0;
  readonly #socket: Socket;
  #texts: Bytes[] = [];
  /** Of the first text, what is handed over. */
  #at = 0;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  push(text: Bytes): void {
    if (text === "") return;
    this.#texts.push(text);
    this.bytes += text.length;
  }

  /** Hands over as much as the socket takes now; to be called again when it has drained. */
  pump(): void {
    while (this.#texts.length > 0 && !this.#socket.writableNeedDrain) {
      const [text] = this.#texts;
      const slice = text.slice(this.#at, this.#at + OUTPUT_CHUNK_BYTES);
      this.#at += slice.length;
      this.bytes -= slice.length;
      if (this.#at === text.length) {
        this.#texts.shift();
        this.#at = 0;
      }
      this.#socket.write(slice, "latin1");
    }
  }

  clear(): void {
    this.#texts = [];
    this.#at = 0;
    this.bytes = 0;
  }
}
