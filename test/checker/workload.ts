import type { Prng } from "../../src/base/prng.ts";
import { ErrorReply, type Reply, Status } from "../../src/resp/reply.ts";
import { isRead, type ModelName, type Operation, type OperationName } from "./operation.ts";
import type { Result } from "./operation.ts";

/** A command to be sent, and what it means to the checker. */
export interface Request {
  readonly operation: Pick<Operation, "model" | "key" | "name" | "value">;
  readonly argv: readonly string[];
  /** It changes nothing, so nothing is lost when its outcome is unknown. */
  readonly isRead: boolean;
}

/** What a reply, or the want of one, tells of a command. */
export type Outcome =
  | { readonly kind: "done"; readonly result: Result }
  /** It was certainly not carried out. */
  | { readonly kind: "not done"; readonly isReadOnly: boolean; readonly text: string }
  /** Nobody can tell; `text`: an error that the store should not give. */
  | { readonly kind: "unknown"; readonly text?: string };

export const UNKNOWN: Outcome = { kind: "unknown" };

/** Keys that are written and read as a whole by MSET and MGET: one register to the checker. */
const GROUP_KEYS = 4;

/** Errors that say that nothing was done, of Balsa and of Redis. */
const NOT_DONE =
  /^(CLUSTERDOWN|MISCONF|BUSY|SHUTDOWN|LOADING|READONLY|MOVED|MASTERDOWN|NOREPLICAS|OOM|NOAUTH) /;
const OUTCOME_UNKNOWN = /^UNKNOWN /;

/** Commands for each kind of key, the more often the more they stand here. */
const COMMANDS: Readonly<Record<ModelName, readonly OperationName[]>> = {
  register: ["set", "set", "get", "get", "get", "setnx", "setget", "del"],
  counter: ["incr", "incr", "get"],
  append: ["append", "get"],
  list: ["rpush", "lrange"],
};

export interface WorkloadOptions {
  readonly random: Prng;
  /** What all keys begin with. */
  readonly prefix: string;
  /** The more commands on one key, the longer its history to search. */
  readonly commandsPerKey?: number;
  /** Whether the store has lists. */
  readonly lists?: boolean;
}

interface Slot {
  readonly model: ModelName;
  readonly isGroup: boolean;
  key: string;
  commands: number;
}

/** Makes commands on a few keys at a time, and takes new keys after a while. */
export class Workload {
  readonly #random: Prng;
  readonly #prefix: string;
  readonly #commandsPerKey: number;
  readonly #slots: Slot[] = [];
  #keys = 0;
  #values = 0;

  constructor(options: WorkloadOptions) {
    this.#random = options.random;
    this.#prefix = options.prefix;
    this.#commandsPerKey = options.commandsPerKey ?? 120;
    const models: ModelName[] = ["register", "register", "register", "counter", "append"];
    if (options.lists) models.push("list");
    for (const model of models) this.#add(model, false);
    this.#add("register", true);
  }

  /** The next command. */
  next(): Request {
    const slot = this.#slots[this.#random.below(this.#slots.length)];
    if (slot.commands++ >= this.#commandsPerKey) this.#renew(slot);
    const names = slot.isGroup ? ["set", "get"] as const : COMMANDS[slot.model];
    const name = names[this.#random.below(names.length)];
    const number = String(++this.#values);
    const value = isRead(name) || name === "del" || name === "incr"
      ? undefined
      : name === "append"
      ? `${number},`
      : number;
    return requestOf({ model: slot.model, key: slot.key, name, value }, slot.isGroup);
  }

  /** Whether new commands on this key may come. */
  isInUse(key: string): boolean {
    return this.#slots.some((slot) => slot.key === key);
  }

  /** New keys from now on. */
  renewAll(): void {
    for (const slot of this.#slots) this.#renew(slot);
  }

  #add(model: ModelName, isGroup: boolean): void {
    const slot = { model, isGroup, key: "", commands: 0 };
    this.#renew(slot);
    this.#slots.push(slot);
  }

  #renew(slot: Slot): void {
    slot.key = `${this.#prefix}${slot.isGroup ? "group" : slot.model}:${++this.#keys}`;
    slot.commands = 0;
  }
}

/** The read that shows what a key holds. */
export function readOf({ operation }: Request): Request {
  const { model, key } = operation;
  const name = model === "list" ? "lrange" : "get";
  return requestOf({ model, key, name }, isGroupKey(key));
}

/** The keys of the store behind a request's. */
export function storedKeys(key: string): string[] {
  return isGroupKey(key) ? Array.from({ length: GROUP_KEYS }, (_, i) => `${key}:${i}`) : [key];
}

const isGroupKey = (key: string): boolean => /(^|:)group:\d+$/.test(key);

function requestOf(operation: Request["operation"], isGroup: boolean): Request {
  return { operation, argv: argvOf(operation, isGroup), isRead: isRead(operation.name) };
}

function argvOf({ key, name, value = "" }: Request["operation"], isGroup: boolean): string[] {
  if (isGroup) {
    const keys = storedKeys(key);
    return name === "set" ? ["MSET", ...keys.flatMap((each) => [each, value])] : ["MGET", ...keys];
  }
  switch (name) {
    case "setget":
      return ["SET", key, value, "GET"];
    case "lrange":
      return ["LRANGE", key, "0", "-1"];
    case "get":
    case "del":
    case "incr":
      return [name.toUpperCase(), key];
    default:
      return [name.toUpperCase(), key, value];
  }
}

/** What a reply says of a request. */
export function outcomeOf({ operation, argv, isRead }: Request, reply: Reply): Outcome {
  if (reply instanceof ErrorReply) {
    const { text } = reply;
    if (NOT_DONE.test(text)) {
      return { kind: "not done", isReadOnly: text.startsWith("READONLY"), text };
    }
    return OUTCOME_UNKNOWN.test(text) ? UNKNOWN : { kind: "unknown", text };
  }
  if (reply instanceof Status) return { kind: "done", result: reply.text };
  if (reply === null || typeof reply === "string" || typeof reply === "number") {
    return { kind: "done", result: reply };
  }
  if (Array.isArray(reply) && isRead) {
    if (operation.name === "lrange") {
      return { kind: "done", result: reply.map((element) => `${element},`).join("") };
    }
    // MGET: all of one MSET, or what no MSET can have written.
    const isWhole = reply.every((value) => value === reply[0]);
    return { kind: "done", result: isWhole ? reply[0] : `in part: ${reply.join(" ")}` };
  }
  return { kind: "unknown", text: `a reply to ${argv[0]} that it cannot have` };
}
