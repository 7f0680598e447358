import { describe, expect, test } from "bun:test";
import { Prng } from "../../src/base/prng.ts";
import { decodeMessage, encodeMessage } from "../../src/raft/message.ts";
import type { Message } from "../../src/raft/types.ts";
import { DecodeError } from "../../src/raft/wire.ts";

const LARGE = Number.MAX_SAFE_INTEGER;
const HEADER = { from: 1, to: LARGE - 1, term: 300 };

const MESSAGES: Message[] = [
  {
    type: "append",
    ...HEADER,
    prevIndex: 127,
    prevTerm: 128,
    entries: [
      { index: 128, term: 200, kind: "noop", data: new Uint8Array(0) },
      { index: 129, term: 201, kind: "normal", data: new Uint8Array([0, 255, 128]) },
      { index: 130, term: 300, kind: "configuration", data: new Uint8Array(300).fill(7) },
    ],
    commit: 16384,
    round: 2 ** 40,
  },
  { type: "append", ...HEADER, prevIndex: 0, prevTerm: 0, entries: [], commit: 0, round: 0 },
  {
    type: "append_response",
    ...HEADER,
    success: false,
    index: LARGE,
    hintIndex: 5,
    hintTerm: 4,
    round: 3,
  },
  { type: "vote", ...HEADER, preVote: true, lastIndex: 9, lastTerm: 8, transfer: false },
  { type: "vote", ...HEADER, preVote: false, lastIndex: 9, lastTerm: 8, transfer: true },
  { type: "vote_response", ...HEADER, preVote: false, granted: true },
  { type: "heartbeat", ...HEADER, commit: 77, round: 1 },
  { type: "heartbeat_response", ...HEADER, round: 1 },
  {
    type: "install_snapshot",
    ...HEADER,
    snapshot: {
      index: 1000,
      term: 9,
      configuration: {
        voters: [1, 2],
        votersOutgoing: [1, 3],
        learners: [4],
        learnersNext: [3],
        addresses: { 1: "[::1]:16379", 2: "hôte:1", 300: "" },
      },
    },
  },
  { type: "install_snapshot_response", ...HEADER, index: 1000 },
  { type: "timeout_now", ...HEADER },
];

describe("encodeMessage, decodeMessage", () => {
  for (const message of MESSAGES) {
    test(`${message.type} comes back as it was`, () => {
      expect(decodeMessage(encodeMessage(message))).toEqual(message);
    });
  }

  test("local is not sent", () => {
    const entry = { index: 1, term: 1, kind: "normal", data: new Uint8Array(1) } as const;
    const append = { ...MESSAGES[1], entries: [{ ...entry, local: "secret" }] } as Message;
    const sent = decodeMessage(encodeMessage(append));
    expect(sent.type === "append" && sent.entries).toEqual([entry]);
  });

  test("entries are copies: the frame may be used again", () => {
    const bytes = encodeMessage(MESSAGES[0]).slice();
    const message = decodeMessage(bytes);
    bytes.fill(0);
    expect(message).toEqual(MESSAGES[0]);
  });

  test("a shortened or lengthened message is refused", () => {
    for (const message of MESSAGES) {
      const bytes = encodeMessage(message);
      for (let length = 0; length < bytes.length; length++) {
        expect(() => decodeMessage(bytes.subarray(0, length))).toThrow(DecodeError);
      }
      expect(() => decodeMessage(new Uint8Array([...bytes, 0]))).toThrow(DecodeError);
    }
  });

  test("counts and lengths beyond the bytes at hand are refused before anything is allocated", () => {
    const huge = [255, 255, 255, 255, 255, 255, 255, 15];
    const append = [0, 1, 1, 1, 0, 0, 0, 0];
    expect(() => decodeMessage(new Uint8Array([...append, ...huge]))).toThrow("items in 0 bytes");
    const entry = [...append, 1, 0, 1, ...huge];
    expect(() => decodeMessage(new Uint8Array(entry))).toThrow("items in 0 bytes");
    const snapshot = [6, 1, 1, 1, 1, 1, ...huge];
    expect(() => decodeMessage(new Uint8Array(snapshot))).toThrow("items in 0 bytes");
  });

  test("numbers above 2^53-1 and padded numbers are refused", () => {
    const tooLarge = [255, 255, 255, 255, 255, 255, 255, 31];
    expect(() => decodeMessage(new Uint8Array([8, 1, 1, ...tooLarge]))).toThrow("above 2^53-1");
    expect(() => decodeMessage(new Uint8Array([8, 1, 1, 129, 0]))).toThrow("padded");
  });

  test("random bytes, and messages with bytes changed, give a DecodeError or a message", () => {
    const random = new Prng(1);
    let refused = 0;
    for (let round = 0; round < 20_000; round++) {
      const bytes = round % 2 === 0
        ? new Uint8Array(random.below(80))
        : encodeMessage(MESSAGES[random.below(MESSAGES.length)]).slice();
      const changes = round % 2 === 0 ? bytes.length : 1 + random.below(3);
      for (let change = 0; change < changes; change++) {
        const at = round % 2 === 0 ? change : random.below(bytes.length);
        bytes[at] = random.below(256);
      }
      if (round % 2 === 0 && bytes.length > 0) bytes[0] %= 9;
      try {
        const message = decodeMessage(bytes);
        expect(decodeMessage(encodeMessage(message))).toEqual(message);
      } catch (error) {
        if (!(error instanceof DecodeError)) throw error;
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(5_000);
  });
});
