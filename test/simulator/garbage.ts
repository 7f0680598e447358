import { ELEMENT_TABLES } from "../../src/storage/element_tables.ts";
import type { SqlDatabase, SqlStatement } from "../../src/storage/sqlite_types.ts";

const OWNERS = Object.keys(ELEMENT_TABLES).map((name) => `SELECT owner FROM "${name}"`)
  .join(" UNION ");
const SIZES = ["hash", "set", "list", "zset", "stream"].map((type) => {
  const table = type === "stream" ? "stream_entry" : type;
  // Of a slot that is to be deleted the elements go before the keys.
  return `SELECT owner FROM keys AS k WHERE type = '${type}' AND ` +
    "slot NOT IN (SELECT slot FROM purge) AND " +
    `details ->> 'size' <> (SELECT count(*) FROM "${table}" AS e WHERE e.owner = k.owner)`;
}).join(" UNION ALL ");

/** What is wrong in a state.db, and queries that find a row where it is. */
const WRONG: readonly (readonly [what: string, query: string])[] = [
  [
    "nothing names or will delete the elements of",
    `SELECT owner AS found FROM (${OWNERS}) WHERE owner NOT IN ` +
    "(SELECT owner FROM keys WHERE owner IS NOT NULL UNION SELECT owner FROM purge_owner)",
  ],
  ["another number of elements is there of", `SELECT owner AS found FROM (${SIZES})`],
  [
    "no database has the keys of slot",
    "SELECT slot AS found FROM keys WHERE slot NOT IN " +
    "(SELECT slot FROM database UNION SELECT slot FROM purge)",
  ],
  [
    "it is to be deleted and has a database: slot",
    "SELECT slot AS found FROM purge WHERE slot IN (SELECT slot FROM database)",
  ],
  [
    "another number of keys is there in database",
    "SELECT db AS found FROM database AS d WHERE (keys, expiring, due) <> (SELECT " +
    "count(*), count(expire_at_ms), count(due_at_ms) FROM keys AS k WHERE k.slot = d.slot)",
  ],
  [
    "a group that is gone has entries in",
    "SELECT owner AS found FROM stream_pending AS p WHERE owner IN (SELECT owner FROM keys) AND " +
    "NOT EXISTS (SELECT 1 FROM stream_consumer AS c WHERE c.owner = p.owner AND " +
    "c.group_name = p.group_name AND c.name = p.consumer)",
  ],
  [
    "a group that is gone has consumers in",
    "SELECT owner AS found FROM stream_consumer AS c WHERE owner IN (SELECT owner FROM keys) AND " +
    "NOT EXISTS (SELECT 1 FROM stream_group AS g WHERE g.owner = c.owner AND g.name = c.group_name)",
  ],
  [
    "changes are kept that count as gone: that of",
    "SELECT log_index AS found FROM changes WHERE log_index <= " +
    "(SELECT log_index FROM changes_trimmed)",
  ],
];
const prepared = new WeakMap<SqlDatabase, readonly SqlStatement[]>();

/** What is in a state.db that has no place there, or does not count; undefined: nothing. */
export function disorder(state: SqlDatabase): string | undefined {
  let statements = prepared.get(state);
  if (statements === undefined) {
    statements = WRONG.map(([, query]) => state.prepare(`${query} LIMIT 1`));
    prepared.set(state, statements);
  }
  for (const [at, statement] of statements.entries()) {
    const row = statement.get();
    if (row !== undefined) return `${WRONG[at][0]} ${row.found}`;
  }
  return undefined;
}
