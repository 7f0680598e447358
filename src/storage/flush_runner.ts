import { assert } from "../base/assert.ts";
import type { Bytes } from "../base/bytes.ts";
import { crashPoint } from "./crash_point.ts";
import type { FlushBatch } from "./flush_writer.ts";
import { fromSent } from "./sent_value.ts";
import { longToSql } from "./sql_bytes.ts";
import { type SqlDatabase, SqliteError, type SqlStatement, type SqlValue } from "./sqlite_types.ts";
import type { WorkerOutcome } from "./worker_outcome.ts";

/** Statements that a row must be there for. */
const KEYED = /^(UPDATE|DELETE FROM) keys .*WHERE id = \?$/;

/** Runs the statements of flushes. After an error nothing runs until the next flush begins. */
export class FlushRunner {
  readonly #sql: SqlDatabase;
  readonly #outcome: WorkerOutcome;
  readonly #statements: { readonly run: SqlStatement; readonly isKeyed: boolean }[] = [];
  /** Byte strings for the next batch. */
  #long: Bytes[] = [];
  #isOpen = false;

  constructor(sql: SqlDatabase, outcome: WorkerOutcome) {
    this.#sql = sql;
    this.#outcome = outcome;
  }

  /** A long byte string of the batch that follows. */
  takeLong(bytes: Bytes): void {
    this.#long.push(bytes);
  }

  take({ kind, texts, values: sent, places, first, last }: FlushBatch): void {
    let isCommitted = false;
    const values = sent.map(fromSent);
    for (const [i, place] of places.entries()) values[place] = this.#long[i];
    this.#long = [];
    try {
      for (const text of texts) {
        this.#statements.push({ run: this.#sql.prepare(text), isKeyed: KEYED.test(text) });
      }
      if (kind === "abandon") this.rollback();
      if (first) this.#begin();
      if (this.#isOpen) this.#run(values);
      if (this.#isOpen && last) isCommitted = this.#commit();
    } catch (error) {
      this.rollback();
      this.#outcome.fail(error);
    }
    this.#outcome.advance(isCommitted);
  }

  rollback(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    try {
      this.#sql.exec("ROLLBACK");
    } catch (error) {
      // SQLite has rolled back by itself on some errors (a full disk): then there is nothing open.
      if (!(error instanceof SqliteError)) throw error;
    }
  }

  #begin(): void {
    assert(!this.#isOpen, "one flush at a time");
    this.#sql.exec("BEGIN IMMEDIATE");
    this.#isOpen = true;
  }

  #commit(): true {
    crashPoint("flush_before_commit");
    this.#sql.exec("COMMIT");
    crashPoint("flush_after_commit");
    this.#isOpen = false;
    return true;
  }

  #run(values: readonly SqlValue[]): void {
    for (let at = 0; at < values.length;) {
      const statement = this.#statements[values[at] as number];
      const end = at + 2 + (values[at + 1] as number);
      const changed = statement.run.run(...values.slice(at + 2, end).map(longToSql));
      if (statement.isKeyed) assert(changed === 1, "the row to change exists");
      at = end;
    }
  }
}
