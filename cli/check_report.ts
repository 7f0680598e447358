import { explain, type Verdict } from "../test/checker/check.ts";
import type { Recorder } from "../test/checker/recorder.ts";

export interface CheckResult {
  readonly seed: number;
  readonly seconds: number;
  readonly counts: Recorder["counts"];
  readonly keys: number;
  readonly verdict: Verdict;
  /** Errors that the store should not give. */
  readonly complaints: readonly string[];
}

/** What `balsa check` prints in the end, and whether all is well. */
export function checkSummary(
  result: CheckResult,
  isJson: boolean,
): { readonly text: string; readonly isGood: boolean } {
  const { seed, seconds, counts, keys, verdict, complaints } = result;
  const operations = counts.reads + counts.writes;
  const word = counts.writes === 0
    ? "none: nothing could be written"
    : verdict.kind === "violation"
    ? "NOT linearizable"
    : verdict.kind;
  const isGood = counts.writes > 0 && verdict.kind === "linearizable";
  const why = explain(verdict);
  if (isJson) {
    const fields = { verdict: word, operations, ...counts, keys, seconds, seed, complaints };
    const part = verdict.kind === "violation" ? verdict.operations : undefined;
    return { text: JSON.stringify({ ok: isGood, ...fields, violation: part }), isGood };
  }
  const lines = [
    `operations        ${operations} (${counts.writes} writes, ${counts.reads} reads) ` +
    `on ${keys} keys in ${seconds.toFixed(1)} s, seed ${seed}`,
    `outcomes unknown  ${counts.unknown}`,
    `refused           ${counts.notDone}`,
    `verdict           ${word}`,
  ];
  if (why !== undefined) lines.push("", why);
  if (complaints.length > 0) lines.push("", "errors that were not expected:", ...complaints);
  return { text: lines.join("\n"), isGood };
}
