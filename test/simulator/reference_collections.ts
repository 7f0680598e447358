import type { Bytes } from "../../src/base/bytes.ts";

/**
 * What commands on collections do, told a second time. A value is text: its type's letter, then its
 * elements in their order; a hash and a sorted set have a pair of words for each.
 */
type Elements = Bytes[];

/** What is left of a value, undefined for nothing, and the reply. */
export interface Changed {
  readonly value: Bytes | undefined;
  readonly reply: string;
}

type Change = (elements: Elements, argv: readonly Bytes[]) => string;

const SEPARATOR = "\n";

const CHANGES: Readonly<Record<string, readonly [letter: string, change: Change]>> = {
  rpush: ["l", (list, argv) => `:${list.push(...argv.slice(2))}`],
  lpush: ["l", (list, argv) => {
    for (const element of argv.slice(2)) list.unshift(element);
    return `:${list.length}`;
  }],
  lpop: ["l", (list) => bulk(list.shift())],
  rpop: ["l", (list) => bulk(list.pop())],
  lset: ["l", (list, [, , index, element]) => {
    if (list.length === 0) return "-ERR no such key";
    const at = Number(index) < 0 ? list.length + Number(index) : Number(index);
    if (at < 0 || at >= list.length) return "-ERR index out of range";
    list[at] = element;
    return "+OK";
  }],
  linsert: ["l", (list, [, , where, pivot, element]) => {
    const at = list.indexOf(pivot);
    if (at < 0) return list.length === 0 ? ":0" : ":-1";
    list.splice(where === "BEFORE" ? at : at + 1, 0, element);
    return `:${list.length}`;
  }],
  lrem: ["l", (list, [, , count, element]) => {
    const isReverse = Number(count) < 0;
    let left = Number(count) === 0 ? Infinity : Math.abs(Number(count));
    const before = list.length;
    for (; left > 0 && list.includes(element); left--) {
      list.splice(isReverse ? list.lastIndexOf(element) : list.indexOf(element), 1);
    }
    return `:${before - list.length}`;
  }],
  ltrim: ["l", (list, [, , start, stop]) => {
    const kept = list.slice(Number(start), list.length + 1 + Number(stop));
    list.splice(0, list.length, ...kept);
    return "+OK";
  }],
  hset: ["h", (fields, argv) => {
    let added = 0;
    for (let at = 2; at < argv.length; at += 2) added += setPair(fields, argv[at], argv[at + 1]);
    return `:${added}`;
  }],
  hdel: ["h", (fields, [, , field]) => `:${removePair(fields, field)}`],
  hincrby: ["h", (fields, [, , field, by]) => {
    const next = Number(pairOf(fields, field) ?? "0") + Number(by);
    setPair(fields, field, String(next));
    return `:${next}`;
  }],
  sadd: ["s", (members, argv) => {
    const before = members.length;
    for (const member of argv.slice(2)) if (!members.includes(member)) members.push(member);
    return `:${members.length - before}`;
  }],
  srem: ["s", (members, [, , member]) => {
    const at = members.indexOf(member);
    if (at >= 0) members.splice(at, 1);
    return at >= 0 ? ":1" : ":0";
  }],
  zadd: ["z", (members, argv) => {
    let added = 0;
    for (let at = 2; at < argv.length; at += 2) added += setPair(members, argv[at + 1], argv[at]);
    sortByScore(members);
    return `:${added}`;
  }],
  zincrby: ["z", (members, [, , by, member]) => {
    const next = String(Number(pairOf(members, member) ?? "0") + Number(by));
    setPair(members, member, next);
    sortByScore(members);
    return `$${next}`;
  }],
  zrem: ["z", (members, [, , member]) => `:${removePair(members, member)}`],
};

/** Carries out a command on a collection; undefined when this is none. */
export function change(value: Bytes | undefined, argv: readonly Bytes[]): Changed | undefined {
  const known = CHANGES[argv[0].toLowerCase()];
  if (known === undefined) return undefined;
  const [letter, run] = known;
  const elements = elementsOf(value);
  const reply = run(elements, argv);
  return { value: elements.length === 0 ? undefined : letter + elements.join(SEPARATOR), reply };
}

/** The text of a collection. */
export function collectionText(letter: string, elements: readonly Bytes[]): Bytes {
  return letter + elements.join(SEPARATOR);
}

/** The elements of a value. */
export function elementsOf(value: Bytes | undefined): Elements {
  return value === undefined ? [] : value.slice(1).split(SEPARATOR);
}

/** How many elements a collection has; 0 for a string. */
export function sizeOf(value: Bytes | undefined): number {
  const type = value?.[0];
  if (type === "l" || type === "s") return elementsOf(value).length;
  return type === "h" || type === "z" ? elementsOf(value).length / 2 : 0;
}

/** What a command that reads all of a collection answers. */
export function readAll(value: Bytes | undefined): string {
  return `[${elementsOf(value).map((each) => `$${each}`).join()}]`;
}

function bulk(value: Bytes | undefined): string {
  return value === undefined ? "nil" : `$${value}`;
}

function placeOf(pairs: Elements, name: Bytes): number {
  for (let at = 0; at < pairs.length; at += 2) if (pairs[at] === name) return at;
  return -1;
}

function pairOf(pairs: Elements, name: Bytes): Bytes | undefined {
  const at = placeOf(pairs, name);
  return at < 0 ? undefined : pairs[at + 1];
}

function setPair(pairs: Elements, name: Bytes, value: Bytes): number {
  const at = placeOf(pairs, name);
  if (at < 0) pairs.push(name, value);
  else pairs[at + 1] = value;
  return at < 0 ? 1 : 0;
}

function removePair(pairs: Elements, name: Bytes): number {
  const at = placeOf(pairs, name);
  if (at >= 0) pairs.splice(at, 2);
  return at < 0 ? 0 : 1;
}

function sortByScore(pairs: Elements): void {
  const sorted = pairs.flatMap((name, at) => at % 2 === 0 ? [{ name, score: pairs[at + 1] }] : [])
    .sort((a, b) => Number(a.score) - Number(b.score) || (a.name < b.name ? -1 : 1));
  pairs.splice(0, pairs.length, ...sorted.flatMap(({ name, score }) => [name, score]));
}
