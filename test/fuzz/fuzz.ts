import { Buffer } from "node:buffer";
import fc from "fast-check";

/** BALSA_FUZZ_RUNS: cases of each property; the seed of a failure is printed. */
const RUNS = Number(process.env.BALSA_FUZZ_RUNS ?? 400);

/** Holds for bytes of every kind, or throws with the smallest that it does not hold for. */
export function holds<T>(arbitrary: fc.Arbitrary<T>, check: (value: T) => void): void {
  fc.assert(fc.property(arbitrary, (value) => void check(value)), { numRuns: RUNS });
}

export async function holdsAsync<T>(
  arbitrary: fc.Arbitrary<T>,
  check: (value: T) => Promise<void>,
  runs = RUNS,
): Promise<void> {
  await fc.assert(fc.asyncProperty(arbitrary, check), { numRuns: runs });
}

export const anyBytes = (maxLength = 300): fc.Arbitrary<Buffer> =>
  fc.uint8Array({ maxLength }).map((bytes) => Buffer.from(bytes));

/** These bytes with some of them changed, cut off, doubled or put in. */
export function damaged(whole: Uint8Array): fc.Arbitrary<Buffer> {
  const at = fc.nat({ max: Math.max(0, whole.length - 1) });
  const change = fc.record({
    kind: fc.constantFrom("set", "cut", "insert", "double"),
    at,
    bytes: fc.uint8Array({ minLength: 1, maxLength: 9 }),
  });
  return fc.array(change, { minLength: 1, maxLength: 4 }).map((changes) => {
    let bytes = Buffer.from(whole);
    for (const { kind, at, bytes: put } of changes) {
      const [before, after] = [bytes.subarray(0, at), bytes.subarray(at)];
      if (kind === "cut") bytes = Buffer.from(before);
      else if (kind === "insert") bytes = Buffer.concat([before, put, after]);
      else if (kind === "double") bytes = Buffer.concat([before, after, after]);
      else {
        bytes = Buffer.from(bytes);
        bytes.set(put.subarray(0, Math.max(0, bytes.length - at)), Math.min(at, bytes.length));
      }
    }
    return bytes;
  });
}

/** Bytes with the places where they are cut into chunks. */
export function chunked(bytes: fc.Arbitrary<Buffer>): fc.Arbitrary<Buffer[]> {
  return fc.tuple(bytes, fc.array(fc.nat({ max: 400 }), { maxLength: 6 })).map(([whole, cuts]) => {
    const places = [0, ...cuts.filter((at) => at < whole.length).sort((a, b) => a - b)];
    return places.map((from, i) => whole.subarray(from, places[i + 1] ?? whole.length));
  });
}

/** Nothing but what it is meant to throw. */
export function throwsOnly(
  expected: readonly (abstract new (...args: never[]) => Error)[],
  run: () => void,
): void {
  try {
    run();
  } catch (error) {
    if (!expected.some((kind) => error instanceof kind)) throw error;
  }
}
