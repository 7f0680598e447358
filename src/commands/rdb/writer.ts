import type { Bytes } from "../../base/bytes.ts";
import { parseInt64 } from "../../base/int64.ts";
import type { Uint64 } from "../../base/uint64.ts";
import { signed } from "./packed.ts";

/** A length, or how many elements follow. */
export function writeLength(length: Uint64): Bytes {
  if (length >= 2 ** 32) return "\x81" + bigEndian(length, 8);
  const small = Number(length);
  if (small < 0x40) return String.fromCharCode(small);
  if (small < 0x4000) return String.fromCharCode(0x40 | (small >> 8), small & 0xff);
  return "\x80" + bigEndian(small, 4);
}

/** An unsigned integer, the highest byte first. */
export function bigEndian(value: Uint64, size: number): Bytes {
  return [...signed(BigInt(value), size)].reverse().join("");
}

/** A string; an integer of at most 32 bits as such. */
export function writeString(text: Bytes): Bytes {
  const number = text.length <= 11 ? parseInt64(text) : undefined;
  if (typeof number === "number") {
    for (const [form, size] of [[0xc0, 1], [0xc1, 2], [0xc2, 4]]) {
      const limit = 2 ** (8 * size - 1);
      if (number >= -limit && number < limit) {
        return String.fromCharCode(form) + signed(BigInt(number), size);
      }
    }
  }
  return writeLength(text.length) + text;
}

/** A double, the lowest byte first. */
export function double(value: number): Bytes {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value, true);
  return String.fromCharCode(...new Uint8Array(view.buffer));
}
