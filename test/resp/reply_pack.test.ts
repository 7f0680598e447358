import { expect, test } from "bun:test";
import {
  BigNumberReply,
  BooleanReply,
  DoubleReply,
  err,
  KeyedReply,
  MapReply,
  NIL_ARRAY,
  OK,
  PairsReply,
  PushReply,
  type Reply,
  SetReply,
  VerbatimReply,
} from "../../src/resp/reply.ts";
import { packReply, unpackReply } from "../../src/resp/reply_pack.ts";

const REPLIES: readonly Reply[] = [
  null,
  "",
  '{"status":"OK"}',
  "\0\x7f\x80\xff",
  0,
  -9007199254740991,
  9223372036854775807n,
  OK,
  err("with \xff"),
  NIL_ARRAY,
  [],
  [null, ["a", [1]]],
  new MapReply([["k", new SetReply(["m"])], [1, null]]),
  new KeyedReply([["k", [["1-0", ["f", "v"]]]]]),
  new PairsReply([["a", new DoubleReply("1.5")], ["b", new DoubleReply("-inf")]]),
  new BooleanReply(false),
  new BooleanReply(true),
  new VerbatimReply("txt", "text"),
  new BigNumberReply("123456789012345678901234567890"),
  new PushReply(["message", "c", "m"]),
];

test("unpackReply gives back what packReply was given, of every kind", () => {
  for (const reply of [...REPLIES, REPLIES]) {
    expect(unpackReply(packReply(reply))).toStrictEqual(reply);
  }
});
