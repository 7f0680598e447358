import { expect, test } from "bun:test";
import type { FlushBatch } from "../../src/storage/flush_writer.ts";
import { FlushRunner } from "../../src/storage/flush_runner.ts";
import { type SqlDatabase, SqliteError, type SqlValue } from "../../src/storage/sqlite_types.ts";
import { WorkerOutcome } from "../../src/storage/worker_outcome.ts";

test("long values of a flush that has failed are none of the next one's", () => {
  const written: SqlValue[][] = [];
  let isFull = true;
  const sql: Partial<SqlDatabase> = {
    exec() {},
    prepare: () =>
      ({
        run(...values: SqlValue[]) {
          if (isFull) throw new SqliteError("full", "SQLITE_FULL");
          written.push(values);
          return 1;
        },
      }) as unknown as ReturnType<SqlDatabase["prepare"]>,
  };
  const runner = new FlushRunner(sql as SqlDatabase, new WorkerOutcome());
  const take = (key: string, long: string, more: Partial<FlushBatch>) => {
    runner.takeLong(long);
    // Statement 0 with two values, of which the second has come by itself.
    const values = [0, 2, key, null] as unknown as FlushBatch["values"];
    runner.take({
      kind: "write",
      texts: [],
      values,
      places: [3],
      first: false,
      last: false,
      ...more,
    });
  };
  take("a", "A", { first: true, texts: ["INSERT INTO t VALUES (?, ?)"] });
  take("b", "B", {});
  take("c", "C", { last: true });
  isFull = false;
  take("d", "D", { first: true });
  take("e", "E", { last: true });
  expect(written.map(([key, value]) => `${key}${String(value)}`)).toEqual(["dD", "eE"]);
});
