import { ELEMENT_TABLES } from "../../src/storage/element_tables.ts";
import type { SqlDatabase } from "../../src/storage/sqlite_types.ts";

const OWNERS = Object.keys(ELEMENT_TABLES).map((name) => `SELECT owner FROM "${name}"`)
  .join(" UNION ");
const LOST = `SELECT owner FROM (${OWNERS}) WHERE owner NOT IN ` +
  "(SELECT owner FROM keys WHERE owner IS NOT NULL UNION SELECT owner FROM purge_owner) LIMIT 1";

/** An owner of elements that no key names and nothing will delete; undefined: there is none. */
export function lostOwner(state: SqlDatabase): number | undefined {
  const row = state.prepare(LOST).get();
  return row === undefined ? undefined : Number(row.owner);
}
