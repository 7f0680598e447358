import { type Bytes, isAscii } from "../base/bytes.ts";

/** A name and a password, as ACL RESTTOKEN puts them into a token for HTTP. */
export interface Credentials {
  readonly user: Bytes;
  readonly password: Bytes;
}

const MARK = "balsa:";

/**
 * The token by which HTTP requests run as a user: its name and password in base64url, so it is good
 * on every node for as long as the password is.
 */
export function restToken({ user, password }: Credentials): Bytes {
  const text = btoa(`${MARK}${user.length}:${user}${password}`);
  return text.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** What is in such a token; undefined for any other text. */
export function parseRestToken(token: Bytes): Credentials | undefined {
  if (!isAscii(token) || !/^[\w-]+$/.test(token) || token.length % 4 === 1) return undefined;
  const text = atob(token.replaceAll("-", "+").replaceAll("_", "/"));
  const match = /^balsa:(\d{1,9}):/.exec(text);
  if (match === null) return undefined;
  const start = match[0].length;
  const end = start + Number(match[1]);
  return end > text.length
    ? undefined
    : { user: text.slice(start, end), password: text.slice(end) };
}
