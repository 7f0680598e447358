import { toBuffer, utf8Encode } from "../base/bytes.ts";

/** What an event stream tells, and when. All text is that of server-sent events, in UTF-8. */
export interface EventSource {
  /**
   * Whatever there is to tell now, at most some hundred KB of it; "" when there is nothing. Called
   * when the client takes more, so that one that does not costs nothing.
   */
  next(): string;
  /** Whether the stream ends, once what `next` gave last is sent … */
  readonly isOver: boolean;
  /** … because its client was too slow. */
  readonly isDropped: boolean;
  /** What is sent after a silence. */
  heartbeat(): string;
  /** The last words to a client that did not take what there was for too long. */
  farewell(): string;
  /** The stream is over, by either side. */
  close(): void;
}

/** What a stream tells of itself to those who keep it. */
interface Keeper {
  readonly sent: (bytes: number) => void;
  readonly closed: (stream: EventStream, isDropped: boolean) => void;
}

/** The body of one text/event-stream response. */
export class EventStream {
  readonly body: ReadableStream<Uint8Array>;
  readonly #source: EventSource;
  readonly #keeper: Keeper;
  #controller!: ReadableStreamDefaultController<Uint8Array>;
  /** Set while the client wants more and there is none. */
  #supply: (() => void) | undefined;
  #isClosed = false;
  /** Quarters of the heartbeat's interval since something was sent. */
  #silentBeats = 0;
  #stalledBeats = 0;
  /** There was something to send that the client has not asked for. */
  #isBehind = false;

  constructor(source: EventSource, keeper: Keeper) {
    this.#source = source;
    this.#keeper = keeper;
    this.body = new ReadableStream<Uint8Array>({
      start: (controller) => {
        this.#controller = controller;
      },
      pull: () => this.#pull(),
      cancel: () => this.#close(),
    }, { highWaterMark: 0 });
  }

  /** The source has more to tell. */
  wake(): void {
    if (this.#supply === undefined) {
      this.#isBehind = true;
      return;
    }
    this.#supplyWith(this.#source.next());
  }

  /** Time passes: `beats` of silence make a heartbeat, `stalls` without a taker end the stream. */
  beat(beats: number, stalls: number): void {
    if (this.#isClosed) return;
    if (this.#supply !== undefined) {
      this.#stalledBeats = 0;
      if (++this.#silentBeats >= beats) this.#supplyWith(this.#source.heartbeat());
      return;
    }
    this.#stalledBeats = this.#isBehind ? this.#stalledBeats + 1 : 0;
    if (this.#stalledBeats >= stalls) this.end(this.#source.farewell());
  }

  /** Ends the stream with what there is to tell and some last words. */
  finish(words: string): void {
    if (!this.#isClosed) this.end(this.#source.next() + words);
  }

  /** Ends the stream with some last words. */
  end(words: string): void {
    if (this.#isClosed) return;
    if (words !== "") this.#enqueue(words);
    this.#controller.close();
    this.#supply?.();
    this.#close();
  }

  #pull(): Promise<void> | void {
    this.#isBehind = false;
    this.#stalledBeats = 0;
    if (this.#isClosed) return;
    const text = this.#source.next();
    if (text !== "" || this.#source.isOver) return this.#give(text);
    return new Promise((resolve) => {
      this.#supply = resolve;
    });
  }

  #supplyWith(text: string): void {
    if (text === "" && !this.#source.isOver) return;
    const supplied = this.#supply;
    this.#supply = undefined;
    this.#give(text);
    supplied?.();
  }

  #give(text: string): void {
    this.#silentBeats = 0;
    if (this.#source.isOver) this.end(text);
    else this.#enqueue(text);
  }

  #enqueue(text: string): void {
    const bytes = toBuffer(utf8Encode(text));
    this.#keeper.sent(bytes.length);
    this.#controller.enqueue(bytes);
  }

  #close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#supply?.();
    this.#supply = undefined;
    this.#source.close();
    this.#keeper.closed(this, this.#source.isDropped);
  }
}
