import { expect, test } from "bun:test";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { parseChunk, parseOffer, parseState } from "../../src/node/snapshot_frames.ts";
import { decodeConfiguration, encodeConfiguration } from "../../src/raft/membership.ts";
import { decodeMessage, encodeMessage } from "../../src/raft/message.ts";
import type { Message } from "../../src/raft/types.ts";
import { DecodeError } from "../../src/raft/wire.ts";
import { ProtocolError, RequestDecoder } from "../../src/resp/decoder.ts";
import { ReplyDecoder, ReplyProtocolError } from "../../src/resp/reply_decoder.ts";
import {
  BatchFormatError,
  decodeArguments,
  decodeBatch,
  decodeSegment,
  encodeBatch,
  encodeSegment,
} from "../../src/server/batch.ts";
import { encodeFrame, FrameError, FrameReader } from "../../src/transport/frame.ts";
import * as handshake from "../../src/transport/handshake.ts";
import { CONFIGURATION, entriesOf } from "../storage/raft_log_fixture.ts";
import { encodeCommand } from "../system/resp_client.ts";
import { anyBytes, chunked, damaged, holds, throwsOnly } from "./fuzz.ts";

/** Pieces of RESP, right and wrong. */
const resp = fc.array(
  fc.oneof(
    fc.constantFrom(
      "*1\r\n",
      "*2\r\n",
      "*-1\r\n",
      "*0\r\n",
      "$3\r\nabc\r\n",
      "$-1\r\n",
      "$0\r\n\r\n",
    ),
    fc.constantFrom("*2147483647\r\n", "$536870912\r\n", "$9999999999999\r\n", "\r\n", "GET k\r\n"),
    fc.constantFrom('"a', "'", "\\x4", "%1\r\n", "~2\r\n", "|1\r\n", ">1\r\n", "_\r\n", "#t\r\n"),
    fc.constantFrom(",1.5\r\n", "(123\r\n", "=7\r\ntxt:abc\r\n", ":9\r\n", "+OK\r\n", "-ERR x\r\n"),
    fc.string({ unit: "binary-ascii", maxLength: 8 }),
  ),
  { maxLength: 24 },
).map((pieces) => Buffer.from(pieces.join(""), "latin1"));
const respBytes = fc.oneof(resp, anyBytes());

/** What the requests of a connection come to. */
function requests(chunks: readonly Buffer[]): { argvs: string[][]; error: string; held: number } {
  const decoder = new RequestDecoder();
  const argvs: string[][] = [];
  let [pushed, held] = [0, 0];
  try {
    for (const chunk of chunks) {
      decoder.push(Buffer.from(chunk));
      pushed += chunk.length;
      for (let argv = decoder.next(); argv !== undefined; argv = decoder.next()) argvs.push(argv);
      held = Math.max(held, decoder.heldBytes - pushed);
    }
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    return { argvs, error: error.message, held };
  }
  return { argvs, error: "", held };
}

test("RESP requests: the same from any chunks, never more held than came", () => {
  holds(chunked(respBytes), (chunks) => {
    const { argvs, error, held } = requests(chunks);
    const whole = requests([Buffer.concat(chunks)]);
    expect({ argvs, error }).toEqual({ argvs: whole.argvs, error: whole.error });
    // An argument counts for a little more than its bytes; an empty one takes six on the wire.
    expect(held).toBeLessThan(32 * 200);
  });
});

const requestLists = fc.array(
  fc.array(fc.string({ maxLength: 12, unit: "binary-ascii" }), { minLength: 1, maxLength: 4 }),
  { minLength: 1, maxLength: 4 },
);

test("RESP requests: what was sent, wherever it is cut in two", () => {
  holds(requestLists, (argvs) => {
    const bytes = Buffer.concat(argvs.map((argv) => Buffer.from(encodeCommand(argv), "latin1")));
    for (let at = 0; at <= bytes.length; at++) {
      const found = requests([bytes.subarray(0, at), bytes.subarray(at)]);
      expect({ argvs: found.argvs, error: found.error }).toEqual({ argvs, error: "" });
    }
  });
});

test("RESP replies: a value or ReplyProtocolError", () => {
  holds(chunked(respBytes), (chunks) => {
    throwsOnly([ReplyProtocolError], () => {
      const decoder = new ReplyDecoder();
      for (const chunk of chunks) decoder.decode(chunk.toString("latin1"));
    });
  });
});

const frames = fc.oneof(
  anyBytes(),
  fc.array(fc.tuple(fc.nat({ max: 255 }), anyBytes(40)), { maxLength: 6 })
    .map((list) => Buffer.concat(list.map(([type, payload]) => encodeFrame(type, payload)))),
  fc.nat({ max: 40 }).chain((bytes) => damaged(encodeFrame(3, Buffer.alloc(bytes, 1)))),
  // Lengths that a frame cannot have.
  fc.constantFrom(0, 1, 1000, 1001, 2 ** 32 - 1).map((length) => {
    const frame = Buffer.alloc(12);
    frame.writeUInt32BE(length);
    return frame;
  }),
);

test("peer frames: the same from any chunks, or FrameError", () => {
  const read = (chunks: readonly Buffer[]): string => {
    const reader = new FrameReader(1000);
    let text = "";
    throwsOnly([FrameError], () => {
      for (const chunk of chunks) {
        reader.push(chunk);
        for (let frame = reader.next(); frame !== undefined; frame = reader.next()) {
          text += `${frame.type}:${frame.payload.toString("hex")} `;
        }
      }
    });
    return text;
  };
  holds(chunked(frames), (chunks) => {
    expect(read(chunks)).toBe(read([Buffer.concat(chunks)]));
  });
});

const MESSAGE: Message = {
  type: "append",
  from: 1,
  to: 2,
  term: 3,
  prevIndex: 4,
  prevTerm: 2,
  commit: 4,
  round: 7,
  entries: entriesOf(5, 9, 3),
} as Message;

test("Raft messages and configurations: decoded, or DecodeError", () => {
  for (const bytes of [encodeMessage(MESSAGE), encodeConfiguration(CONFIGURATION)]) {
    holds(fc.oneof(anyBytes(), damaged(bytes)), (input) => {
      throwsOnly([DecodeError], () => decodeMessage(input));
      throwsOnly([DecodeError], () => decodeConfiguration(input));
    });
  }
});

test("Raft messages that end too early are refused", () => {
  for (const whole of [encodeMessage(MESSAGE), encodeConfiguration(CONFIGURATION)]) {
    for (let length = 0; length < whole.length; length++) {
      const bytes = whole.subarray(0, length);
      for (const decode of [decodeMessage, decodeConfiguration]) {
        expect(() => decode(bytes)).toThrow(DecodeError);
      }
    }
  }
});

test("batches and segments: decoded, or BatchFormatError", () => {
  const commands = [{ db: 0, argv: ["SET", "k", "v"] }, { db: 3, argv: [] }];
  const segment = encodeSegment({ node: 1, incarnation: 2, firstSequence: 3, commands });
  const batch = encodeBatch(1e12, 7, [segment, segment]);
  const input = fc.oneof(anyBytes(), damaged(batch), damaged(Buffer.from(segment, "latin1")));
  holds(input, (bytes) => {
    throwsOnly([BatchFormatError], () => decodeBatch(bytes));
    throwsOnly([BatchFormatError], () => decodeSegment(bytes));
    throwsOnly([BatchFormatError], () => decodeArguments(bytes));
  });
});

test("handshakes and snapshot frames: taken or refused", () => {
  const json = fc.json().map((text) => Buffer.from(text));
  const nested = fc.nat({ max: 3000 }).map((depth) => Buffer.from("[".repeat(depth)));
  holds(fc.oneof(anyBytes(), json, nested), (payload) => {
    const { parseHello, parseChallenge, parseProof, parseWelcome, parseRefusal } = handshake;
    for (const parse of [parseHello, parseChallenge, parseProof, parseWelcome, parseRefusal]) {
      throwsOnly([handshake.HandshakeError], () => parse(payload));
    }
    for (const parse of [parseOffer, parseState, parseChunk]) parse(payload);
  });
});
