import { describe, expect, test } from "bun:test";
import { Prng } from "../../src/base/prng.ts";
import { ChunkedList } from "../../src/storage/chunked_list.ts";

/** A ChunkedList beside an array that is to have the same values. */
class Pair {
  readonly list = new ChunkedList();
  readonly array: string[] = [];

  insert(index: number, value: string): number {
    if (index === this.list.length) this.list.push(value);
    else if (index === 0) this.list.unshift(value);
    else {
      const room = this.list.roomBefore(index);
      if (room === undefined) this.spread(index);
      this.list.insert(index, this.list.roomBefore(index)!, value);
    }
    this.array.splice(index, 0, value);
    return index;
  }

  /** Makes room, and checks that what it says it moved is what moved. */
  spread(index: number): void {
    const before = positionsOf(this.list);
    const moved = this.list.spread(index);
    const expected = new Map(moved.map(({ from, to }) => [from, to]));
    const after = positionsOf(this.list);
    expect(before.map((position) => expected.get(position) ?? position)).toEqual(after);
    const at = new Map(after.map((position, i) => [position, this.array[i]]));
    for (const { to, value } of moved) expect(at.get(to)).toBe(value);
  }

  check(): void {
    const { list, array } = this;
    expect(list.range(0, list.length - 1)).toEqual(array);
    const positions = positionsOf(list);
    expect(positions.every((position, i) => i === 0 || position > positions[i - 1])).toBe(true);
    expect(positions.every(Number.isSafeInteger)).toBe(true);
  }
}

function positionsOf(list: ChunkedList): number[] {
  return Array.from({ length: list.length }, (_, index) => list.positionAt(index));
}

describe("ChunkedList", () => {
  test("random changes: the values of an array, positions that ascend", () => {
    for (let seed = 1; seed <= 6; seed++) {
      const prng = new Prng(seed);
      const pair = new Pair();
      const { list, array } = pair;
      for (let step = 0; step < 1500; step++) {
        const value = String(prng.below(20));
        const dice = prng.below(100);
        const index = prng.below(array.length + 1);
        if (dice < 50) pair.insert(index, value);
        else if (dice < 60) pair.insert(array.length >> 1, value);
        else if (dice < 70) pair.insert(array.length, value);
        else if (array.length === 0) continue;
        else if (dice < 80) expect(list.shift()).toBe(array.shift()!);
        else if (dice < 90) expect(list.pop()).toBe(array.pop()!);
        else if (dice < 97) {
          list.replace(index % array.length, value);
          array[index % array.length] = value;
        } else {
          const limit = 1 + prng.below(30);
          const reverse = prng.below(2) === 0;
          const removed = list.removeEqual(value, limit, reverse);
          const matching = array.flatMap((found, i) => found === value ? [i] : []);
          const doomed = new Set(reverse ? matching.slice(-limit) : matching.slice(0, limit));
          expect(removed.length).toBe(doomed.size);
          array.splice(0, array.length, ...array.filter((_, i) => !doomed.has(i)));
        }
        expect(list.length).toBe(array.length);
        if (step % 100 === 0) pair.check();
        if (array.length === 0) continue;
        const at = prng.below(array.length);
        expect(list.at(at)).toBe(array[at]);
        const stop = at + prng.below(array.length - at);
        expect(list.range(at, stop)).toEqual(array.slice(at, stop + 1));
        if (step % 50 !== 0) continue;
        expect([...list.values(at)]).toEqual(array.slice(at));
        expect([...list.values(at, true)]).toEqual(array.slice(0, at + 1).reverse());
      }
      pair.check();
    }
  });

  test("insertions at one place find room again and again", () => {
    for (const at of [1, 300, 599]) {
      const pair = new Pair();
      for (let i = 0; i < 600; i++) pair.insert(i, `e${i}`);
      for (let i = 0; i < 300; i++) pair.insert(at, `n${i}`);
      pair.check();
    }
  });

  test("a queue that never empties keeps its positions near each other", () => {
    const list = new ChunkedList();
    for (let i = 0; i < 100; i++) list.push("x");
    for (let i = 0; i < 10_000; i++) {
      list.push("x");
      list.shift();
    }
    expect(list.lastPosition - list.firstPosition).toBe(99 * 256);
  });
});
