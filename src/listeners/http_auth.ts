import { type Bytes, utf8Encode } from "../base/bytes.ts";

/** What who sent a request may do. */
export type Access = "all" | "read" | "none";

/**
 * A check of a request's credentials against the tokens: a `_token` of the query wins over the
 * Authorization header, which is `Bearer TOKEN` in any case or the bare token. Without tokens
 * everyone may do all, but those who show a token for readers.
 */
export function makeAuthorizer(
  tokens: readonly string[],
  readonlyTokens: readonly string[] = [],
): (header: string | null, queryToken: Bytes | undefined) => Access {
  const full = tokens.map(utf8Encode);
  const readers = readonlyTokens.map(utf8Encode);
  const anonymous: Access = full.length === 0 ? "all" : "none";
  const accessOf = (candidate: Bytes): Access => {
    const [isFull, isReader] = [matchesAny(candidate, full), matchesAny(candidate, readers)];
    return isFull ? "all" : isReader ? "read" : anonymous;
  };
  return (header, queryToken) => {
    if (full.length === 0 && readers.length === 0) return "all";
    if (queryToken !== undefined) return accessOf(queryToken);
    if (header === null) return anonymous;
    const credential = bearerToken(header);
    // Runtimes read header bytes as Latin-1 or as UTF-8; both readings are tried.
    const asUtf8 = utf8Encode(credential);
    const access = accessOf(asUtf8);
    return access === anonymous && asUtf8 !== credential ? accessOf(credential) : access;
  };
}

function bearerToken(header: string): string {
  return BEARER.test(header) ? header.slice("Bearer ".length).trimStart() : header;
}

const BEARER = /^bearer /i;

function matchesAny(candidate: Bytes, expected: readonly Bytes[]): boolean {
  let matched = 0;
  for (const token of expected) matched |= equalInConstantTime(candidate, token);
  return matched === 1;
}

/** 1 when equal, else 0. The time depends on the candidate's length only. */
function equalInConstantTime(candidate: Bytes, token: Bytes): 0 | 1 {
  let difference = candidate.length ^ token.length;
  if (token.length === 0) return 0;
  for (let index = 0; index < candidate.length; index++) {
    difference |= candidate.charCodeAt(index) ^ token.charCodeAt(index % token.length);
  }
  return difference === 0 ? 1 : 0;
}
