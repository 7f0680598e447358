import type { Bytes } from "../../base/bytes.ts";
import { parseInt64 } from "../../base/int64.ts";
import { backLengthBytes } from "../../storage/listpack_size.ts";
import { BadDump, Reader } from "./reader.ts";

/*
 * The forms in which Redis keeps small collections in one string. Numbers stand in them as
 * integers where their text is the usual one.
 */

const END = 0xff;
/** Bytes of the header of a listpack. */
const LISTPACK_HEADER = 6;
const COUNT_UNKNOWN = 0xffff;

/** The elements of a listpack. */
export function readListpack(packed: Bytes): Bytes[] {
  const reader = new Reader(packed);
  if (reader.little(4) !== packed.length) throw new BadDump();
  const count = reader.little(2);
  const items: Bytes[] = [];
  for (let first = reader.byte(); first !== END; first = reader.byte()) {
    const before = reader.position;
    items.push(readListpackElement(reader, first));
    reader.take(backLengthBytes(reader.position - before + 1));
  }
  if (count !== COUNT_UNKNOWN && count !== items.length) throw new BadDump();
  return items;
}

function readListpackElement(reader: Reader, first: number): Bytes {
  if (first < 0x80) return String(first);
  if (first < 0xc0) return reader.take(first & 0x3f);
  if (first < 0xe0) {
    const value = (first & 0x1f) * 256 + reader.byte();
    return String(value < 0x1000 ? value : value - 0x2000);
  }
  if (first < 0xf0) return reader.take((first & 0x0f) * 256 + reader.byte());
  if (first === 0xf0) return reader.take(reader.little(4));
  const size = [2, 3, 4, 8][first - 0xf1];
  if (size === undefined) throw new BadDump();
  return String(reader.signed(size));
}

/** A listpack of these elements. */
export function writeListpack(items: readonly Bytes[]): Bytes {
  const parts: Bytes[] = [];
  let size = LISTPACK_HEADER + 1;
  for (const item of items) {
    const element = listpackElement(item);
    const back = backLength(element.length);
    parts.push(element, back);
    size += element.length + back.length;
  }
  const count = Math.min(items.length, COUNT_UNKNOWN);
  return littleEndian(size, 4) + littleEndian(count, 2) + parts.join("") + "\xff";
}

function listpackElement(item: Bytes): Bytes {
  const number = parseInt64(item);
  if (number !== undefined) return listpackInteger(BigInt(number));
  const { length } = item;
  if (length < 64) return String.fromCharCode(0x80 | length) + item;
  if (length < 4096) return String.fromCharCode(0xe0 | (length >> 8), length & 0xff) + item;
  return "\xf0" + littleEndian(length, 4) + item;
}

function listpackInteger(value: bigint): Bytes {
  if (value >= 0n && value < 128n) return String.fromCharCode(Number(value));
  if (value >= -4096n && value < 4096n) {
    const bits = Number(BigInt.asUintN(13, value));
    return String.fromCharCode(0xc0 | (bits >> 8), bits & 0xff);
  }
  for (const [kind, size] of [[0xf1, 2], [0xf2, 3], [0xf3, 4]]) {
    const limit = 1n << BigInt(8 * size - 1);
    if (value >= -limit && value < limit) return String.fromCharCode(kind) + signed(value, size);
  }
  return "\xf4" + signed(value, 8);
}

/** The length of an element, 7 bits a byte: all but the first have the highest bit set. */
function backLength(size: number): Bytes {
  let text = "";
  let left = size;
  for (let count = backLengthBytes(size); count > 0; count--) {
    text = String.fromCharCode((left % 128) | (count > 1 ? 128 : 0)) + text;
    left = Math.floor(left / 128);
  }
  return text;
}

/** The elements of a ziplist, which Redis wrote before 7.0. */
export function readZiplist(packed: Bytes): Bytes[] {
  const reader = new Reader(packed);
  if (reader.little(4) !== packed.length) throw new BadDump();
  reader.little(4);
  const count = reader.little(2);
  const items: Bytes[] = [];
  for (let before = reader.byte(); before !== END; before = reader.byte()) {
    if (before === 0xfe) reader.little(4);
    items.push(readZiplistElement(reader, reader.byte()));
  }
  if (count !== COUNT_UNKNOWN && count !== items.length) throw new BadDump();
  return items;
}

function readZiplistElement(reader: Reader, first: number): Bytes {
  if (first < 0x40) return reader.take(first);
  if (first < 0x80) return reader.take((first & 0x3f) * 256 + reader.byte());
  if (first < 0xc0) return reader.take(reader.big(4));
  if (first >= 0xf1 && first <= 0xfd) return String(first - 0xf1);
  const sizes: ReadonlyMap<number, number> = new Map([
    [0xc0, 2],
    [0xd0, 4],
    [0xe0, 8],
    [0xf0, 3],
    [0xfe, 1],
  ]);
  const size = sizes.get(first);
  if (size === undefined) throw new BadDump();
  return String(reader.signed(size));
}

/** Fields and values, in turn, of a zipmap, which Redis wrote before 2.6. */
export function readZipmap(packed: Bytes): Bytes[] {
  const reader = new Reader(packed);
  reader.byte();
  const items: Bytes[] = [];
  for (let first = reader.byte(); first !== END; first = reader.byte()) {
    items.push(reader.take(first === 0xfe ? reader.little(4) : first));
    const valueFirst = reader.byte();
    const length = valueFirst === 0xfe ? reader.little(4) : valueFirst;
    const unused = reader.byte();
    items.push(reader.take(length));
    reader.take(unused);
  }
  return items;
}

/** The members of an intset. */
export function readIntset(packed: Bytes): Bytes[] {
  const reader = new Reader(packed);
  const size = reader.little(4);
  const count = reader.little(4);
  if (![2, 4, 8].includes(size) || packed.length !== 8 + size * count) throw new BadDump();
  return Array.from({ length: count }, () => String(reader.signed(size)));
}

/** An intset of these members; undefined when one is no integer. */
export function writeIntset(items: readonly Bytes[]): Bytes | undefined {
  const numbers: bigint[] = [];
  for (const item of items) {
    const number = parseInt64(item);
    if (number === undefined) return undefined;
    numbers.push(BigInt(number));
  }
  numbers.sort((a, b) => a < b ? -1 : 1);
  const fits = (bits: bigint) => numbers.every((n) => BigInt.asIntN(Number(bits), n) === n);
  const size = fits(16n) ? 2 : fits(32n) ? 4 : 8;
  const parts = numbers.map((number) => signed(number, size));
  return littleEndian(size, 4) + littleEndian(numbers.length, 4) + parts.join("");
}

/** An unsigned integer below 2^53, the lowest byte first. */
export function littleEndian(value: number, size: number): Bytes {
  return signed(BigInt(value), size);
}

/** An integer, the lowest byte first. */
export function signed(value: bigint, size: number): Bytes {
  let text = "";
  let left = BigInt.asUintN(8 * size, value);
  for (let i = 0; i < size; i++) {
    text += String.fromCharCode(Number(left & 0xffn));
    left >>= 8n;
  }
  return text;
}
