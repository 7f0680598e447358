import type { Bytes } from "../base/bytes.ts";
import { INT64_MAX, parseInt64 } from "../base/int64.ts";
import { err, type ErrorReply, NOT_INTEGER } from "../resp/reply.ts";

const RANGE = err(`value is out of range, value must between -${INT64_MAX} and ${INT64_MAX}`);

/** Names of one reply: Redis would go on until its memory ends. */
const REPEATS_MAX = 2 ** 24;
const TOO_MANY = err("value is out of range");

/** A sample of more than one part in this many draws from a list of all. */
const SPARSE = 3;

/** The count of HRANDFIELD and the like: a 64-bit integer but the least, or Redis's error. */
export function sampleCount(text: Bytes): number | ErrorReply {
  const count = parseInt64(text);
  if (count === undefined) return NOT_INTEGER;
  if (count < -INT64_MAX) return RANGE;
  return count < -REPEATS_MAX ? TOO_MANY : Number(count);
}

/**
 * `count` names, each at most once, or all if there are fewer; `-count` names, repeated ones among
 * them, when it is negative. `draw` gives a random one of `size`, `all` lists them.
 */
export function takeSample(
  count: number,
  size: number,
  all: () => Bytes[],
  draw: () => Bytes,
): Bytes[] {
  if (count < 0) return Array.from({ length: -count }, draw);
  if (count >= size) return all();
  if (count * SPARSE <= size) {
    const drawn = new Set<Bytes>();
    // Bounded: where most have expired, the list of all decides.
    for (let tries = 0; drawn.size < count && tries < 4 * count + 100; tries++) drawn.add(draw());
    if (drawn.size === count) return [...drawn];
  }
  // Draws what is left out.
  const kept = new Set(all());
  for (let tries = 0; kept.size > count && tries < 100 * size; tries++) kept.delete(draw());
  return [...kept].slice(0, count);
}
