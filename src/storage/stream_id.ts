import { addUint64, toUint64, type Uint64, UINT64_MAX } from "../base/uint64.ts";

/** What names an entry of a stream: a time in milliseconds and a count within it. */
export interface StreamId {
  readonly ms: Uint64;
  readonly seq: Uint64;
}

/** The least of all ids, which no entry has. */
export const ID_ZERO: StreamId = { ms: 0, seq: 0 };
export const ID_MAX: StreamId = { ms: UINT64_MAX, seq: UINT64_MAX };

/** Negative when `a` is the smaller one, 0 when they are the same. */
export function compareIds(a: StreamId, b: StreamId): number {
  if (a.ms !== b.ms) return a.ms < b.ms ? -1 : 1;
  if (a.seq !== b.seq) return a.seq < b.seq ? -1 : 1;
  return 0;
}

export function isZeroId(id: StreamId): boolean {
  return id.ms === 0 && id.seq === 0;
}

/** The one that comes first. */
export function lesser(a: StreamId, b: StreamId): StreamId {
  return compareIds(a, b) < 0 ? a : b;
}

/** The next greater id; undefined behind the last one. */
export function idAfter({ ms, seq }: StreamId): StreamId | undefined {
  if (seq !== UINT64_MAX) return { ms, seq: addUint64(seq, 1) };
  return ms === UINT64_MAX ? undefined : { ms: addUint64(ms, 1), seq: 0 };
}

/** The next smaller id; undefined before the first one. */
export function idBefore({ ms, seq }: StreamId): StreamId | undefined {
  if (seq !== 0) return { ms, seq: toUint64(BigInt(seq) - 1n) };
  return ms === 0 ? undefined : { ms: toUint64(BigInt(ms) - 1n), seq: UINT64_MAX };
}

/** The id alone, of what has one. */
export function idOf({ ms, seq }: StreamId): StreamId {
  return { ms, seq };
}

/** As clients see it. */
export function idText({ ms, seq }: StreamId): string {
  return `${ms}-${seq}`;
}
