/** How a key is used; each has a model of its own. */
export type ModelName = "register" | "counter" | "append" | "list";

export type OperationName =
  | "set"
  | "get"
  | "setnx"
  | "setget"
  | "del"
  | "incr"
  | "append"
  | "rpush"
  | "lrange";

/** A reply. LRANGE's is its elements, each followed by a comma. */
export type Result = string | number | null;

/** What one command did to one key, as a client saw it. Only the order of times matters. */
export interface Operation {
  readonly model: ModelName;
  readonly key: string;
  readonly name: OperationName;
  /**
   * What is written. No two writes to a key that was written by "append" or "list" have the same;
   * there it ends with a comma or holds none, in this order.
   */
  readonly value?: string;
  /** Undefined: unknown; it may have happened at any time after `call`, or never. */
  readonly result?: Result;
  readonly call: number;
  /** Not before `call`; ignored where the result is unknown. Equal times are concurrent. */
  readonly end: number;
  /** Where it was sent: for the text of a violation only. */
  readonly at?: string;
}

/** Whether it changed nothing, whatever was there: a read, or a write that was told so. */
export function changesNothing({ name, result }: Operation): boolean {
  if (name === "get" || name === "lrange") return true;
  return result === 0 && (name === "setnx" || name === "del");
}

/** Whether commands of this name only read. */
export function isRead(name: OperationName): boolean {
  return name === "get" || name === "lrange";
}
