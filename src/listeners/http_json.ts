import type { Buffer } from "node:buffer";
import * as v from "valibot";
import { type Bytes, utf8Encode } from "../base/bytes.ts";
import { HttpProblem } from "./http_types.ts";

/** The command that a body like `["SET","key",1]` states. */
export function parseCommand(body: Buffer): Bytes[] | HttpProblem {
  return parseBody(body, "command", commandOfStrings, commandSchema);
}

/** The commands that a body like `[["GET","a"],["INCR","b"]]` states. */
export function parsePipeline(body: Buffer): Bytes[][] | HttpProblem {
  return parseBody(body, "pipeline request", pipelineOfStrings, pipelineSchema);
}

function parseBody<Parsed>(
  body: Buffer,
  what: string,
  quick: (value: unknown) => Parsed | undefined,
  schema: v.GenericSchema<unknown, Parsed>,
): Parsed | HttpProblem {
  if (body.length === 0) {
    return new HttpProblem(400, `ERR failed to parse ${what}: the body is empty (EOF)`);
  }
  let value: unknown;
  try {
    const text = UTF8.decode(body);
    const parsed = quick(JSON.parse(text));
    if (parsed !== undefined) return parsed;
    value = JSON.parse(text, keepNumberText as Reviver);
  } catch (error) {
    return new HttpProblem(400, `ERR failed to parse ${what}: ${(error as Error).message}`);
  }
  const result = v.safeParse(schema, value, { abortEarly: true });
  if (result.success) return result.output;
  const [issue] = result.issues;
  const path = (issue.path ?? []).map((item) => Number(item.key));
  return new HttpProblem(400, `ERR ${issue.message}${position(path)}`);
}

/** Where in the body: the argument of a command, or the command of a pipeline and its argument. */
function position(path: readonly number[]): string {
  return path.length === 0 ? "" : ` at ${path.map((index) => `[${index}]`).join("")}`;
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

const argumentSchema = v.pipe(
  v.union(
    [v.string(), v.boolean(), v.instance(NumberText)],
    (issue) => argumentProblem(issue.input),
  ),
  v.transform((value) => utf8Encode(value instanceof NumberText ? value.text : String(value))),
);
const commandSchema = v.pipe(
  v.array(argumentSchema, (issue) => notAnArray("command", issue.input)),
  v.minLength(1, "empty command"),
);
const pipelineSchema = v.pipe(
  v.array(commandSchema, (issue) => notAnArray("pipeline request", issue.input)),
  v.minLength(1, "empty pipeline request"),
);

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

const UTF8 = new TextDecoder("utf-8", { fatal: true });
