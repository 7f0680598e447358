import { Buffer } from "node:buffer";
import { HTTP_BODIES_BYTES_MAX, HTTP_BODY_BYTES_PER_S_MIN } from "../constants.ts";
import type { HttpCounts } from "./http_counts.ts";
import { HttpProblem } from "./http_types.ts";

export interface BodyLimits {
  /** A longer body is refused: by its declared length or, without one, once too much arrived. */
  readonly bytesMax: number;
  /** How long a body may take, and each of its HTTP_BODY_BYTES_PER_S_MIN a second more. */
  readonly timeoutMs: number;
}

/** Reads the bodies of requests; those of all requests under way have a bound together. */
export class BodyReader {
  readonly #limits: BodyLimits;
  readonly #counts: HttpCounts;
  /** Declared, or received so far, of all that are being read. */
  #bytesUnderWay = 0;

  constructor(limits: BodyLimits, counts: HttpCounts) {
    this.#limits = limits;
    this.#counts = counts;
  }

  /** The whole body. One that ends early or comes too slowly is a problem, never a shorter value. */
  read(request: Request): Promise<Buffer | HttpProblem> {
    const declared = request.headers.get("content-length");
    const bytes = declared === null ? 0 : Number(declared);
    const { bytesMax } = this.#limits;
    if (bytes > bytesMax) return Promise.resolve(tooLarge(bytesMax, declared as string));
    if (declared !== null && bytes === 0) return Promise.resolve(EMPTY);
    if (this.#bytesUnderWay + bytes > HTTP_BODIES_BYTES_MAX) return Promise.resolve(TOO_MANY);
    if (bytes > 0 && bytes <= AT_ONCE_BYTES_MAX) return this.#readAtOnce(request, bytes);
    // To look at the body makes it a stream, which costs more than all else here.
    if (request.body === null) return Promise.resolve(EMPTY);
    return this.#readStream(request, bytes);
  }

  async #readAtOnce(request: Request, bytes: number): Promise<Buffer | HttpProblem> {
    this.#bytesUnderWay += bytes;
    let timer: ReturnType<typeof setTimeout> | undefined;
    try {
      const timedOut = new Promise<undefined>((resolve) => {
        timer = setTimeout(() => resolve(undefined), this.#limits.timeoutMs);
      });
      const array = await Promise.race([request.arrayBuffer(), timedOut]);
      if (array === undefined) return TOO_SLOW;
      this.#counts.bytesIn += array.byteLength;
      return array.byteLength === bytes ? Buffer.from(array) : INCOMPLETE;
    } catch {
      return INCOMPLETE;
    } finally {
      clearTimeout(timer);
      this.#bytesUnderWay -= bytes;
    }
  }

  /** `declared`: 0 when the request does not say how long its body is. */
  async #readStream(request: Request, declared: number): Promise<Buffer | HttpProblem> {
    const reader = (request.body as ReadableStream<Uint8Array>).getReader();
    const startMs = performance.now();
    const chunks: Uint8Array[] = [];
    let bytes = 0;
    let held = declared;
    this.#bytesUnderWay += declared;
    let problem: HttpProblem | undefined;
    const giveUp = (why: HttpProblem) => {
      problem = why;
      reader.cancel().catch(() => {});
    };
    const timer = setInterval(() => {
      const dueMs = this.#limits.timeoutMs + bytes * 1000 / HTTP_BODY_BYTES_PER_S_MIN;
      if (performance.now() - startMs > dueMs) giveUp(TOO_SLOW);
    }, Math.min(1000, this.#limits.timeoutMs));
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (problem !== undefined) return problem;
        if (done) break;
        bytes += value.length;
        this.#counts.bytesIn += value.length;
        chunks.push(value);
        const more = Math.max(0, bytes - held);
        held += more;
        this.#bytesUnderWay += more;
        if (bytes > this.#limits.bytesMax) {
          giveUp(tooLarge(this.#limits.bytesMax, `at least ${bytes}`));
        } else if (this.#bytesUnderWay > HTTP_BODIES_BYTES_MAX) {
          giveUp(TOO_MANY);
        }
      }
      return declared > 0 && bytes !== declared ? INCOMPLETE : Buffer.concat(chunks, bytes);
    } catch {
      return problem ?? INCOMPLETE;
    } finally {
      clearInterval(timer);
      this.#bytesUnderWay -= held;
    }
  }
}

function tooLarge(bytesMax: number, actual: string): HttpProblem {
  return new HttpProblem(
    413,
    `ERR max request size exceeded. Limit: ${bytesMax} bytes, Actual: ${actual} bytes.`,
  );
}

/** A body of so many bytes is read in one go. */
const AT_ONCE_BYTES_MAX = 256 * 1024;
const EMPTY = Buffer.alloc(0);
const INCOMPLETE = new HttpProblem(400, "ERR the request body ended before its declared length");
const TOO_SLOW = new HttpProblem(408, "ERR the request body came too slowly");
const TOO_MANY = new HttpProblem(
  503,
  "BUSY Too many large request bodies are being received, try again",
);
