/** What one command did, as a client saw it. Only the order of times matters. */
export interface Operation {
  readonly key: string;
  readonly name: "set" | "get" | "setnx" | "setget" | "incr" | "append" | "del";
  readonly value?: string;
  /** The reply; undefined: unknown, it may have happened at any time after `call`, or never. */
  readonly result?: string | number | null;
  readonly call: number;
  /** Ignored where the result is unknown. */
  readonly end: number;
}

/** A key's value; null when there is none. */
type State = string | null;

/** More steps than this and the search is given up. */
const STEPS_MAX = 20_000_000;

/** What Redis answers to `operation` on `state`, and the state after it. */
export function runModel(
  state: State,
  operation: Operation,
): { readonly state: State; readonly result: string | number | null } {
  const value = operation.value ?? "";
  switch (operation.name) {
    case "set":
      return { state: value, result: "OK" };
    case "get":
      return { state, result: state };
    case "setnx":
      return state === null ? { state: value, result: 1 } : { state, result: 0 };
    case "setget":
      return { state: value, result: state };
    case "incr": {
      const next = Number(state ?? "0") + 1;
      return { state: String(next), result: next };
    }
    case "append": {
      const next = (state ?? "") + value;
      return { state: next, result: next.length };
    }
    case "del":
      return { state: null, result: state === null ? 0 : 1 };
  }
}

/** Undefined when the history is linearizable, else a text about the first key that is not. */
export function checkLinearizable(history: readonly Operation[]): string | undefined {
  const keys = new Map<string, Operation[]>();
  for (const operation of history) {
    if (operation.name === "get" && operation.result === undefined) continue;
    const known = keys.get(operation.key);
    if (known === undefined) keys.set(operation.key, [operation]);
    else known.push(operation);
  }
  for (const [key, operations] of keys) {
    const longest = findLinearization(operations);
    if (longest === undefined) continue;
    const lines = [...operations].sort((a, b) => a.call - b.call).map((operation) =>
      (longest.has(operation) ? "  " : "! ") + JSON.stringify(operation)
    );
    return `key ${key} is not linearizable; "!": outside the longest order found\n` +
      lines.join("\n");
  }
  return undefined;
}

/** A call or a return, in a doubly linked list in the order of time. */
interface Event {
  readonly operation: Operation;
  readonly number: number;
  /** The return of a call; undefined for returns and for calls of unknown outcome. */
  readonly match: Event | undefined;
  readonly isCall: boolean;
  readonly at: number;
  previous: Event | undefined;
  next: Event | undefined;
}

/**
 * Wing and Gong's search for an order, with Lowe's memory of what was tried ("Testing for
 * linearizability", 2017), for one key. Undefined when there is one; else the most that fit.
 */
function findLinearization(operations: readonly Operation[]): Set<Operation> | undefined {
  const first = linkEvents(operations);
  const done = new Uint16Array(Math.ceil(operations.length / 16));
  const tried = new Set<string>();
  const stack: { readonly event: Event; readonly state: State }[] = [];
  let remaining = operations.filter(({ result }) => result !== undefined).length;
  let longest = new Set<Operation>();
  let state: State = null;
  let event = first.next;
  for (let steps = 0; remaining > 0; steps++) {
    if (steps > STEPS_MAX) throw new Error("Cannot decide whether the history is linearizable");
    if (event?.isCall === true) {
      const { operation, number } = event;
      const ran = runModel(state, operation);
      if (operation.result === undefined || operation.result === ran.result) {
        done[number >> 4] |= 1 << (number & 15);
        const memo = `${String.fromCharCode(...done)}${ran.state}`;
        if (!tried.has(memo)) {
          tried.add(memo);
          stack.push({ event, state });
          state = ran.state;
          unlink(event);
          if (operation.result !== undefined) remaining--;
          event = first.next;
          continue;
        }
        done[number >> 4] &= ~(1 << (number & 15));
      }
      event = event.next;
      continue;
    }
    // A return whose call does not fit, or the end: take back the latest choice.
    if (stack.length > longest.size) longest = new Set(stack.map((each) => each.event.operation));
    const latest = stack.pop();
    if (latest === undefined) return longest;
    const { number, operation } = latest.event;
    done[number >> 4] &= ~(1 << (number & 15));
    if (operation.result !== undefined) remaining++;
    state = latest.state;
    relink(latest.event);
    event = latest.event.next;
  }
  return undefined;
}

/** The head of the list, itself no event. */
function linkEvents(operations: readonly Operation[]): Event {
  const events: Event[] = [];
  for (const [number, operation] of operations.entries()) {
    const shared = { operation, number, previous: undefined, next: undefined };
    let match: Event | undefined;
    if (operation.result !== undefined) {
      match = { ...shared, match: undefined, isCall: false, at: operation.end };
      events.push(match);
    }
    events.push({ ...shared, match, isCall: true, at: operation.call });
  }
  events.sort((a, b) => a.at - b.at || Number(b.isCall) - Number(a.isCall));
  const head: Event = { ...events[0], previous: undefined, next: undefined };
  let last = head;
  for (const event of events) {
    last.next = event;
    event.previous = last;
    last = event;
  }
  return head;
}

function unlink(event: Event): void {
  for (const each of [event, event.match]) {
    if (each === undefined) continue;
    each.previous!.next = each.next;
    if (each.next !== undefined) each.next.previous = each.previous;
  }
}

/** Undoes the latest `unlink`. */
function relink(event: Event): void {
  for (const each of [event.match, event]) {
    if (each === undefined) continue;
    each.previous!.next = each;
    if (each.next !== undefined) each.next.previous = each;
  }
}
