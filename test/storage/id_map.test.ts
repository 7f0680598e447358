import { expect, test } from "bun:test";
import { Prng } from "../../src/base/prng.ts";
import { IdMap } from "../../src/storage/id_map.ts";
import {
  compareIds,
  ID_MAX,
  idAfter,
  idBefore,
  type StreamId,
} from "../../src/storage/stream_id.ts";

interface Item extends StreamId {
  readonly text: string;
}

const WIDE = 2n ** 64n - 1n;

/** Ids beyond 2^53 among small ones: what a comparison of numbers alone would mistake. */
function makeId(prng: Prng, range: number): StreamId {
  const part = () => prng.below(20) === 0 ? WIDE - BigInt(prng.below(3)) : prng.below(range);
  return { ms: part(), seq: part() };
}

/** Everything that a map tells, from an id on. */
function shown(map: IdMap<Item>, id: StreamId): unknown {
  return [
    map.size,
    map.first,
    map.last,
    map.get(id),
    map.ceiling(id),
    map.floor(id),
    [...map.from(id)],
    [...map.downFrom(id)],
    [...map.values()],
  ];
}

function expected(items: readonly Item[], id: StreamId): unknown {
  const above = items.filter((item) => compareIds(item, id) >= 0);
  const below = items.filter((item) => compareIds(item, id) <= 0);
  const same = items.find((item) => compareIds(item, id) === 0);
  return [
    items.length,
    items[0],
    items.at(-1),
    same,
    above[0],
    below.at(-1),
    above,
    below.toReversed(),
    items,
  ];
}

test("IdMap: as a sorted array, whatever is put in and taken out", () => {
  for (let seed = 1; seed <= 20; seed++) {
    const prng = new Prng(seed);
    const range = [3, 30, 300][seed % 3];
    const map = new IdMap<Item>();
    let items: Item[] = [];
    for (let step = 0; step < 1500; step++) {
      const id = makeId(prng, range);
      const dice = prng.below(100);
      if (dice < 60) {
        const item = { ...id, text: `${seed} ${step}` };
        map.set(item);
        items = items.filter((other) => compareIds(other, id) !== 0);
        items.push(item);
        items.sort(compareIds);
      } else if (dice < 99) {
        const taken = map.remove(id);
        expect(taken).toEqual(items.find((item) => compareIds(item, id) === 0));
        items = items.filter((other) => compareIds(other, id) !== 0);
      } else {
        const count = prng.below(items.length + 2);
        expect(map.takeFirst(count)).toEqual(items.splice(0, count));
      }
      if (step % 50 === 0) expect(shown(map, id)).toEqual(expected(items, id));
    }
    expect(shown(map, ID_MAX)).toEqual(expected(items, ID_MAX));
  }
});

test("idAfter and idBefore are each other's opposite, up to the ends", () => {
  const ids: StreamId[] = [
    { ms: 0, seq: 0 },
    { ms: 0, seq: WIDE },
    { ms: 5, seq: Number.MAX_SAFE_INTEGER },
    { ms: Number.MAX_SAFE_INTEGER, seq: WIDE },
    { ms: WIDE, seq: WIDE - 1n },
  ];
  for (const id of ids) {
    const after = idAfter(id) as StreamId;
    expect(compareIds(after, id)).toBe(1);
    expect(idBefore(after)).toEqual(id);
  }
  expect(idAfter(ID_MAX)).toBeUndefined();
  expect(idBefore(ids[0])).toBeUndefined();
});
