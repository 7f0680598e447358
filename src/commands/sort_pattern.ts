import type { Bytes } from "../base/bytes.ts";
import { ErrorReply } from "../resp/reply.ts";
import type { DataContext } from "./data_context.ts";
import { parseDouble } from "./double.ts";
import { findField } from "./hash_field.ts";

/** Below this a double has fewer bits: C's strtod calls it out of range. */
const NORMAL_MIN = 2 ** -1022;

/** The bytes before the first zero: what C takes for the string. */
export function cString(text: Bytes): Bytes {
  const end = text.indexOf("\0");
  return end < 0 ? text : text.slice(0, end);
}

/**
 * What the BY or GET pattern of SORT gives for an element: the value of the string, or of the hash
 * field (`key->field`), that it names when the element stands for its star; for `#` the element.
 * null when there is none.
 */
export function lookUp(context: DataContext, pattern: Bytes, element: Bytes): Bytes | null {
  const visible = cString(pattern);
  if (visible === "#") return element;
  const star = visible.indexOf("*");
  if (star < 0) return null;
  const arrow = visible.indexOf("->", star + 1);
  const isField = arrow >= 0 && arrow + 2 < visible.length;
  const key = pattern.slice(0, star) + element +
    pattern.slice(star + 1, isField ? arrow : undefined);
  if (isField) return fieldOf(context, key, pattern.slice(arrow + 2));
  const record = context.find(key);
  return record?.type === "string" ? record.value : null;
}

function fieldOf(context: DataContext, key: Bytes, field: Bytes): Bytes | null {
  const hash = context.read(key, "hash");
  if (hash instanceof ErrorReply) return null;
  return findField(context, hash, field)?.value ?? null;
}

/**
 * The number that an element is sorted by: what strtod makes of the C string, of which it must
 * read all; nothing is 0. Undefined when it is no number or out of a double's range.
 */
export function weightOf(text: Bytes): number | undefined {
  const line = cString(text);
  if (line === "") return 0;
  const value = parseDouble(line.replace(/^[ \t-\r]+/, ""));
  if (value === undefined || (value !== 0 && Math.abs(value) < NORMAL_MIN)) return undefined;
  return value;
}
