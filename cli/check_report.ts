import { explain, type Verdict } from "../test/checker/check.ts";
import type { Recorder } from "../test/checker/recorder.ts";

export interface CheckResult {
  readonly seed: number;
  readonly seconds: number;
  readonly counts: Recorder["counts"];
  /** How often each error said that nothing was done. */
  readonly refusals: ReadonlyMap<string, number>;
  readonly keys: number;
  /** Keys that could not be read in the end. */
  readonly unread: number;
  readonly verdict: Verdict;
  /** Errors that the store should not give. */
  readonly complaints: readonly string[];
}

const GOOD = "linearizable";
const REFUSALS_SHOWN = 3;

/** What `balsa check` prints in the end, and whether all is well. */
export function checkSummary(
  result: CheckResult,
  isJson: boolean,
): { readonly text: string; readonly isGood: boolean } {
  const { seed, seconds, counts, refusals, keys, unread, verdict, complaints } = result;
  const operations = counts.reads + counts.writes;
  const word = wordFor(result);
  const isGood = word === GOOD;
  const why = explain(verdict);
  if (isJson) {
    const refused = Object.fromEntries(refusals);
    const about = { keys, unread, seconds, seed, complaints, refusals: refused };
    const fields = { verdict: word, operations, ...counts, ...about };
    const part = verdict.kind === "violation"
      ? [verdict.before ?? [], verdict.operations].flat()
      : undefined;
    return { text: JSON.stringify({ ok: isGood, ...fields, violation: part }), isGood };
  }
  const lines = [
    `operations        ${operations} (${counts.writes} writes, ${counts.reads} reads) ` +
    `on ${keys} keys in ${seconds.toFixed(1)} s, seed ${seed}`,
    `outcomes unknown  ${counts.unknown}`,
    `refused           ${counts.notDone}`,
    ...mostFrequent(refusals).map(([text, count]) => `  ${count} times ${text}`),
    `verdict           ${word}`,
  ];
  if (why !== undefined) lines.push("", why);
  if (complaints.length > 0) lines.push("", "errors that were not expected:", ...complaints);
  return { text: lines.join("\n"), isGood };
}

/** The verdict in words; `GOOD` when all is well. */
function wordFor({ counts, verdict, unread, complaints }: CheckResult): string {
  if (verdict.kind === "violation") return "NOT linearizable";
  if (counts.writes === 0) return "none: nothing could be written";
  if (counts.reads === 0) return "none: nothing could be read";
  if (verdict.kind === "undecided") return verdict.kind;
  if (unread > 0) return `undecided: ${unread} keys could not be read in the end`;
  return complaints.length > 0 ? "undecided: errors came that were not expected" : GOOD;
}

function mostFrequent(refusals: ReadonlyMap<string, number>): [string, number][] {
  return [...refusals].sort((a, b) => b[1] - a[1]).slice(0, REFUSALS_SHOWN);
}
