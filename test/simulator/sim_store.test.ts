import { describe, expect, test } from "bun:test";
import { Prng } from "../../src/base/prng.ts";
import { openRaftLog } from "../../src/storage/raft_log.ts";
import { loadSqlite } from "../../src/storage/sqlite.ts";
import { entriesOf, plain } from "../storage/raft_log_fixture.ts";
import { compareWithModel } from "../storage/raft_log_model.ts";
import { type LogPlace, raftLogSuite } from "../storage/raft_log_suite.ts";
import { MemoryMachine } from "./machine.ts";
import { Process } from "./process.ts";
import { Scheduler } from "./scheduler.ts";

const real = await loadSqlite();

/** A machine of the simulator without a cluster about it. */
function machineOf(seed: number): { machine: MemoryMachine; boot(): void } {
  const random = new Prng(seed);
  const machine = new MemoryMachine({
    host: "n1",
    real,
    random,
    entropy: { bytes: (count) => new Uint8Array(count).map(() => random.below(256)) },
    die: () => {
      throw new Error("no fault was asked for");
    },
  });
  const boot = () => {
    machine.storageOptions(
      new Process({
        host: "n1",
        scheduler: new Scheduler(),
        clockRules: { rate: 1, wallOffsetMs: 0 },
        random: () => random.next(),
        entered: () => {},
        threw: (_, error) => {
          throw error;
        },
        mix: () => {},
      }),
    );
  };
  boot();
  return { machine, boot };
}

function placeOf(seed: number): LogPlace {
  const { machine, boot } = machineOf(seed);
  return {
    driver: machine.driver,
    path: "/n1/log.db",
    options: { disk: machine.disk, writer: "inline" },
    remove: () => machine.wipe(),
    crash: () => {
      machine.crashed(true);
      boot();
    },
  };
}

raftLogSuite("a log on the twin of SQLite", () => placeOf(1));

describe("a log on the twin of SQLite, whose power fails", () => {
  for (const seed of [1, 2, 3, 4, 5, 6]) {
    test(`random operations give what a plain array gives (seed ${seed})`, async () => {
      await compareWithModel(seed, placeOf(seed));
    });
  }

  test("what was appended is there, and not all of a database that does not sync", () => {
    let lost = 0;
    for (let seed = 1; seed <= 20; seed++) {
      const { machine, boot } = machineOf(seed);
      const { driver, disk } = machine;
      const log = openRaftLog(driver, "/n1/log.db", { disk, writer: "inline" });
      log.append(entriesOf(1, 5), { term: 1, votedFor: 1, commit: 0 });
      const state = driver.open("/n1/state.db", { synchronous: "normal" });
      state.exec("CREATE TABLE t (a)");
      disk.syncDirectory("/n1");
      const insert = state.prepare("INSERT INTO t VALUES (?)");
      for (let i = 0; i < 5; i++) insert.run(i);
      machine.crashed(true);
      boot();
      const again = openRaftLog(driver, "/n1/log.db", { disk, writer: "inline" });
      expect((again.entries(1, 6, Infinity) ?? []).map(plain)).toEqual(entriesOf(1, 5).map(plain));
      const tables = driver.open("/n1/state.db", { synchronous: "normal" });
      const hasTable = tables.prepare("SELECT 1 FROM sqlite_master WHERE name = 't'").get();
      const left = hasTable === undefined
        ? []
        : tables.prepare("SELECT a FROM t ORDER BY a").all().map((row) => row.a);
      // Some may have been written back by themselves, in their order.
      expect(left).toEqual(left.map((_, i) => i));
      if (left.length < 5) lost++;
    }
    expect(lost).toBeGreaterThan(0);
  });
});
