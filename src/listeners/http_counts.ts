/** What an HTTP listener has done since its start. */
export class HttpCounts {
  /** Answers by status code. */
  readonly answers = new Map<number, number>();
  /** Requests that are not answered yet. */
  underWay = 0;
  /** Bytes of requests' bodies, received … */
  bytesIn = 0;
  /** … and of those of answers, streams included, sent. */
  bytesOut = 0;
  /** Event streams that are open … */
  streams = 0;
  /** … and those that were ended as their clients were too slow. */
  streamsDropped = 0;

  count(status: number): void {
    this.answers.set(status, (this.answers.get(status) ?? 0) + 1);
  }
}
