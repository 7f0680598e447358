import type { Bytes } from "../base/bytes.ts";
import { type EventSource, EventStream } from "./event_stream.ts";
import type { HttpCounts } from "./http_counts.ts";
import { HttpProblem } from "./http_types.ts";

export interface EventStreamsOptions {
  readonly streamsMax: number;
  readonly heartbeatMs: number;
}

/** Looks at the streams for each heartbeat. */
const BEATS = 4;
/** A client that takes nothing of what there is for so many heartbeats is dropped. */
const STALLED_HEARTBEATS = 2;

/** All event streams of a listener: their number is bounded, one timer serves them all. */
export class EventStreams {
  readonly #options: EventStreamsOptions;
  /** With their owners. */
  readonly #streams = new Map<EventStream, Bytes | undefined>();
  #timer: ReturnType<typeof setInterval> | undefined;
  #isClosed = false;
  readonly #counts: HttpCounts;

  constructor(options: EventStreamsOptions, counts: HttpCounts) {
    this.#options = options;
    this.#counts = counts;
  }

  /**
   * Opens a stream on what `make` returns, which may `wake` it; or says why there is none. `owner`:
   * the user, if it is one whose rules may change. `over` is called when all of it was said, or
   * the client has gone.
   */
  open(
    make: (wake: () => void) => EventSource,
    owner?: Bytes,
    over: () => void = () => {},
  ): ReadableStream<Uint8Array> | HttpProblem {
    if (this.#isClosed) return STOPPING;
    if (this.#streams.size >= this.#options.streamsMax) return TOO_MANY;
    // A source may have something to tell at once: then it is asked for that at the first pull.
    let stream: EventStream | undefined = undefined;
    const source = make(() => (stream as EventStream | undefined)?.wake());
    stream = new EventStream(source, {
      sent: (bytes) => this.#counts.bytesOut += bytes,
      closed: (which, isDropped) => {
        this.#forget(which, isDropped);
        over();
      },
    });
    this.#streams.set(stream, owner);
    this.#counts.streams++;
    this.#timer ??= setInterval(() => this.#beat(), this.#options.heartbeatMs / BEATS);
    return stream.body;
  }

  /** Ends all streams, with an event that says why; no more are opened. */
  close(): void {
    this.#isClosed = true;
    for (const stream of [...this.#streams.keys()]) stream.finish(ENDING);
  }

  /** Ends the streams of a user, or of all who are held to rules. */
  endOf(name?: Bytes): void {
    for (const [stream, owner] of [...this.#streams]) {
      if (owner !== undefined && (name ?? owner) === owner) stream.finish(RULES_CHANGED);
    }
  }

  #beat(): void {
    for (const stream of [...this.#streams.keys()]) stream.beat(BEATS, BEATS * STALLED_HEARTBEATS);
  }

  #forget(stream: EventStream, isDropped: boolean): void {
    this.#streams.delete(stream);
    this.#counts.streams--;
    if (isDropped) this.#counts.streamsDropped++;
    if (this.#streams.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}

/** Its data is no message to `@upstash/redis`, which ignores the event. */
const ENDING = "event: end\ndata: the server is stopping\n\n";
const RULES_CHANGED = "event: end\ndata: the rules of this user have changed\n\n";
const STOPPING = new HttpProblem(503, "SHUTDOWN The server is stopping");
const TOO_MANY = new HttpProblem(503, "BUSY Too many event streams are open, try again later");
