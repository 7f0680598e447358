/** Negative: a comes first; 0: they are equal. */
type Compare<T> = (a: T, b: T) => number;

/**
 * Sorts so much of an array that its first `count` items are in place. Which of several equal items
 * comes first is what Redis's partial sort gives: quicksort in the form of Bentley and McIlroy
 * ("Engineering a sort function", 1993), left out where the wanted part does not reach.
 */
export function partialSort<T>(items: T[], count: number, compare: Compare<T>): void {
  sortPart(items, 0, items.length, count, compare);
}

/** Sorts items[start] … items[end - 1] as far as they lie before `count`. */
function sortPart<T>(
  items: T[],
  start: number,
  end: number,
  count: number,
  compare: Compare<T>,
): void {
  if (end - start < 7) {
    for (let i = start + 1; i < end; i++) {
      for (let at = i; at > start && compare(items[at - 1], items[at]) > 0; at--) {
        swap(items, at, at - 1);
      }
    }
    return;
  }
  swap(items, start, pivotOf(items, start, end, compare));
  // Equal items gather at both ends, smaller ones in front of larger ones between.
  const last = end - 1;
  let equalLeft = start + 1;
  let left = start + 1;
  let right = last;
  let equalRight = last;
  for (;;) {
    for (let order; left <= right && (order = compare(items[left], items[start])) <= 0; left++) {
      if (order === 0) swap(items, equalLeft++, left);
    }
    for (let order; left <= right && (order = compare(items[right], items[start])) >= 0; right--) {
      if (order === 0) swap(items, right, equalRight--);
    }
    if (left > right) break;
    swap(items, left++, right--);
  }
  const smaller = left - equalLeft;
  const larger = equalRight - right;
  swapBlocks(items, start, left, Math.min(equalLeft - start, smaller));
  swapBlocks(items, left, end, Math.min(larger, last - equalRight));
  if (smaller > 1 && start < count) sortPart(items, start, start + smaller, count, compare);
  if (larger > 1 && end - larger < count) sortPart(items, end - larger, end, count, compare);
}

function pivotOf<T>(items: T[], start: number, end: number, compare: Compare<T>): number {
  const size = end - start;
  const median = (a: number, b: number, c: number): number => {
    if (compare(items[a], items[b]) < 0) {
      if (compare(items[b], items[c]) < 0) return b;
      return compare(items[a], items[c]) < 0 ? c : a;
    }
    if (compare(items[b], items[c]) > 0) return b;
    return compare(items[a], items[c]) < 0 ? a : c;
  };
  let middle = start + (size >> 1);
  if (size === 7) return middle;
  let [first, last] = [start, end - 1];
  if (size > 40) {
    const step = size >> 3;
    first = median(first, first + step, first + 2 * step);
    middle = median(middle - step, middle, middle + step);
    last = median(last - 2 * step, last - step, last);
  }
  return median(first, middle, last);
}

function swap<T>(items: T[], a: number, b: number): void {
  [items[a], items[b]] = [items[b], items[a]];
}

/** Exchanges the `size` items from `start` on with those just before `end`. */
function swapBlocks<T>(items: T[], start: number, end: number, size: number): void {
  for (let i = 0; i < size; i++) swap(items, start + i, end - size + i);
}
