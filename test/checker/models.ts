import type { ModelName, Operation, Result } from "./operation.ts";

/** A key's value as text; null when there is none. A list: each element followed by a comma. */
export type State = string | null;

/** What an operation did to a value. */
export interface Step {
  readonly state: State;
  readonly result: Result;
}

/** What Redis answers to `operation` on `state`, and the state after it. */
export type Model = (state: State, operation: Operation) => Step;

/** A string that is replaced as a whole: SET, SETNX, SET … GET, DEL, GET. */
function register(state: State, { name, value = "" }: Operation): Step {
  switch (name) {
    case "set":
      return { state: value, result: "OK" };
    case "setnx":
      return state === null ? { state: value, result: 1 } : { state, result: 0 };
    case "setget":
      return { state: value, result: state };
    case "del":
      return { state: null, result: state === null ? 0 : 1 };
  }
  return read(state, name);
}

/** A number that grows by one: INCR, GET. */
function counter(state: State, { name }: Operation): Step {
  if (name !== "incr") return read(state, name);
  const next = Number(state ?? "0") + 1;
  return { state: String(next), result: next };
}

/** A string that grows at its end: APPEND, GET. */
function append(state: State, { name, value = "" }: Operation): Step {
  if (name !== "append") return read(state, name);
  const next = (state ?? "") + value;
  return { state: next, result: next.length };
}

/** A list that grows at its end: RPUSH, LRANGE 0 -1. */
function list(state: State, { name, value = "" }: Operation): Step {
  if (name === "lrange") return { state, result: state ?? "" };
  if (name !== "rpush") return read(state, name);
  const next = `${state ?? ""}${value},`;
  return { state: next, result: next.split(",").length - 1 };
}

function read(state: State, name: string): Step {
  if (name !== "get") throw new Error(`Cannot check ${name} on this kind of key`);
  return { state, result: state };
}

export const MODELS: Readonly<Record<ModelName, Model>> = { register, counter, append, list };
