import { expect, test } from "bun:test";
import { Prng } from "../../src/base/prng.ts";
import {
  BatchFormatError,
  commandBytes,
  decodeBatch,
  decodeSegment,
  encodeBatch,
  encodeSegment,
  type Segment,
} from "../../src/server/batch.ts";

const ALL_BYTES = Array.from({ length: 256 }, (_, byte) => String.fromCharCode(byte)).join("");

const segments: readonly Segment[] = [
  { node: 1, incarnation: 1, firstSequence: 1, commands: [{ db: 0, argv: ["SET", "a", "b"] }] },
  {
    node: 2 ** 45,
    incarnation: 2 ** 32 - 1,
    firstSequence: 2 ** 53 - 1,
    commands: [
      { db: 15, argv: [] },
      { db: 0, argv: ["", ALL_BYTES, "x".repeat(5000)] },
      { db: 3, argv: Array.from({ length: 5000 }, (_, i) => String(i)) },
    ],
  },
  { node: 3, incarnation: 7, firstSequence: 9, commands: [] },
];

const bytesOf = (text: string): Uint8Array => Buffer.from(text, "latin1");
const timeMs = 1_767_225_600_123;

test("a batch comes back as it was", () => {
  const data = encodeBatch(timeMs, 2 ** 32 - 1, segments.map(encodeSegment));
  expect(decodeBatch(data)).toEqual({ timeMs, seed: 2 ** 32 - 1, segments });
  expect(decodeBatch(encodeBatch(0, 0, []))).toEqual({ timeMs: 0, seed: 0, segments: [] });
});

test("a segment comes back as it was, also from the middle of a buffer", () => {
  for (const segment of segments) {
    const bytes = bytesOf(encodeSegment(segment));
    expect(decodeSegment(bytes)).toEqual(segment);
    const padded = Buffer.concat([Buffer.from("before"), bytes, Buffer.from("after")]);
    expect(decodeSegment(padded.subarray(6, 6 + bytes.length))).toEqual(segment);
  }
});

test("a segment of another node names no database beyond the last", () => {
  const inDb = (db: number) =>
    bytesOf(encodeSegment({ ...segments[0], commands: [{ db, argv: ["DEL", "a"] }] }));
  expect(decodeSegment(inDb(15)).commands[0].db).toBe(15);
  expect(() => decodeSegment(inDb(16))).toThrow(BatchFormatError);
});

test("commandBytes is what a command adds to its segment", () => {
  const empty = encodeSegment({ ...segments[0], commands: [] }).length;
  for (const { commands } of segments) {
    const sum = commands.reduce((total, { argv }) => total + commandBytes(argv), empty);
    expect(encodeSegment({ ...segments[0], commands }).length).toBe(sum);
  }
});

test("bytes that are cut off, too many or of another format are refused", () => {
  const data = encodeBatch(timeMs, 1, [encodeSegment(segments[0])]);
  for (let end = 0; end < data.length; end++) {
    expect(() => decodeBatch(data.subarray(0, end))).toThrow(BatchFormatError);
  }
  expect(() => decodeBatch(Buffer.concat([data, Buffer.alloc(1)]))).toThrow("1 bytes too many");
  const newer = Buffer.from(data);
  newer[0] = 2;
  expect(() => decodeBatch(newer)).toThrow("format 2, only 1");
  expect(() => encodeBatch(0, 0, Array(256).fill(""))).toThrow("256 segments");
});

test("damaged bytes give a batch or a BatchFormatError, and nothing else", () => {
  const data = encodeBatch(timeMs, 1, segments.map(encodeSegment));
  const prng = new Prng(3);
  let refused = 0;
  for (let run = 0; run < 500; run++) {
    const damaged = Buffer.from(data.subarray(0, 200 + prng.nextUint32() % (data.length - 200)));
    for (let n = 0; n < 3; n++) damaged[prng.nextUint32() % 150] = prng.nextUint32() & 255;
    try {
      decodeBatch(damaged);
    } catch (error) {
      expect(error).toBeInstanceOf(BatchFormatError);
      refused++;
    }
  }
  expect(refused).toBeGreaterThan(0);
});
