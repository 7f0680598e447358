import type { State } from "./models.ts";
import type { Operation } from "./operation.ts";
import { search } from "./search.ts";
import { smallestViolation } from "./smallest.ts";

/** What became of a history. */
export type Verdict =
  | { readonly kind: "linearizable" }
  /**
   * No order explains what was seen of `key`; `operations` are a smallest part that shows it, behind
   * what the read `before` saw while nothing else was under way.
   */
  | {
    readonly kind: "violation";
    readonly key: string;
    readonly operations: readonly Operation[];
    readonly before?: Operation;
  }
  /** The search for an order of the operations on `key` took too long. */
  | { readonly kind: "undecided"; readonly key: string };

/**
 * Whether the operations of each key can be put in one order that explains all replies and keeps to
 * time: what has ended comes before what is called later. Keys are judged one by one, which is
 * enough (Herlihy and Wing, "Linearizability", 1990, theorem 1). Every key starts absent.
 */
export function checkHistory(history: readonly Operation[]): Verdict {
  const keys = new Map<string, Operation[]>();
  for (const operation of history) {
    const known = keys.get(operation.key);
    if (known === undefined) keys.set(operation.key, [operation]);
    else known.push(operation);
  }
  let undecided: Verdict | undefined;
  for (const operations of keys.values()) {
    const verdict = checkKey(operations);
    if (verdict.kind === "violation") return verdict;
    if (verdict.kind === "undecided") undecided = verdict;
  }
  return undecided ?? { kind: "linearizable" };
}

/** The same for the operations of one key that held `start` before them. */
export function checkKey(operations: readonly Operation[], start: State = null): Verdict {
  const kind = search(operations, start);
  if (kind === "linearizable") return { kind };
  const { key } = operations[0];
  if (kind === "undecided") return { kind, key };
  return { kind, key, operations: smallestViolation(operations, start) };
}

/** A verdict for people: undefined when the history is linearizable. */
export function explain(verdict: Verdict): string | undefined {
  switch (verdict.kind) {
    case "linearizable":
      return undefined;
    case "undecided":
      return `key ${verdict.key}: the search for an order was given up`;
    case "violation":
      return [
        `key ${verdict.key} is not linearizable; no order explains:`,
        ...verdict.before === undefined
          ? []
          : [`${describe(verdict.before)} (nothing else was under way)`],
        ...verdict.operations.map(describe),
      ].join("\n");
  }
}

const SHOWN_MAX = 200;

function describe(operation: Operation): string {
  const { name, value, result, call, end, at } = operation;
  const times = result === undefined ? `${call}…` : `${call}–${end}`;
  const command = name === "setget" ? "SET … GET" : name.toUpperCase();
  const words = [command, ...(value === undefined ? [] : [JSON.stringify(value)])].join(" ");
  const reply = result === undefined
    ? "unknown: at any time after its call, or never"
    : shorten(JSON.stringify(result));
  return `  ${times.padEnd(13)} ${at === undefined ? "" : `${at}  `}${words} -> ${reply}`;
}

function shorten(text: string): string {
  if (text.length <= SHOWN_MAX) return text;
  const half = SHOWN_MAX / 2;
  return `${text.slice(0, half)}…${text.slice(-half)}`;
}
