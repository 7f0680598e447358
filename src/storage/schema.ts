import { DATABASE_COUNT } from "../constants.ts";
import { createElementIndexes, createElementTables } from "./element_tables.ts";
import type { SqlDatabase } from "./sqlite_types.ts";

/** Grows with each incompatible change of the tables below. */
export const STATE_FORMAT_VERSION = 2;
/** The page cache to open state.db with. Larger ones make commits longer, see README.md. */
export const STATE_PAGE_CACHE_BYTES = 4 * 1024 * 1024;
/** "BLSA": tells a state.db from some other program's file. */
const APPLICATION_ID = 0x424c5341;

/**
 * Row ids of one slot: `slot * SLOT_STRIDE + n`, where n counts the keys created in the slot. So a
 * slot's rows lie together in creation order, which is what SCAN walks, and every id is a safe
 * integer.
 */
export const SLOT_STRIDE = 2 ** 44;
/** Slots that can exist at a time, those being purged included. */
export const SLOT_COUNT = 2 ** 53 / SLOT_STRIDE;

/**
 * `keys` has a row for each key: the value of a string is in it, a collection's elements are in
 * the table of its type, under its `owner`. `due_at_ms`: when the key, or an element, expires.
 *
 * A logical database names the slot that holds its keys, so that FLUSHDB and SWAPDB only change
 * `database`; rows of a slot in `purge`, elements of an
 * owner in `purge_owner`, are garbage that is deleted in the background.
 */
const TABLES = `
CREATE TABLE applied(
  id INTEGER PRIMARY KEY CHECK (id = 1),
  log_index INTEGER NOT NULL,
  log_term INTEGER NOT NULL,
  log_time_ms INTEGER NOT NULL,
  digest INTEGER NOT NULL,
  version INTEGER NOT NULL,
  origins TEXT NOT NULL,
  configuration BLOB NOT NULL
);
CREATE TABLE database(
  db INTEGER PRIMARY KEY,
  slot INTEGER NOT NULL,
  keys INTEGER NOT NULL,
  expiring INTEGER NOT NULL,
  due INTEGER NOT NULL,
  last_id INTEGER NOT NULL
);
CREATE TABLE purge(slot INTEGER PRIMARY KEY);
CREATE TABLE purge_owner(owner INTEGER PRIMARY KEY, type TEXT NOT NULL);
CREATE TABLE keys(
  id INTEGER PRIMARY KEY,
  slot INTEGER NOT NULL,
  key NOT NULL,
  type TEXT NOT NULL,
  version INTEGER NOT NULL,
  expire_at_ms INTEGER,
  value,
  due_at_ms INTEGER,
  owner INTEGER,
  details TEXT
);
CREATE UNIQUE INDEX keys_by_name ON keys(slot, key);
CREATE INDEX keys_by_due ON keys(slot, due_at_ms) WHERE due_at_ms IS NOT NULL;
CREATE VIEW owned AS
  SELECT d.db, k.key, k.owner FROM database AS d JOIN keys AS k ON k.slot = d.slot
  WHERE k.owner IS NOT NULL;
CREATE VIEW redis AS
  SELECT d.db, k.key, k.type, k.value,
    strftime('%Y-%m-%d %H:%M:%f', k.expire_at_ms / 1000.0, 'unixepoch') AS expires_utc
  FROM database AS d JOIN keys AS k ON k.slot = d.slot;
`;

/** The elements of collections with their keys, for people. */
const VIEWS = `
CREATE VIEW hashes AS
  SELECT r.db, r.key, e.field, e.value FROM owned AS r JOIN hash AS e USING (owner)
  ORDER BY r.owner, e.n;
CREATE VIEW sets AS
  SELECT r.db, r.key, e.member FROM owned AS r JOIN "set" AS e USING (owner) ORDER BY r.owner, e.n;
CREATE VIEW lists AS
  SELECT r.db, r.key, e.value FROM owned AS r JOIN list AS e USING (owner)
  ORDER BY r.owner, e.position;
CREATE VIEW zsets AS
  SELECT r.db, r.key, e.member, e.score FROM owned AS r JOIN zset AS e USING (owner)
  ORDER BY r.owner, e.score, e.member;
`;

/** The same of streams, which a state.db of before they came lacks. */
const STREAM_VIEWS = `
CREATE VIEW IF NOT EXISTS streams AS
  SELECT r.db, r.key, e.ms || '-' || e.seq AS id, e.fields
  FROM owned AS r JOIN stream_entry AS e USING (owner) ORDER BY r.owner, e.ms, e.seq;
CREATE VIEW IF NOT EXISTS streams_pending AS
  SELECT r.db, r.key, e.group_name, e.ms || '-' || e.seq AS id, e.consumer, e.deliveries
  FROM owned AS r JOIN stream_pending AS e USING (owner)
  ORDER BY r.owner, e.group_name, e.ms, e.seq;
`;

/**
 * Makes the tables of a new state.db, or checks those of an old one. Throws an Error that says
 * what is wrong when the file belongs to another program or another format. `isReadOnly`: tables
 * that came later are not added.
 */
export function prepareSchema(sql: SqlDatabase, isReadOnly = false): void {
  const tables = pragma(sql, "SELECT count(*) FROM sqlite_schema");
  const applicationId = pragma(sql, "PRAGMA application_id");
  const version = pragma(sql, "PRAGMA user_version");
  if (tables === 0 && applicationId === 0) return create(sql);
  if (applicationId !== APPLICATION_ID) {
    throw new Error(`Cannot open ${sql.path}: it is a database of another program`);
  }
  if (version !== STATE_FORMAT_VERSION) {
    throw new Error(
      `Cannot open ${sql.path}: its format is ${version}, this program reads ` +
        `${STATE_FORMAT_VERSION}`,
    );
  }
  if (isReadOnly) return;
  const streams = "SELECT count(*) FROM sqlite_schema WHERE name = 'streams_pending'";
  if (pragma(sql, streams) === 0) {
    sql.exec("BEGIN IMMEDIATE");
    sql.exec(createElementTables());
    sql.exec(STREAM_VIEWS);
    sql.exec("COMMIT");
  }
  const active = "SELECT count(*) FROM pragma_table_info('stream_consumer') " +
    "WHERE name = 'active_at_ms'";
  if (pragma(sql, active) === 0) {
    sql.exec("ALTER TABLE stream_consumer ADD COLUMN active_at_ms INTEGER");
  }
  sql.exec(createElementIndexes());
}

function create(sql: SqlDatabase): void {
  // Lets the file shrink in steps. Takes effect by the VACUUM, as WAL mode has begun the file.
  sql.exec("PRAGMA auto_vacuum = INCREMENTAL");
  sql.exec("VACUUM");
  sql.exec("BEGIN IMMEDIATE");
  sql.exec(TABLES);
  sql.exec(createElementTables());
  sql.exec(createElementIndexes());
  sql.exec(VIEWS);
  sql.exec(STREAM_VIEWS);
  sql.exec("INSERT INTO applied VALUES (1, 0, 0, 0, 0, 0, '[]', x'')");
  const database = sql.prepare("INSERT INTO database VALUES (?, ?, 0, 0, 0, 0)");
  for (let db = 0; db < DATABASE_COUNT; db++) database.run(db, db);
  sql.exec(`PRAGMA application_id = ${APPLICATION_ID}`);
  sql.exec(`PRAGMA user_version = ${STATE_FORMAT_VERSION}`);
  sql.exec("COMMIT");
}

function pragma(sql: SqlDatabase, query: string): number {
  const row = sql.prepare(query).get();
  return Number(row === undefined ? 0 : Object.values(row)[0]);
}
