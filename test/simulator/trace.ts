const KEPT_LINES = 400;

/** What happened in a run: a hash of all of it, and the last lines. */
export class Trace {
  hash = 0x811c9dc5;
  /** All lines, where they are kept. */
  readonly lines: string[] = [];
  readonly isFull: boolean;
  #recent: string[] = [];

  /** `isFull`: keeps every line, those of single messages too. */
  constructor(isFull: boolean) {
    this.isFull = isFull;
  }

  note(timeMs: number, text: string): void {
    const line = `${timeMs.toFixed(3).padStart(11)}  ${text}`;
    for (let i = 0; i < line.length; i++) {
      this.hash = Math.imul(this.hash ^ line.charCodeAt(i), 0x01000193) >>> 0;
    }
    if (this.isFull) this.lines.push(line);
    this.#recent.push(line);
    if (this.#recent.length > KEPT_LINES * 2) this.#recent = this.#recent.slice(-KEPT_LINES);
  }

  /** Something too frequent for a line: only hashed. */
  mix(value: number): void {
    this.hash = Math.imul(this.hash ^ (value * 4096 | 0), 0x01000193) >>> 0;
  }

  tail(count: number): string[] {
    return this.#recent.slice(-count);
  }
}
