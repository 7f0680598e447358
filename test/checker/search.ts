import { type Model, MODELS, type State } from "./models.ts";
import { changesNothing, isRead, type Operation, type Result } from "./operation.ts";
import { RegisterRules } from "./register_rules.ts";

/** One operation of the key that is searched. */
interface Node {
  readonly operation: Operation;
  readonly call: number;
  /** Infinity: nothing tells that it happened. */
  readonly end: number;
  readonly isUnknown: boolean;
  /** It leaves every state as it is: where its reply fits, it is as well there as later. */
  readonly isNeutral: boolean;
  /** An earlier one of unknown outcome that does the same: it goes first. */
  readonly twin: number;
}

/** A call or a return, in a doubly linked list in the order of time. */
interface Event {
  readonly number: number;
  readonly isCall: boolean;
  /** The return of a call, if it has one. */
  readonly match: Event | undefined;
  readonly at: number;
  previous: Event | undefined;
  next: Event | undefined;
}

interface Choice {
  readonly event: Event;
  readonly state: State;
  /** Whether it was found among those of unknown outcome, which are tried last. */
  readonly isLate: boolean;
}

export type Found = "linearizable" | "violation" | "undecided";

/**
 * Looks for an order of one key's operations, all of one model, that explains every reply: Wing and
 * Gong's search with the memory of Lowe ("Testing for linearizability", 2017). What keeps unknown
 * outcomes from multiplying: one whose value was seen has happened before that; one that nobody can
 * have noticed is left out; of those that do the same the earliest goes first; none is overwritten
 * unseen; what grows never has the same value again, so all that saw a value have their place
 * before it changes; and where an order failed, one that has spent more of them to come as far
 * fails too.
 * Undecided after `stepsMax` steps.
 */
export function search(
  operations: readonly Operation[],
  start: State = null,
  stepsMax = 5_000_000,
): Found {
  const nodes = nodesOf(operations);
  if (nodes.length === 0) return "linearizable";
  return new Search(nodes, MODELS[operations[0].model], start).run(stepsMax);
}

class Search {
  readonly #nodes: readonly Node[];
  readonly #model: Model;
  readonly #head: Event;
  /** A bit for each node that has its place: those that must have one, and the others. */
  readonly #done: Uint16Array;
  readonly #spent: Uint16Array;
  /** By what is done and the state: what was spent on it. */
  readonly #tried = new Map<string, Uint16Array[]>();
  readonly #stack: Choice[] = [];
  /** Of a value that grows: how many replies to reads and to writes have no place yet. */
  readonly #waiting: Map<string, number> | undefined;
  readonly #rules: RegisterRules | undefined;
  /** Those without a place that must have one, and of them the neutral ones. */
  #remaining: number;
  #neutral: number;
  #state: State;

  constructor(nodes: readonly Node[], model: Model, start: State) {
    this.#nodes = nodes;
    this.#model = model;
    this.#head = linkEvents(nodes);
    this.#done = new Uint16Array(Math.ceil(nodes.length / 16));
    this.#spent = new Uint16Array(this.#done.length);
    this.#remaining = nodes.filter(({ end }) => end !== Infinity).length;
    this.#neutral = nodes.filter(({ isNeutral }) => isNeutral).length;
    this.#state = start;
    if (nodes[0].operation.model === "register") {
      this.#rules = new RegisterRules(nodes, start);
      return;
    }
    this.#waiting = new Map();
    for (const { operation } of nodes) this.#wait(operation, 1);
  }

  run(stepsMax: number): Found {
    if (this.#rules?.areBroken) return "violation";
    let event = this.#head.next;
    let isLate = false;
    for (let steps = 0; this.#remaining > 0; steps++) {
      if (steps > stepsMax) return "undecided";
      if (event !== undefined && event.isCall) {
        if (this.#nodes[event.number].isUnknown === isLate && this.#place(event, isLate)) {
          event = this.#head.next;
          isLate = false;
        } else event = event.next;
      } else if (!isLate) {
        // Before this return something of unknown outcome must have happened, or all is wrong.
        isLate = true;
        event = this.#head.next;
      } else {
        const choice = this.#takeBack();
        if (choice === undefined) return "violation";
        event = choice.event.next;
        isLate = choice.isLate;
      }
    }
    return "linearizable";
  }

  /** Makes this the next in the order; false when it does not fit, or has failed before. */
  #place(event: Event, isLate: boolean): boolean {
    const node = this.#nodes[event.number];
    const { operation, isUnknown, isNeutral, twin, end } = node;
    if (twin >= 0 && !this.#isSpent(twin)) return false;
    const { state, result } = this.#model(this.#state, operation);
    if (!isUnknown && operation.result !== result) return false;
    if (end === Infinity && state === this.#state) return false;
    if (!isNeutral && this.#waiting !== undefined && this.#isTooEarly(node, result)) return false;
    if (this.#rules?.forbids(event.number, this.#state, state, this.#firstEnd())) return false;
    const before = this.#stack.at(-1);
    if (before !== undefined && this.#isOpen(before.event.number) && overwrites(operation)) {
      return false;
    }
    this.#flip(event.number);
    if (!isNeutral && this.#isTried(state)) {
      this.#flip(event.number);
      return false;
    }
    this.#stack.push({ event, state: this.#state, isLate });
    this.#state = state;
    unlink(event);
    if (end !== Infinity) this.#remaining--;
    if (isNeutral) this.#neutral--;
    this.#wait(operation, -1);
    this.#rules?.placed(event.number);
    return true;
  }

  /** Undoes choices up to the latest that has an alternative; undefined when there is none. */
  #takeBack(): Choice | undefined {
    for (;;) {
      const choice = this.#stack.pop();
      if (choice === undefined) return undefined;
      const { event, state } = choice;
      const node = this.#nodes[event.number];
      this.#flip(event.number);
      if (node.end !== Infinity) this.#remaining++;
      this.#wait(node.operation, 1);
      this.#rules?.takenBack(event.number);
      this.#state = state;
      relink(event);
      if (!node.isNeutral) return choice;
      this.#neutral++;
    }
  }

  /** The earliest end of what has no place yet: what was called later cannot go before it. */
  #firstEnd(): number {
    let event = this.#head.next;
    while (event?.isCall) event = event.next;
    return event?.at ?? Infinity;
  }

  /**
   * Whether a write to a value that grows leaves behind a reply that fits nowhere later: a read of
   * the value as it is, or another write's that is this one's; or, where all that was added can be
   * read, a read at all, when nobody saw what this one adds.
   */
  #isTooEarly({ operation, end }: Node, result: Result): boolean {
    const { model } = operation;
    if (this.#isWaiting(`read ${model === "list" ? this.#state ?? "" : this.#state}`)) return true;
    if (operation.result === undefined && this.#isWaiting(`write ${result}`)) return true;
    return end === Infinity && model !== "counter" && this.#neutral > 0;
  }

  #isWaiting(reply: string): boolean {
    return (this.#waiting?.get(reply) ?? 0) > 0;
  }

  #wait({ name, result }: Operation, by: number): void {
    if (result === undefined || this.#waiting === undefined) return;
    const reply = `${isRead(name) ? "read" : "write"} ${result}`;
    this.#waiting.set(reply, (this.#waiting.get(reply) ?? 0) + by);
  }

  #isOpen(number: number): boolean {
    return this.#nodes[number].end === Infinity;
  }

  /** Whether an order that came as far with no more spent has failed; remembers this one. */
  #isTried(state: State): boolean {
    const memory = String.fromCharCode(...this.#done) + (state === null ? "-" : `+${state}`);
    const tried = this.#tried.get(memory);
    if (tried === undefined) this.#tried.set(memory, [this.#spent.slice()]);
    else if (tried.some((spent) => spent.every((bits, i) => (bits & ~this.#spent[i]) === 0))) {
      return true;
    } else tried.push(this.#spent.slice());
    return false;
  }

  #isSpent(number: number): boolean {
    return (this.#spent[number >> 4] & 1 << (number & 15)) !== 0;
  }

  #flip(number: number): void {
    const bits = this.#isOpen(number) ? this.#spent : this.#done;
    bits[number >> 4] ^= 1 << (number & 15);
  }
}

/** The writes of unknown outcome that may still happen: none whose value, its alone, was seen. */
export function unfinished(operations: readonly Operation[]): Operation[] {
  const writers = countWriters(operations);
  const seen = firstSeen(operations);
  return operations.filter(({ value = "", result }) => {
    const token = tokenOf(value);
    return result === undefined && !(writers.get(token) === 1 && seen.has(token));
  });
}

/** The operations that matter, with what is known about those of unknown outcome. */
function nodesOf(operations: readonly Operation[]): Node[] {
  const writers = countWriters(operations);
  const seen = firstSeen(operations);
  const isPlain = operations.every(({ name }) => ["set", "get", "setget"].includes(name));
  const latest = new Map<string, number>();
  const nodes: Node[] = [];
  for (const operation of [...operations].sort((a, b) => a.call - b.call)) {
    const { name, value = "", result, call } = operation;
    const isUnknown = result === undefined;
    if (isUnknown && isRead(name)) continue;
    let end = operation.end;
    let twin = -1;
    if (isUnknown) {
      const token = tokenOf(value);
      const isOnly = name !== "incr" && writers.get(token) === 1;
      end = isOnly ? seen.get(token) ?? Infinity : Infinity;
      if (end === Infinity && isOnly && isPlain) continue;
      // Seen before it was called: no order can explain that.
      end = Math.max(end, call);
      if (end === Infinity) {
        const effect = effectOf(operation);
        twin = latest.get(effect) ?? -1;
        latest.set(effect, nodes.length);
      }
    }
    const isNeutral = changesNothing(operation);
    nodes.push({ operation, call, end, isUnknown, isNeutral, twin });
  }
  return nodes;
}

const tokenOf = (value: string): string => value.endsWith(",") ? value.slice(0, -1) : value;

/** How many write each value. */
function countWriters(operations: readonly Operation[]): Map<string, number> {
  const writers = new Map<string, number>();
  for (const { name, value } of operations) {
    if (isRead(name) || value === undefined) continue;
    writers.set(tokenOf(value), (writers.get(tokenOf(value)) ?? 0) + 1);
  }
  return writers;
}

/** When each value had been seen at the latest, by the earliest that saw it. */
function firstSeen(operations: readonly Operation[]): Map<string, number> {
  const seen = new Map<string, number>();
  for (const { model, name, result, end } of operations) {
    if (typeof result !== "string" || name === "set") continue;
    const tokens = model === "append" || model === "list" ? result.split(",") : [tokenOf(result)];
    for (const token of tokens) seen.set(token, Math.min(seen.get(token) ?? Infinity, end));
  }
  return seen;
}

/** Equal for those that nobody can tell apart, as long as their values are not seen. */
function effectOf({ model, name, value = "" }: Operation): string {
  if (model === "list") return name;
  return model === "append" ? `${name} ${value.length}` : `${name} ${value}`;
}

/** Whether it leaves nothing of what was there, and did not tell what that was. */
function overwrites({ name, result }: Operation): boolean {
  return name === "set" || (result === undefined && (name === "setget" || name === "del"));
}

/** The head of the list, itself no event. */
function linkEvents(nodes: readonly Node[]): Event {
  const events: Event[] = [];
  for (const [number, { call, end }] of nodes.entries()) {
    const shared = { number, previous: undefined, next: undefined };
    const match = end === Infinity
      ? undefined
      : { ...shared, match: undefined, isCall: false, at: end };
    if (match !== undefined) events.push(match);
    events.push({ ...shared, match, isCall: true, at: call });
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
