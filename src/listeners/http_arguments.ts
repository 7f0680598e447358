import { type Bytes, isAscii, utf8Encode } from "../base/bytes.ts";
import { HttpProblem } from "./http_types.ts";

/** The parts of a request's URL, still percent-encoded. */
export interface RequestTarget {
  /** With its leading slash. */
  readonly path: string;
  /** Without the question mark; "" when there is none. */
  readonly query: string;
}

/**
 * Splits the URL of a Request. No URL object: it would merge, decode and re-encode what must reach
 * the command byte for byte. A fragment is refused, because it would silently cut a key short.
 */
export function splitTarget(url: string): RequestTarget | HttpProblem {
  // Bun gives a bare path when the Host header is empty or missing.
  const start = url.charCodeAt(0) === SLASH ? 0 : url.indexOf("/", "https://".length - 1);
  if (start < 0) return { path: "/", query: "" };
  if (url.indexOf("#", start) >= 0) {
    return new HttpProblem(400, "ERR '#' in a URL must be written as %23");
  }
  const mark = url.indexOf("?", start);
  if (mark < 0) return { path: url.slice(start), query: "" };
  return { path: url.slice(start, mark), query: url.slice(mark + 1) };
}

/** The path without one trailing slash, as it names a page or a form: "/pipeline/" is one. */
export function withoutTrailingSlash(path: string): string {
  return path.length > 1 && path.charCodeAt(path.length - 1) === SLASH ? path.slice(0, -1) : path;
}

/**
 * The segments of a path as bytes: split on "/" first, then percent-decoded, so %2F is data. One
 * trailing slash is dropped; other empty segments are empty arguments. A plus is a plus.
 */
export function pathArguments(path: string): Bytes[] | HttpProblem {
  const segments = withoutTrailingSlash(path).slice(1).split("/");
  if (path.indexOf("%") < 0 && isAscii(path)) return segments;
  for (let index = 0; index < segments.length; index++) {
    const bytes = percentDecode(segments[index]);
    if (bytes === undefined) return malformedPercent(`path segment ${index}`);
    segments[index] = bytes;
  }
  return segments;
}

/**
 * The query as arguments in order: `EX=100` gives two, `NX` one. Form encoding: a plus is a space.
 * `_token` is left out.
 */
export function queryArguments(query: string): Bytes[] | HttpProblem {
  const result: Bytes[] = [];
  if (query === "") return result;
  for (const pair of query.split("&")) {
    if (pair === "") continue;
    const equals = pair.indexOf("=");
    const name = formDecode(equals < 0 ? pair : pair.slice(0, equals));
    if (name === undefined) return malformedPercent("query");
    if (name === TOKEN_PARAMETER) continue;
    result.push(name);
    if (equals < 0) continue;
    const value = formDecode(pair.slice(equals + 1));
    if (value === undefined) return malformedPercent("query");
    result.push(value);
  }
  return result;
}

/** The first `_token` of a query; "" when it is malformed, undefined when there is none. */
export function queryToken(query: string): Bytes | undefined {
  if (query === "") return undefined;
  for (const pair of query.split("&")) {
    const equals = pair.indexOf("=");
    if (formDecode(equals < 0 ? pair : pair.slice(0, equals)) !== TOKEN_PARAMETER) continue;
    return equals < 0 ? "" : formDecode(pair.slice(equals + 1)) ?? "";
  }
  return undefined;
}

/** The bytes that percent-encoded text stands for; undefined when a % lacks two hex digits. */
export function percentDecode(text: string): Bytes | undefined {
  const bytes = utf8Encode(text);
  if (bytes.indexOf("%") < 0) return bytes;
  if (MALFORMED_PERCENT.test(bytes)) return undefined;
  return bytes.replace(PERCENT, (_, digits: string) => String.fromCharCode(parseInt(digits, 16)));
}

function formDecode(text: string): Bytes | undefined {
  return percentDecode(text.indexOf("+") < 0 ? text : text.replaceAll("+", " "));
}

function malformedPercent(where: string): HttpProblem {
  return new HttpProblem(400, `ERR malformed percent-encoding in the ${where}`);
}

const SLASH = 47;
const TOKEN_PARAMETER = "_token";
const MALFORMED_PERCENT = /%(?![0-9A-Fa-f]{2})/;
const PERCENT = /%([0-9A-Fa-f]{2})/g;
