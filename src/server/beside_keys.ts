import { ScriptSurroundings } from "../commands/script_surroundings.ts";
import { IDEMPOTENCY_BYTES_MAX, SCRIPT_TEXTS_BYTES_MAX } from "../constants.ts";
import { ChangesTable } from "../storage/changes_table.ts";
import { IdempotencyTable } from "../storage/idempotency_table.ts";
import { RowsTable } from "../storage/rows_table.ts";
import { ScriptsTable } from "../storage/scripts_table.ts";
import { PiecesTable } from "../storage/pieces_table.ts";
import { UsersTable } from "../storage/users_table.ts";
import { WaitersTable } from "../storage/waiters_table.ts";

/** How long an idle node keeps a remembered reply beyond its time: nobody waits for its end. */
const FORGET_DELAY_MS = 10_000;

/** The parts of the state that are no keys. */
export interface BesideKeys {
  readonly idempotency: IdempotencyTable;
  readonly changes: ChangesTable;
  readonly waiters: WaitersTable;
  readonly scripts: ScriptsTable;
  readonly libraries: RowsTable;
  readonly scripting: ScriptSurroundings;
  readonly pieces: PiecesTable;
  readonly users: UsersTable;
}

/** Empty ones, until a state.db is loaded; `changesBytes` of changes are kept. */
export function makeBesideKeys(changesBytes = Infinity): BesideKeys {
  const scripts = new ScriptsTable(SCRIPT_TEXTS_BYTES_MAX);
  const libraries = new RowsTable("library");
  return {
    idempotency: new IdempotencyTable(IDEMPOTENCY_BYTES_MAX),
    changes: new ChangesTable(changesBytes),
    waiters: new WaitersTable(),
    scripts,
    libraries,
    scripting: new ScriptSurroundings(scripts, libraries),
    pieces: new PiecesTable(),
    users: new UsersTable(),
  };
}

/** When an idle cluster should forget the next of its remembered replies; Infinity for never. */
export function nextForgettingMs({ idempotency }: BesideKeys): number {
  return idempotency.nextExpiryMs() + FORGET_DELAY_MS;
}
