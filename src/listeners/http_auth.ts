import { type Bytes, utf8Encode } from "../base/bytes.ts";
import type { ErrorReply } from "../resp/reply.ts";

/** One whose rules do not let it do everything. */
export interface UserAccess {
  readonly user: Bytes;
}

/** What who sent a request may do. */
export type Access = "all" | "read" | "none" | UserAccess;

/** The users of the access control list, as requests come from them. */
export interface HttpUsers {
  /** Who sends no token, on a node that was given none. */
  anonymous(): Access;
  /** Whose token this is; "none" for nobody's. */
  ofToken(token: Bytes): Access;
  /** Why such a one may not run a command. */
  refusal(access: UserAccess, argv: readonly Bytes[]): ErrorReply | undefined;
}

export interface Tokens {
  /** Any of these lets its sender do all. */
  readonly tokens: readonly string[];
  /** Any of these lets its sender read. */
  readonly readonlyTokens?: readonly string[];
}

/**
 * A check of a request's credentials: a `_token` of the query wins over the Authorization header,
 * which is `Bearer TOKEN` in any case or the bare token. On a node without tokens one who shows
 * none that is known is the default user, if that needs no password.
 */
export class Authorizer {
  readonly #full: readonly Bytes[];
  readonly #readers: readonly Bytes[];
  readonly #users: HttpUsers;

  constructor({ tokens, readonlyTokens = [] }: Tokens, users: HttpUsers) {
    this.#full = tokens.map(utf8Encode);
    this.#readers = readonlyTokens.map(utf8Encode);
    this.#users = users;
  }

  /** Who shows no token. */
  anonymous(): Access {
    return this.#full.length === 0 ? this.#users.anonymous() : "none";
  }

  accessOf(header: string | null, queryToken: Bytes | undefined): Access {
    if (queryToken !== undefined) return this.#ofToken(queryToken) ?? this.anonymous();
    if (header === null) return this.anonymous();
    const credential = bearerToken(header);
    // Runtimes read header bytes as Latin-1 or as UTF-8; both readings are tried.
    const asUtf8 = utf8Encode(credential);
    return this.#ofToken(asUtf8) ??
      (asUtf8 === credential ? undefined : this.#ofToken(credential)) ?? this.anonymous();
  }

  #ofToken(candidate: Bytes): Access | undefined {
    const isFull = matchesAny(candidate, this.#full);
    if (matchesAny(candidate, this.#readers)) return isFull ? "all" : "read";
    if (isFull) return "all";
    const access = this.#users.ofToken(candidate);
    return access === "none" ? undefined : access;
  }
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
export function equalInConstantTime(candidate: Bytes, token: Bytes): 0 | 1 {
  let difference = candidate.length ^ token.length;
  if (token.length === 0) return 0;
  for (let index = 0; index < candidate.length; index++) {
    difference |= candidate.charCodeAt(index) ^ token.charCodeAt(index % token.length);
  }
  return difference === 0 ? 1 : 0;
}
