import { checkKey, type Verdict } from "./check.ts";
import type { State } from "./models.ts";
import type { Operation, Result } from "./operation.ts";
import { unfinished } from "./search.ts";
import type { Outcome, Request } from "./workload.ts";

/** The history of one key. */
interface KeyHistory {
  readonly request: Request;
  /** What it held before all that stands in `operations`. */
  start: State;
  /** The read that saw `start`. */
  before: Operation | undefined;
  operations: Operation[];
  calls: number;
  /** Calls that have not ended, as of unknown outcome. */
  readonly open: Set<Operation>;
  /** A read while nothing else was under way, if nothing was called since. */
  seen: Operation | undefined;
}

/** A command that is under way. */
export interface Call {
  /** Takes note of what became of it; once. */
  end(outcome: Outcome): void;
}

/** Takes down what clients see, key by key, and checks a key when no more commands on it come. */
export class Recorder {
  /** Commands by what became of them. */
  readonly counts = { reads: 0, writes: 0, notDone: 0, unknown: 0 };
  /** How often each error said that nothing was done. */
  readonly refusals = new Map<string, number>();
  readonly #keys = new Map<string, KeyHistory>();
  /** Orders calls and ends, since this one is told of all of them. */
  #time = 0;
  #verdict: Verdict = { kind: "linearizable" };

  /** What was found so far: the first violation, else what could not be decided. */
  get verdict(): Verdict {
    return this.#verdict;
  }

  /** A request for each key. */
  get requests(): Request[] {
    return [...this.#keys.values()].map(({ request }) => request);
  }

  /** A command is about to be sent; `at`: where to. */
  call(request: Request, at?: string): Call {
    const history = this.#historyOf(request);
    const call = ++this.#time;
    const isAlone = history.open.size === 0;
    const number = ++history.calls;
    history.seen = undefined;
    const begun = { ...request.operation, call, end: call, at };
    history.open.add(begun);
    const end = (outcome: Outcome): void => {
      history.open.delete(begun);
      const operation = { ...begun, end: ++this.#time };
      if (outcome.kind === "not done") {
        this.counts.notDone++;
        this.refusals.set(outcome.text, (this.refusals.get(outcome.text) ?? 0) + 1);
        return;
      }
      if (outcome.kind === "unknown") {
        this.counts.unknown++;
        if (!request.isRead) history.operations.push(operation);
        return;
      }
      this.counts[request.isRead ? "reads" : "writes"]++;
      const done = { ...operation, result: outcome.result };
      history.operations.push(done);
      if (request.isRead && isAlone && history.calls === number) history.seen = done;
    };
    return { end };
  }

  /** Whether nothing on the key is under way, and it has more of a history than `settle` leaves. */
  canSettle(key: string): boolean {
    const history = this.#keys.get(key);
    return history !== undefined && history.open.size === 0 &&
      history.operations.some(({ result }) => result !== undefined);
  }

  /**
   * Checks a key that was just read while nothing else was under way, and keeps of its history only
   * what was seen, and the writes that may still happen.
   */
  settle(key: string): void {
    const history = this.#keys.get(key);
    if (history?.seen === undefined) return;
    this.#check(history);
    history.before = history.seen;
    history.start = stateOf(history.seen.result);
    history.operations = unfinished(history.operations);
  }

  /** Checks all that was not settled, what is under way included; the verdict on the whole. */
  check(): Verdict {
    for (const history of this.#keys.values()) this.#check(history);
    return this.#verdict;
  }

  #check({ operations, open, start, before }: KeyHistory): void {
    if (operations.length === 0 || this.#verdict.kind === "violation") return;
    const verdict = checkKey([...operations, ...open], start);
    if (verdict.kind === "linearizable") return;
    this.#verdict = verdict.kind === "violation" ? { ...verdict, before } : verdict;
  }

  #historyOf(request: Request): KeyHistory {
    const { key } = request.operation;
    const known = this.#keys.get(key);
    if (known !== undefined) return known;
    const fresh: KeyHistory = {
      request,
      start: null,
      before: undefined,
      operations: [],
      calls: 0,
      open: new Set(),
      seen: undefined,
    };
    this.#keys.set(key, fresh);
    return fresh;
  }
}

/** What a key holds whose read gives this. */
export function stateOf(result: Result | undefined): State {
  return result === undefined || result === null || result === "" ? null : String(result);
}
