import type { Buffer } from "node:buffer";
import * as v from "valibot";
import { type Bytes, utf8Encode } from "../base/bytes.ts";
import { HttpProblem } from "./http_types.ts";

/** The command that a body like `["SET","key",1]` states. */
export function parseCommand(body: Buffer): Bytes[] | HttpProblem {
  return parseBody(body, "command", commandOfStrings, commandOfAny);
}

/** The commands that a body like `[["GET","a"],["INCR","b"]]` states. */
export function parsePipeline(body: Buffer): Bytes[][] | HttpProblem {
  return parseBody(body, "pipeline request", pipelineOfStrings, pipelineOfAny);
}

function parseBody<Parsed>(
  body: Buffer,
  what: string,
  quick: (value: unknown) => Parsed | undefined,
  slow: (value: unknown) => Parsed | HttpProblem,
): Parsed | HttpProblem {
  const refuse = (why: string) => new HttpProblem(400, `ERR failed to parse ${what}: ${why}`);
  if (body.length === 0) return refuse("the body is empty (EOF)");
  try {
    const text = UTF8.decode(body);
    const unbounded = boundsProblem(text);
    if (unbounded !== undefined) return refuse(unbounded);
    return quick(JSON.parse(text)) ?? slow(JSON.parse(text, keepNumberText as Reviver));
  } catch (error) {
    return refuse((error as Error).message);
  }
}

type Reviver = (key: string, value: unknown) => unknown;

/** A number as it was written: "1.0" and "12345678901234567890" must not change. */
class NumberText {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/** A reviver; engines without the third argument (Node before 22) lose digits beyond 2^53. */
function keepNumberText(_key: string, value: unknown, context?: { source?: string }): unknown {
  return typeof value === "number" ? new NumberText(context?.source ?? String(value)) : value;
}

type Argument = string | boolean | NumberText;

// One custom check per argument: a union of schemas takes ten times as long.
const argumentSchema = v.custom<Argument>(
  (input) => typeof input === "string" || typeof input === "boolean" || input instanceof NumberText,
  (issue) => argumentProblem(issue.input),
);
const commandSchema = v.pipe(
  v.array(argumentSchema, (issue) => notAnArray("command", issue.input)),
  v.minLength(1, "empty command"),
);
const pipelineSchema = v.pipe(
  v.array(commandSchema, (issue) => notAnArray("pipeline request", issue.input)),
  v.minLength(1, "empty pipeline request"),
);

function commandOfAny(value: unknown): Bytes[] | HttpProblem {
  const result = v.safeParse(commandSchema, value, { abortEarly: true });
  return result.success ? result.output.map(argumentBytes) : schemaProblem(result.issues[0]);
}

function pipelineOfAny(value: unknown): Bytes[][] | HttpProblem {
  const result = v.safeParse(pipelineSchema, value, { abortEarly: true });
  if (!result.success) return schemaProblem(result.issues[0]);
  return result.output.map((row) => row.map(argumentBytes));
}

function argumentBytes(argument: Argument): Bytes {
  return utf8Encode(argument instanceof NumberText ? argument.text : String(argument));
}

/** Says where, as indices into the body: [argument], or [command][argument] of a pipeline. */
function schemaProblem(issue: v.BaseIssue<unknown>): HttpProblem {
  const where = (issue.path ?? []).map((item) => `[${String(item.key)}]`).join("");
  return new HttpProblem(400, `ERR ${issue.message}${where === "" ? "" : ` at ${where}`}`);
}

function argumentProblem(input: unknown): string {
  if (input === null) return "null args are not supported";
  return `unsupported arg type: "${Array.isArray(input) ? "[" : "{"}": json.Delim`;
}

function notAnArray(what: string, input: unknown): string {
  return `failed to parse ${what}: expected JSON array, got ${kindOf(input)}`;
}

function kindOf(input: unknown): string {
  if (input === null) return "null";
  if (input instanceof NumberText) return "a number";
  return typeof input === "object" ? "an object" : `a ${typeof input}`;
}

/** The common case without a schema: a non-empty array of strings alone. */
function commandOfStrings(value: unknown): Bytes[] | undefined {
  if (!Array.isArray(value) || value.length === 0) return undefined;
  for (let index = 0; index < value.length; index++) {
    if (typeof value[index] !== "string") return undefined;
    value[index] = utf8Encode(value[index]);
  }
  return value;
}

function pipelineOfStrings(value: unknown): Bytes[][] | undefined {
  if (!Array.isArray(value) || value.length === 0) return undefined;
  return value.every((row) => commandOfStrings(row) !== undefined) ? value : undefined;
}

/**
 * What is unbounded about a JSON text. Engines take seconds for deep nesting and for millions of
 * items, so both are looked for first; whatever else is wrong, the parser finds.
 */
function boundsProblem(text: string): string | undefined {
  let depth = 0;
  let items = 1;
  for (let at = 0; at < text.length; at++) {
    const char = text[at];
    if (char === '"') {
      at = closingQuote(text, at);
    } else if (char === ",") {
      if (++items > JSON_ITEMS_MAX) return `more than ${JSON_ITEMS_MAX} items`;
    } else if (char === "[" || char === "{") {
      if (++depth > DEPTH_MAX) return `nested deeper than ${DEPTH_MAX} levels`;
    } else if (char === "]" || char === "}") {
      depth--;
    }
  }
  return undefined;
}

/** The index of the quote that ends the string which starts at `start`; the end when none does. */
function closingQuote(text: string, start: number): number {
  let at = start;
  while (true) {
    at = text.indexOf('"', at + 1);
    if (at < 0) return text.length;
    let backslashes = 0;
    while (text[at - 1 - backslashes] === "\\") backslashes++;
    if (backslashes % 2 === 0) return at;
  }
}

/** Items of a JSON body: the arguments of all its commands. */
export const JSON_ITEMS_MAX = 1024 * 1024;
const DEPTH_MAX = 16;
const UTF8 = new TextDecoder("utf-8", { fatal: true });
