import type { EventStreams } from "./event_streams.ts";

/** What an HTTP listener has done since its start. */
export class HttpCounts {
  /** Answers by status code. */
  readonly answers = new Map<number, number>();
  readonly streams: Pick<EventStreams, "size" | "dropped">;

  constructor(streams: Pick<EventStreams, "size" | "dropped">) {
    this.streams = streams;
  }

  count(status: number): void {
    this.answers.set(status, (this.answers.get(status) ?? 0) + 1);
  }
}
