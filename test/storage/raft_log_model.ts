import { expect } from "bun:test";
import { Prng } from "../../src/base/prng.ts";
import type { Entry, EntryKind, HardState, SnapshotMeta } from "../../src/raft/types.ts";
import { openRaftLog, type RaftLog, type RaftLogOptions } from "../../src/storage/raft_log.ts";
import { entry, plain, snapshotAt } from "./raft_log_fixture.ts";
import type { LogPlace } from "./raft_log_suite.ts";

const KINDS: readonly EntryKind[] = ["normal", "normal", "normal", "noop", "configuration"];

/** The log as a plain array, and what is known of the node. */
class Model {
  entries: Entry[] = [];
  snapshot: SnapshotMeta = { ...snapshotAt(0, 0) };
  state: HardState = { term: 0, votedFor: 0, commit: 0 };

  get last(): number {
    return this.snapshot.index + this.entries.length;
  }

  append(entries: readonly Entry[]): void {
    this.entries.length = entries[0].index - this.snapshot.index - 1;
    this.entries.push(...entries);
  }

  compact(meta: SnapshotMeta): void {
    this.entries.splice(0, meta.index - this.snapshot.index);
    this.snapshot = meta;
  }

  term(index: number): number | undefined {
    if (index === this.snapshot.index) return this.snapshot.term;
    return this.entries[index - this.snapshot.index - 1]?.term;
  }
}

function step(random: Prng, log: RaftLog, model: Model): void {
  const choice = random.below(20);
  if (choice < 14) {
    const term = model.state.term + (random.below(8) === 0 ? 1 + random.below(300) : 0);
    const floor = Math.max(model.state.commit, model.snapshot.index) + 1;
    const truncate = random.below(5) === 0 && term > model.state.term && model.last >= floor;
    const first = truncate ? floor + random.below(model.last - floor + 1) : model.last + 1;
    const length = 1 + random.below(random.below(4) === 0 ? 30 : 3);
    const commit = Math.max(model.state.commit, first - 1 - random.below(20));
    const entries = Array.from({ length }, (_, i) => {
      const size = random.below(40) === 0 ? random.below(400_000) : random.below(300);
      return entry(first + i, Math.max(1, term), size, KINDS[random.below(5)]);
    });
    model.state = { term: Math.max(1, term), votedFor: random.below(4), commit };
    // The operation that follows waits for the thread that writes it, where there is one.
    log.append(entries, model.state, () => {});
    model.append(entries);
  } else if (choice < 16) {
    model.state = { ...model.state, term: model.state.term + 1, votedFor: random.below(4) };
    log.append([], model.state);
  } else if (choice < 19) {
    const index = model.snapshot.index + random.below(model.last - model.snapshot.index + 1);
    if (index === model.snapshot.index) return;
    const meta = snapshotAt(index, model.term(index) as number);
    log.compact(meta);
    model.compact(meta);
  } else {
    const index = model.snapshot.index + 1 + random.below(2 * model.entries.length + 10);
    const meta = snapshotAt(index, model.state.term);
    log.reset(meta);
    model.snapshot = meta;
    model.entries = [];
    model.state = { ...model.state, commit: index };
  }
}

function check(random: Prng, log: RaftLog, model: Model): void {
  log.settle();
  log.poll();
  expect([log.firstIndex, log.lastIndex]).toEqual([model.snapshot.index + 1, model.last]);
  expect([log.hardState.term, log.hardState.votedFor])
    .toEqual([model.state.term, model.state.votedFor]);
  const first = model.snapshot.index + 1;
  for (let i = 0; i < 5; i++) {
    const index = first - 2 + random.below(model.entries.length + 4);
    expect(log.term(index)).toBe(model.term(index));
    const from = first + random.below(model.entries.length + 1);
    const to = from + random.below(50);
    const bytesMax = random.below(2000);
    const found = log.entries(from, to, bytesMax);
    const wanted = model.entries.slice(from - first, to - first);
    let bytes = 0;
    const fit = wanted.filter((e, at) => (bytes += e.data.length) <= bytesMax || at === 0);
    expect(found?.map(plain)).toEqual(fit.map(plain));
  }
  expect(log.entries(first - 1, first + 5, 100)).toBeUndefined();
}

/** Random operations on a log must give what a plain array gives, over restarts and crashes. */
export async function compareWithModel(seed: number, place: LogPlace): Promise<void> {
  const random = new Prng(seed);
  const { driver, path, crash } = place;
  const options: RaftLogOptions = {
    ...place.options,
    cacheBytes: seed % 2 === 1 ? 0 : 30_000,
  };
  let log = openRaftLog(driver, path, options);
  const model = new Model();
  for (let i = 0; i < 300; i++) {
    step(random, log, model);
    if (random.below(3) > 0) check(random, log, model);
    if (random.below(25) > 0) continue;
    await log.stopWriter();
    const isCrash = crash !== undefined && random.below(2) === 0;
    if (isCrash) crash();
    else log.close();
    log = openRaftLog(driver, path, options);
    expect(log.wasClean).toBe(!isCrash);
    expect(log.snapshot).toEqual(model.snapshot.index === 0 ? log.snapshot : model.snapshot);
    const { commit } = log.hardState;
    const wanted = Math.max(model.state.commit, model.snapshot.index);
    // It is a hint, which goes along with entries.
    if (isCrash) expect(commit).toBeLessThanOrEqual(wanted);
    else expect(commit).toBe(wanted);
    if (isCrash) {
      expect([log.hardState.term, log.hardState.votedFor]).toEqual([
        model.state.term,
        model.state.votedFor,
      ]);
    }
  }
  check(random, log, model);
  const all = log.entries(log.firstIndex, log.lastIndex + 1, Infinity) ?? [];
  expect(all.map(plain)).toEqual(model.entries.map(plain));
  await log.stopWriter();
  log.close();
  place.remove();
}
