import type { Bytes } from "../../base/bytes.ts";

/** The polynomial of Jones, its bits reversed, in two words. */
const POLYNOMIAL_HIGH = 0x95ac9329;
const POLYNOMIAL_LOW = 0xac4bc9b5;

const HIGH = new Uint32Array(256);
const LOW = new Uint32Array(256);
for (let byte = 0; byte < 256; byte++) {
  let [high, low] = [0, byte];
  for (let bit = 0; bit < 8; bit++) {
    const odd = low & 1;
    low = ((low >>> 1) | (high << 31)) >>> 0;
    high >>>= 1;
    if (odd === 1) [high, low] = [(high ^ POLYNOMIAL_HIGH) >>> 0, (low ^ POLYNOMIAL_LOW) >>> 0];
  }
  [HIGH[byte], LOW[byte]] = [high, low];
}

/** The CRC-64 that Redis puts behind a dumped value: 8 bytes, the lowest first. */
export function crc64(bytes: Bytes): Bytes {
  let high = 0;
  let low = 0;
  for (let i = 0; i < bytes.length; i++) {
    const index = (low ^ bytes.charCodeAt(i)) & 0xff;
    low = ((low >>> 8) | (high << 24)) ^ LOW[index];
    high = (high >>> 8) ^ HIGH[index];
  }
  let text = "";
  for (const word of [low, high]) {
    for (let shift = 0; shift < 32; shift += 8) {
      text += String.fromCharCode((word >>> shift) & 0xff);
    }
  }
  return text;
}
