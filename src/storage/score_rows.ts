import { type Bytes, toBuffer } from "../base/bytes.ts";
import type { ScoredMember } from "./collections.ts";
import { bytesFromSql } from "./sql_bytes.ts";
import type { SqlDatabase, SqlRow, SqlStatement } from "./sqlite_types.ts";

/** Names by their bytes: some are TEXT, which SQLite has before all BLOBs. */
const NAME = "CAST(member AS BLOB)";

/** The statement that makes the index by score, where it is not there. */
export function createScoreIndex(): string {
  return `CREATE INDEX IF NOT EXISTS zset_by_score ON zset(owner, score, ${NAME});\n`;
}

/** The members of sorted sets, in the order of scores and then names, as SQL has them. */
export class ScoreRows {
  readonly #sameFrom: SqlStatement;
  readonly #sameBetween: SqlStatement;
  readonly #between: SqlStatement;
  readonly #countSame: SqlStatement;
  readonly #nthSame: SqlStatement;
  readonly #nthAbove: SqlStatement;

  constructor(sql: SqlDatabase) {
    const rows = "FROM zset INDEXED BY zset_by_score WHERE owner = ? AND score";
    const members = `SELECT member, score ${rows}`;
    const order = `ORDER BY score, ${NAME}`;
    this.#sameFrom = sql.prepare(`${members} = ? AND ${NAME} >= ? ${order}`);
    this.#sameBetween = sql.prepare(`${members} = ? AND ${NAME} >= ? AND ${NAME} < ? ${order}`);
    this.#between = sql.prepare(`${members} > ? AND score < ? ${order}`);
    this.#countSame = sql.prepare(`SELECT COUNT(*) AS count ${rows} = ? AND ${NAME} >= ?`);
    this.#nthSame = sql.prepare(`${members} = ? AND ${NAME} >= ? ${order} LIMIT 1 OFFSET ?`);
    this.#nthAbove = sql.prepare(`${members} > ? ${order} LIMIT 1 OFFSET ?`);
  }

  /** The members from one on, and before another; to the last without one. */
  between(owner: number, from: ScoredMember, to: ScoredMember | undefined): ScoredMember[] {
    const first = blobOf(from.name);
    if (to?.score === from.score) {
      return this.#sameBetween.all(owner, from.score, first, blobOf(to.name)).map(memberOf);
    }
    const same = this.#sameFrom.all(owner, from.score, first);
    const above = this.#between.all(owner, from.score, to?.score ?? Infinity);
    // Before the name of `to`, or to the last of all.
    const last = to !== undefined
      ? this.#sameBetween.all(owner, to.score, blobOf(""), blobOf(to.name))
      : from.score < Infinity
      ? this.#sameFrom.all(owner, Infinity, blobOf(""))
      : [];
    return [...same, ...above, ...last].map(memberOf);
  }

  /** The member that stands `skip` places behind the first one from `from` on, if there is one. */
  nth(owner: number, { name, score }: ScoredMember, skip: number): ScoredMember | undefined {
    const first = blobOf(name);
    const same = this.#nthSame.get(owner, score, first, skip);
    if (same !== undefined) return memberOf(same);
    const passed = Number(this.#countSame.get(owner, score, first)?.count);
    const above = this.#nthAbove.get(owner, score, skip - passed);
    return above && memberOf(above);
  }
}

/** A name as SQL compares it. An empty BLOB is NULL to some drivers: text is before all BLOBs. */
function blobOf(name: Bytes): Uint8Array | string {
  return name === "" ? "" : toBuffer(name);
}

function memberOf(row: SqlRow): ScoredMember {
  return { name: bytesFromSql(row.member), score: Number(row.score) };
}
