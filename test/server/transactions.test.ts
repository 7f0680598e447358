import { expect, test } from "bun:test";
import type { DataCommand, LocalCommand } from "../../src/commands/command.ts";
import type { DataContext } from "../../src/commands/data_context.ts";
import { OK } from "../../src/resp/reply.ts";
import { Touches } from "../../src/server/touches.ts";
import { Transactions, type TransactionsOptions } from "../../src/server/transactions.ts";
import { areUnchanged } from "../../src/server/watches.ts";
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

test("what is watched is compared where it is, whatever database EXEC is in", () => {
  const versions = new Map([["0:k", 7], ["1:k", 3]]);
  const context = {
    db: 1,
    findIn: (db: number, key: string) => ({ version: versions.get(`${db}:${key}`) }),
  } as unknown as DataContext;
  const watched = [{ db: 0, key: "k", version: 7 }];
  expect(areUnchanged(context, watched)).toBe(true);
  versions.set("0:k", 8);
  expect(areUnchanged(context, watched)).toBe(false);
});

test("RESET brings back the read level that a connection begins with", () => {
  const session = new FakeSession();
  session.consistency = "stale";
  session.reset();
  expect<string>(session.consistency).toBe("linearizable");
});

test("an EXEC that was given up and comes late does not let the next command go on", () => {
  const submitted: DataCommand[] = [];
  const options = {
    touches: new Touches(new ChangeRecorder()),
    submit: (session: FakeSession, command: DataCommand) => {
      session.pendingLog++;
      return submitted.push(command) > 0;
    },
    monitor: () => {},
    answers: { ran: () => {}, monotonicMs: () => 0 },
  } as unknown as TransactionsOptions;
  const transactions = new Transactions(options);
  const set: DataCommand = { name: "set", arity: 3, path: "write", run: () => OK };
  const multi: LocalCommand = { name: "multi", arity: 1, path: "local", run: () => OK };
  const exec: LocalCommand = { ...multi, name: "exec" };
  for (const queued of [[set], [set, multi]]) {
    const session = new FakeSession();
    session.beginTransaction();
    for (const command of queued) session.transaction!.push({ command, argv: ["X"], db: 0 }, 1);
    expect(transactions.take(session, exec, ["EXEC"])).toBe(true);
    session.onGiveUp?.();
    // A BLPOP begins: nothing may overtake it.
    session.localRunning = true;
    const onGiveUp = () => {};
    session.onGiveUp = onGiveUp;
    submitted.pop()!.run({ db: 0, isLocal: true } as DataContext, ["EXEC"]);
    expect(session).toMatchObject({ localRunning: true, onGiveUp });
  }
});
