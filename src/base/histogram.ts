/** Counts values by size, for percentiles of times that anyone may add up. */
export class Histogram {
  /** Upper bounds of the buckets, ascending; one more takes what is larger. */
  readonly bounds: readonly number[];
  /** Of each bucket alone, the last one included. */
  readonly counts: Float64Array;
  sum = 0;
  count = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = new Float64Array(bounds.length + 1);
  }

  observe(value: number): void {
    const { bounds } = this;
    let bucket = 0;
    while (bucket < bounds.length && value > bounds[bucket]) bucket++;
    this.counts[bucket]++;
    this.sum += value;
    this.count++;
  }

  /**
   * The upper bound of the bucket that the value at a percentile (0 to 100) is in; of the last
   * bucket, the lower one.
   */
  percentile(percent: number): number {
    const rank = Math.max(1, Math.ceil(this.count * percent / 100));
    let seen = 0;
    for (let bucket = 0; bucket < this.bounds.length; bucket++) {
      seen += this.counts[bucket];
      if (seen >= rank) return this.bounds[bucket];
    }
    return this.bounds[this.bounds.length - 1];
  }
}

/** Bounds for the times of requests and writes to disk, milliseconds. */
// deno-fmt-ignore
export const TIME_BOUNDS_MS: readonly number[] = [
  0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000,
];
