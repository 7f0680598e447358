import { type Bytes, utf8Encode } from "../base/bytes.ts";

/**
 * A check of a request's credentials against the tokens: a `_token` of the query wins over the
 * Authorization header, which is `Bearer TOKEN` in any case or the bare token. With no tokens
 * everything passes.
 */
export function makeAuthorizer(
  tokens: readonly string[],
): (header: string | null, queryToken: Bytes | undefined) => boolean {
  const expected = tokens.map(utf8Encode);
  return (header, queryToken) => {
    if (expected.length === 0) return true;
    if (queryToken !== undefined) return matchesAny(queryToken, expected);
    if (header === null) return false;
    const credential = bearerToken(header);
    // Runtimes read header bytes as Latin-1 or as UTF-8; both readings are tried.
    const asUtf8 = utf8Encode(credential);
    return matchesAny(asUtf8, expected) ||
      (asUtf8 !== credential && matchesAny(credential, expected));
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
