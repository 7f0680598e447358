import { expect, test } from "bun:test";
import type { DataCommand } from "../../src/commands/command.ts";
import type { DataContext } from "../../src/commands/data_context.ts";
import { OK } from "../../src/resp/reply.ts";
import { Touches } from "../../src/server/touches.ts";
import { Transactions, type TransactionsOptions } from "../../src/server/transactions.ts";
import { ChangeRecorder } from "../../src/storage/change_recorder.ts";
import { FakeSession } from "./fakes.ts";

test("a stale WATCH of a key whose time has come by the clock alone watches it", () => {
  const context: Partial<DataContext> = {
    db: 0,
    dueSeen: true,
    findIn: (() => ({ version: 7 })) as unknown as DataContext["findIn"],
  };
  const submit = (_session: unknown, command: DataCommand) =>
    command.run(context as DataContext, []) === OK;
  const touches = new Touches(new ChangeRecorder());
  const options: Partial<TransactionsOptions> = { touches, submit };
  const transactions = new Transactions(options as TransactionsOptions);
  const session = new FakeSession();
  expect(transactions.watch(session, ["WATCH", "k"])).toBe(true);
  expect(session.watches).toBeUndefined();
  session.consistency = "stale";
  expect(transactions.watch(session, ["WATCH", "k"])).toBe(true);
  expect(session.watches?.keys).toEqual([{ db: 0, key: "k", version: 7 }]);
});
