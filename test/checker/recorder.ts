import { checkKey, type Verdict } from "./check.ts";
import type { State } from "./models.ts";
import type { Operation } from "./operation.ts";
import type { Outcome, Request } from "./workload.ts";

/** The history of one key. */
interface KeyHistory {
  readonly request: Request;
  /** What it held before all that stands in `operations`. */
  start: State;
  operations: Operation[];
  calls: number;
  /** Calls that have not ended. */
  open: number;
  /** What a read saw while nothing else was under way, if nothing was called since. */
  seen: State | undefined;
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
    const isAlone = history.open++ === 0;
    const number = ++history.calls;
    history.seen = undefined;
    const end = (outcome: Outcome): void => {
      history.open--;
      const operation = { ...request.operation, call, end: ++this.#time, at };
      if (outcome.kind === "not done") {
        this.counts.notDone++;
        return;
      }
      if (outcome.kind === "unknown") {
        this.counts.unknown++;
        if (!request.isRead) history.operations.push(operation);
        return;
      }
      this.counts[request.isRead ? "reads" : "writes"]++;
      const { result } = outcome;
      history.operations.push({ ...operation, result });
      if (request.isRead && isAlone && history.calls === number) {
        history.seen = result === null || result === "" ? null : String(result);
      }
    };
    return { end };
  }

  /** Whether nothing on the key is under way, and it has more of a history than `settle` leaves. */
  canSettle(key: string): boolean {
    const history = this.#keys.get(key);
    return history !== undefined && history.open === 0 &&
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
    history.start = history.seen;
    history.operations = history.operations.filter(({ result }) => result === undefined);
  }

  /** Checks all that was not settled; the verdict on the whole. */
  check(): Verdict {
    for (const history of this.#keys.values()) this.#check(history);
    return this.#verdict;
  }

  #check({ operations, start }: KeyHistory): void {
    if (operations.length === 0 || this.#verdict.kind === "violation") return;
    const verdict = checkKey(operations, start);
    if (verdict.kind !== "linearizable") this.#verdict = verdict;
  }

  #historyOf(request: Request): KeyHistory {
    const { key } = request.operation;
    const known = this.#keys.get(key);
    if (known !== undefined) return known;
    const fresh = { request, start: null, operations: [], calls: 0, open: 0, seen: undefined };
    this.#keys.set(key, fresh);
    return fresh;
  }
}
