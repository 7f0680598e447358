import type { State } from "./models.ts";
import { isRead, type Operation } from "./operation.ts";
import { search } from "./search.ts";

/** A smaller search than for the verdict: there are many. */
const STEPS_MAX = 20_000;

/**
 * A smallest part of one key's history that no order explains. It is found by claiming less and
 * less: a read is left out, a write may have happened at any time after its call, or never. What is
 * returned are the operations whose replies and times it takes, in the order of their calls, and,
 * with an unknown result, other writes whose values they saw.
 */
export function smallestViolation(
  operations: readonly Operation[],
  start: State = null,
): Operation[] {
  const fails = (part: readonly Operation[]): boolean =>
    search(part, start, STEPS_MAX) === "violation";
  if (!fails(operations)) return [...operations];
  let part = shortestPrefix(operations, fails);
  for (let size = Math.ceil(part.length / 2);; size = Math.ceil(size / 2)) {
    for (let end = part.length; end > 0; end -= size) {
      const weaker = weaken(part, Math.max(0, end - size), end);
      if (fails(weaker)) part = weaker;
    }
    if (size === 1) break;
  }
  const essential = part.filter(({ result }) => result !== undefined);
  const seen = essential.map(({ name, result }) => name === "set" ? "" : `,${result}`).join("");
  const tokens = new Set(seen.split(","));
  return part.filter(({ result, value }) =>
    result !== undefined || (value !== undefined && tokens.has(value.replace(/,$/, "")))
  ).sort((a, b) => a.call - b.call);
}

/** What was known when the first `n` had ended, for the least such `n` that fails. */
function shortestPrefix(
  operations: readonly Operation[],
  fails: (part: readonly Operation[]) => boolean,
): Operation[] {
  const ends = operations.filter(({ result }) => result !== undefined)
    .map(({ end }) => end).sort((a, b) => a - b);
  let low = 0;
  let high = ends.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (fails(knownAt(operations, ends[middle]))) high = middle;
    else low = middle + 1;
  }
  const prefix = knownAt(operations, ends[high]);
  return fails(prefix) ? prefix : [...operations];
}

function knownAt(operations: readonly Operation[], at: number): Operation[] {
  return operations.filter(({ call }) => call <= at).flatMap((operation) =>
    operation.result === undefined || operation.end <= at ? [operation] : claimLess(operation)
  );
}

/** Claims less of those from `from` to before `to`. Reads stay in place, as unknown ones. */
function weaken(part: readonly Operation[], from: number, to: number): Operation[] {
  return part.map((operation, i) =>
    i < from || i >= to ? operation : { ...operation, result: undefined }
  );
}

function claimLess(operation: Operation): Operation[] {
  return isRead(operation.name) ? [] : [{ ...operation, result: undefined }];
}
