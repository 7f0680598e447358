import type { Configuration, HardState, SnapshotMeta } from "../raft/types.ts";
import { metaChecksum } from "./raft_log_codec.ts";
import type { Identity, PeerRecords } from "./raft_log_types.ts";
import { readPragma } from "./sqlite_open.ts";
import type { SqlDatabase, SqlStatement } from "./sqlite_types.ts";
import { LogCorruptError, StorageFormatError } from "./storage_errors.ts";

/** "BlsL": marks the SQLite file as a log of Balsa. */
const APPLICATION_ID = 0x426c734c;
/** Grows when an older program could not read the file any more. */
export const LOG_FORMAT_VERSION = 1;

const SCHEMA = `
CREATE TABLE log(
  first INTEGER PRIMARY KEY,
  last INTEGER NOT NULL,
  first_term INTEGER NOT NULL,
  last_term INTEGER NOT NULL,
  commit_index INTEGER NOT NULL,
  end_bytes INTEGER NOT NULL,
  checksum INTEGER NOT NULL,
  data BLOB NOT NULL
);
CREATE TABLE meta(
  key TEXT PRIMARY KEY,
  value TEXT NOT NULL,
  checksum INTEGER NOT NULL
) WITHOUT ROWID;
`;

const EMPTY_CONFIGURATION: Configuration = {
  voters: [],
  votersOutgoing: [],
  learners: [],
  learnersNext: [],
  addresses: {},
};

/** The meta table: small values, each with a checksum over its key and value. */
export class LogMeta {
  /** Seeds every checksum of this file, so that a row copied from another one does not match. */
  readonly salt: number;
  readonly #path: string;
  readonly #select: SqlStatement;
  readonly #upsert: SqlStatement;

  /** Creates the schema in an empty file. Throws StorageFormatError or LogCorruptError. */
  constructor(database: SqlDatabase) {
    this.#path = database.path;
    if (isEmpty(database)) create(database);
    else if (readPragma(database, "application_id") !== APPLICATION_ID) {
      throw new StorageFormatError(`${database.path} is not a log of Balsa: it was left as it is`);
    }
    this.#select = database.prepare("SELECT value, checksum FROM meta WHERE key = ?");
    this.#upsert = database.prepare(
      "INSERT INTO meta VALUES (?, ?, ?) ON CONFLICT(key) DO UPDATE " +
        "SET value = excluded.value, checksum = excluded.checksum",
    );
    this.salt = 0;
    const format = this.#read<{ version: number; salt: number }>("format");
    if (format === undefined) this.#corrupt("format", "it is missing");
    checkFormatVersion(database.path, format.version, LOG_FORMAT_VERSION);
    this.salt = format.salt;
  }

  get identity(): Identity | undefined {
    const identity = this.#read<Identity>("identity");
    return identity === undefined ? undefined : { ...identity, runs: identity.runs ?? [] };
  }

  set identity(identity: Identity) {
    this.#write("identity", identity);
  }

  get peerRecords(): PeerRecords {
    return this.#read<PeerRecords>("peers") ?? { clusterId: "", nodes: {} };
  }

  set peerRecords(records: PeerRecords) {
    this.#write("peers", records);
  }

  get hardState(): HardState {
    return this.#read<HardState>("hard_state") ?? { term: 0, votedFor: 0, commit: 0 };
  }

  set hardState(state: HardState) {
    this.#write("hard_state", state);
  }

  get snapshot(): SnapshotMeta {
    return this.#read<SnapshotMeta>("snapshot") ??
      { index: 0, term: 0, configuration: EMPTY_CONFIGURATION };
  }

  set snapshot(meta: SnapshotMeta) {
    this.#write("snapshot", meta);
  }

  /** Whether the log was closed, rather than left by a crash. */
  get clean(): boolean {
    return this.#read<boolean>("clean") ?? true;
  }

  set clean(clean: boolean) {
    this.#write("clean", clean);
  }

  #read<T>(key: string): T | undefined {
    const row = this.#select.get(key);
    if (row === undefined) return undefined;
    const { value, checksum } = row;
    if (typeof value !== "string" || checksum !== metaChecksum(this.salt, key, value)) {
      this.#corrupt(key, "its checksum does not match");
    }
    return JSON.parse(value) as T;
  }

  #write(key: string, content: unknown): void {
    const value = JSON.stringify(content);
    this.#upsert.run(key, value, metaChecksum(this.salt, key, value));
  }

  #corrupt(key: string, what: string): never {
    throw new LogCorruptError(this.#path, `"${key}" of the meta table`, what);
  }
}

/** Throws StorageFormatError when a file is of a version that this program does not know. */
export function checkFormatVersion(path: string, found: number, known: number): void {
  if (found <= known) return;
  throw new StorageFormatError(
    `${path} has format version ${found}, and this program reads up to ${known}: ` +
      "use the newer program that wrote it",
  );
}

function isEmpty(database: SqlDatabase): boolean {
  return database.prepare("SELECT 1 AS one FROM sqlite_schema LIMIT 1").get() === undefined;
}

function create(database: SqlDatabase): void {
  const salt = crypto.getRandomValues(new Uint32Array(1))[0];
  const value = JSON.stringify({ version: LOG_FORMAT_VERSION, salt });
  database.exec("BEGIN IMMEDIATE");
  database.exec(SCHEMA);
  database.prepare("INSERT INTO meta VALUES ('format', ?, ?)")
    .run(value, metaChecksum(0, "format", value));
  database.exec(`PRAGMA application_id = ${APPLICATION_ID}`);
  database.exec("COMMIT");
}
