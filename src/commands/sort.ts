import type { Bytes } from "../base/bytes.ts";
import {
  err,
  ErrorReply,
  NOT_INTEGER,
  type Reply,
  SYNTAX_ERROR,
  WRONG_TYPE,
} from "../resp/reply.ts";
import type { Command } from "./command.ts";
import type { DataContext } from "./data_context.ts";
import { FIRST_KEY, readCommand, writeCommand } from "./define.ts";
import { storeList } from "./list.ts";
import { optionName, parseOffset } from "./parse.ts";
import { membersOf } from "./set.ts";
import { cString, lookUp, weightOf } from "./sort_pattern.ts";

const NOT_DOUBLE = err("One or more scores can't be converted into double");

interface Options {
  /** The pattern that gives what to sort by; undefined: the elements themselves. */
  by: Bytes | undefined;
  /** BY had a pattern without a star: nothing is to be sorted. */
  unsorted: boolean;
  gets: Bytes[];
  descending: boolean;
  alpha: boolean;
  offset: number;
  /** Negative: all. */
  count: number;
  store: Bytes | undefined;
}

function parseOptions(argv: readonly Bytes[], canStore: boolean): Options | ErrorReply {
  const options: Options = {
    by: undefined,
    unsorted: false,
    gets: [],
    descending: false,
    alpha: false,
    offset: 0,
    count: -1,
    store: undefined,
  };
  for (let i = 2; i < argv.length; i++) {
    const left = argv.length - 1 - i;
    const name = optionName(argv[i]);
    if (name === "asc") options.descending = false;
    else if (name === "desc") options.descending = true;
    else if (name === "alpha") options.alpha = true;
    else if (name === "limit" && left >= 2) {
      const offset = parseOffset(argv[++i]);
      const count = parseOffset(argv[++i]);
      if (offset === undefined || count === undefined) return NOT_INTEGER;
      options.offset = Math.max(0, offset);
      options.count = count;
    } else if (name === "store" && canStore && left >= 1) options.store = argv[++i];
    else if (name === "get" && left >= 1) options.gets.push(argv[++i]);
    else if (name === "by" && left >= 1) {
      options.by = argv[++i];
      if (!cString(options.by).includes("*")) options.unsorted = true;
    } else return SYNTAX_ERROR;
  }
  return options;
}

/** What a key holds that SORT takes. */
interface Source {
  readonly size: number;
  /** All elements; those of a set in an order that is the same on every node. */
  readonly all: () => readonly Bytes[];
  /** Those from `start` up to `stop`, inclusive, in their own order; undefined: they have none. */
  readonly range?: (start: number, stop: number) => readonly Bytes[];
}

const NOTHING: Source = { size: 0, all: () => [] };

function sourceAt(context: DataContext, key: Bytes): Source | ErrorReply {
  const type = context.find(key)?.type;
  if (type === undefined) return NOTHING;
  const { db, ops } = context;
  if (type === "list") {
    const list = ops.collection(db, key, "list")!;
    const range = (start: number, stop: number) => list.range(start, stop);
    return { size: list.length, all: () => range(0, list.length - 1), range };
  }
  if (type === "set") {
    const set = ops.collection(db, key, "set")!;
    return { size: set.size, all: () => membersOf(set) };
  }
  if (type !== "zset") return WRONG_TYPE;
  const zset = ops.collection(db, key, "zset")!;
  const range = (start: number, stop: number) =>
    Array.from(zset.range(start, stop), ({ name }) => name);
  return { size: zset.size, all: () => range(0, zset.size - 1), range };
}

/** The part of a source that BY without a star asks for: in its own order, or backwards. */
function unsortedPart(source: Source, options: Options): readonly Bytes[] {
  const { size, range } = source;
  const { offset, count, descending } = options;
  const end = count < 0 ? size : Math.min(size, offset + count);
  if (offset >= end) return [];
  if (range === undefined) return source.all().slice(offset, end);
  return descending ? [...range(size - end, size - 1 - offset)].reverse() : range(offset, end - 1);
}

function compareBytes(a: Bytes, b: Bytes): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

type Compare<T> = (a: T, b: T) => number;

/** Sorts elements by numbers, those that are equal by their bytes; an error for what is none. */
function sortByNumber(
  context: DataContext,
  elements: readonly Bytes[],
  { by, descending }: Options,
): readonly Bytes[] | ErrorReply {
  const items: { element: Bytes; weight: number }[] = [];
  for (const element of elements) {
    const text = by === undefined ? element : lookUp(context, by, element);
    const weight = text === null ? 0 : weightOf(text);
    if (weight === undefined) return NOT_DOUBLE;
    items.push({ element, weight });
  }
  const compare: Compare<typeof items[0]> = (a, b) =>
    a.weight < b.weight ? -1 : a.weight > b.weight ? 1 : compareBytes(a.element, b.element);
  items.sort(descending ? (a, b) => compare(b, a) : compare);
  return items.map(({ element }) => element);
}

/** Sorts elements by bytes: those of a C string, unless they are stored. Absent ones come first. */
function sortByText(
  context: DataContext,
  elements: readonly Bytes[],
  { by, descending, store }: Options,
): readonly Bytes[] {
  const items = elements.map((element) => {
    const text = by === undefined ? element : lookUp(context, by, element);
    return { element, text: text === null || store !== undefined ? text : cString(text) };
  });
  const compare: Compare<typeof items[0]> = (a, b) => {
    if (a.text !== null && b.text !== null) return compareBytes(a.text, b.text);
    return a.text === b.text ? 0 : a.text === null ? -1 : 1;
  };
  items.sort(descending ? (a, b) => compare(b, a) : compare);
  return items.map(({ element }) => element);
}

/** The elements that are asked for, in order. */
function sorted(
  context: DataContext,
  source: Source,
  options: Options,
): readonly Bytes[] | ErrorReply {
  let { alpha, by, unsorted } = options;
  const isKept = options.store !== undefined || context.isInScript;
  if (unsorted && isKept && source.range === undefined) {
    // What is stored of a set, or a script gets of it, is sorted whatever BY says.
    [alpha, by, unsorted] = [true, undefined, false];
  }
  if (unsorted) return unsortedPart(source, options);
  const elements = alpha
    ? sortByText(context, source.all(), { ...options, by })
    : sortByNumber(context, source.all(), { ...options, by });
  if (elements instanceof ErrorReply) return elements;
  const { offset, count } = options;
  return offset === 0 && count < 0
    ? elements
    : elements.slice(offset, count < 0 ? undefined : offset + count);
}

/**
 * SORT|SORT_RO key [BY pattern] [LIMIT offset count] [GET pattern [GET pattern ...]] [ASC|DESC]
 * [ALPHA] [STORE destination]
 */
function sortWith(canStore: boolean) {
  return (context: DataContext, argv: readonly Bytes[]): Reply => {
    const options = parseOptions(argv, canStore);
    if (options instanceof ErrorReply) return options;
    const source = sourceAt(context, argv[1]);
    if (source instanceof ErrorReply) return source;
    const elements = sorted(context, source, options);
    if (elements instanceof ErrorReply) return elements;
    const { gets, store } = options;
    const found = gets.length === 0
      ? elements
      : elements.flatMap((element) => gets.map((pattern) => lookUp(context, pattern, element)));
    if (store === undefined) return found;
    const wasThere = context.find(store) !== undefined;
    storeList(context, store, found.map((value) => value ?? ""));
    if (found.length > 0) context.notify("list", "sortstore", store);
    else if (wasThere) context.notify("generic", "del", store);
    return found.length;
  };
}

/** The commands that sort. */
export const sortCommands: readonly Command[] = [
  writeCommand("sort", -2, sortWith(true), FIRST_KEY),
  readCommand("sort_ro", -2, sortWith(false), FIRST_KEY),
];
