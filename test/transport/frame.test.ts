import { expect, test } from "bun:test";
import { Prng } from "../../src/base/prng.ts";
import { encodeFrame, FrameError, FrameReader } from "../../src/transport/frame.ts";

const LIMIT = 1000;

interface Plain {
  readonly type: number;
  readonly text: string;
}

const samples: readonly Plain[] = [
  { type: 1, text: "" },
  { type: 6, text: "a" },
  { type: 255, text: "x".repeat(LIMIT) },
  { type: 15, text: "" },
  { type: 7, text: "\0\xff\r\n" },
];

function encodeAll(frames: readonly Plain[]): Buffer {
  return Buffer.concat(
    frames.map(({ type, text }) => encodeFrame(type, Buffer.from(text, "latin1"))),
  );
}

/** Copies what is valid only until the next push. */
function readAll(reader: FrameReader, chunk: Buffer): Plain[] {
  const frames: Plain[] = [];
  reader.push(chunk);
  for (let frame = reader.next(); frame !== undefined; frame = reader.next()) {
    frames.push({ type: frame.type, text: frame.payload.toString("latin1") });
  }
  // What was pushed may be used again by its owner.
  chunk.fill(0xee);
  return frames;
}

test("frames come out as they went in", () => {
  expect(readAll(new FrameReader(LIMIT), encodeAll(samples))).toEqual([...samples]);
});

test("frames come out whole at every split into two", () => {
  const bytes = encodeAll(samples);
  for (let at = 0; at <= bytes.length; at++) {
    const reader = new FrameReader(LIMIT);
    const first = readAll(reader, Buffer.from(bytes.subarray(0, at)));
    const second = readAll(reader, Buffer.from(bytes.subarray(at)));
    expect([...first, ...second]).toEqual([...samples]);
  }
});

test("frames come out whole byte by byte, and in random pieces", () => {
  const bytes = encodeAll(samples);
  const prng = new Prng(1);
  for (let run = 0; run < 200; run++) {
    const reader = new FrameReader(LIMIT);
    const frames: Plain[] = [];
    for (let at = 0; at < bytes.length;) {
      const end = at + 1 + (run === 0 ? 0 : prng.nextUint32() % 300);
      frames.push(...readAll(reader, Buffer.from(bytes.subarray(at, end))));
      at = end;
    }
    expect(frames).toEqual([...samples]);
  }
});

test("a length over the limit or of zero is refused as soon as it is known", () => {
  for (const length of [0, LIMIT + 2, 0xffffffff]) {
    const bytes = Buffer.alloc(5);
    bytes.writeUInt32BE(length, 0);
    for (let at = 0; at < bytes.length; at++) {
      const reader = new FrameReader(LIMIT);
      expect(() => {
        readAll(reader, Buffer.from(bytes.subarray(0, at)));
        readAll(reader, Buffer.from(bytes.subarray(at)));
      }).toThrow(FrameError);
    }
  }
});

test("random bytes give frames within the limit or a FrameError, and nothing else", () => {
  const prng = new Prng(2);
  for (let run = 0; run < 2000; run++) {
    const reader = new FrameReader(LIMIT);
    const bytes = Buffer.alloc(1 + prng.nextUint32() % 40);
    for (let i = 0; i < bytes.length; i++) {
      bytes[i] = run % 2 === 0 && i % 8 < 3 ? 0 : prng.nextUint32() & 255;
    }
    try {
      for (const { text } of readAll(reader, bytes)) {
        expect(text.length).toBeLessThanOrEqual(LIMIT);
      }
    } catch (error) {
      expect(error).toBeInstanceOf(FrameError);
    }
  }
});
