import type { CommandInfo, Metadata, ReplyDataObject } from "./metadata.ts";

const KEY: ReplyDataObject = { name: "key", type: "key", key_spec_index: 0 };
const FIELDS: ReplyDataObject = {
  name: "fields",
  type: "block",
  token: "FIELDS",
  arguments: [
    { name: "numfields", type: "integer" },
    { name: "field", type: "string", flags: { "~+": ["multiple"] } },
  ],
};
const FIELDS_AND_VALUES: ReplyDataObject = {
  name: "fields",
  type: "block",
  token: "FIELDS",
  arguments: [
    { name: "numfields", type: "integer" },
    {
      name: "data",
      type: "block",
      flags: { "~+": ["multiple"] },
      arguments: [{ name: "field", type: "string" }, { name: "value", type: "string" }],
    },
  ],
};
const CONDITION = oneOf("condition", [token("NX"), token("XX"), token("GT"), token("LT")]);
const FIELD_CONDITION = oneOf("condition", [token("FNX"), token("FXX")]);

function token(word: string): ReplyDataObject {
  return { name: word.toLowerCase(), type: "pure-token", token: word };
}

function oneOf(name: string, choices: readonly ReplyDataObject[]): ReplyDataObject {
  return { name, type: "oneof", flags: { "~+": ["optional"] }, arguments: choices };
}

function expiration(last: string): ReplyDataObject {
  return oneOf("expiration", [
    { name: "seconds", type: "integer", token: "EX" },
    { name: "milliseconds", type: "integer", token: "PX" },
    { name: "unix-time-seconds", type: "unix-time", token: "EXAT" },
    { name: "unix-time-milliseconds", type: "unix-time", token: "PXAT" },
    token(last),
  ]);
}

function info(arity: number, access: readonly string[], flags: readonly string[]): CommandInfo {
  const category = flags[0] === "readonly" ? "@read" : "@write";
  return [
    arity,
    { "~+": flags },
    1,
    1,
    1,
    { "~+": [category, "@hash", "@fast"] },
    { "~": [] },
    {
      "~": [{
        flags: { "~+": access },
        begin_search: { type: "index", spec: { index: 1 } },
        find_keys: { type: "range", spec: { lastkey: 0, keystep: 1, limit: 0 } },
      }],
    },
  ];
}

function docs(
  summary: string,
  since: string,
  args: readonly ReplyDataObject[],
): ReplyDataObject {
  const complexity = "O(N) where N is the number of specified fields";
  return { summary, since, group: "hash", complexity, arguments: [KEY, ...args] };
}

function expires(summary: string, argument: ReplyDataObject) {
  return {
    info: info(-6, ["RW", "update"], ["write", "denyoom", "fast"]),
    docs: docs(summary, "7.4.0", [argument, CONDITION, FIELDS]),
  };
}

function tells(summary: string) {
  return {
    info: info(-5, ["RO", "access"], ["readonly", "fast"]),
    docs: docs(summary, "7.4.0", [FIELDS]),
  };
}

/** Commands on the expiry of fields, as Redis 7.4 and 8.0 describe them. */
export const newerHashCommands: Metadata = {
  hexpire: expires("Set expiry for hash field using relative time to expire (seconds)", {
    name: "seconds",
    type: "integer",
  }),
  hpexpire: expires("Set expiry for hash field using relative time to expire (milliseconds)", {
    name: "milliseconds",
    type: "integer",
  }),
  hexpireat: expires("Set expiry for hash field using an absolute Unix timestamp (seconds)", {
    name: "unix-time-seconds",
    type: "unix-time",
  }),
  hpexpireat: expires("Set expiry for hash field using an absolute Unix timestamp (milliseconds)", {
    name: "unix-time-milliseconds",
    type: "unix-time",
  }),
  hpersist: {
    info: info(-5, ["RW", "update"], ["write", "fast"]),
    docs: docs("Removes the expiration time for each specified field", "7.4.0", [FIELDS]),
  },
  httl: tells("Returns the TTL in seconds of a hash field."),
  hpttl: tells("Returns the TTL in milliseconds of a hash field."),
  hexpiretime: tells(
    "Returns the expiration time of a hash field as a Unix timestamp, in seconds.",
  ),
  hpexpiretime: tells("Returns the expiration time of a hash field as a Unix timestamp, in msec."),
  hgetdel: {
    info: info(-5, ["RW", "access", "delete"], ["write", "fast"]),
    docs: docs("Returns the value of a field and deletes it from the hash.", "8.0.0", [FIELDS]),
  },
  hgetex: {
    info: info(-5, ["RW", "access", "update"], ["write", "fast"]),
    docs: docs(
      "Get the value of one or more fields of a given hash key, and optionally set their expiration.",
      "8.0.0",
      [expiration("PERSIST"), FIELDS],
    ),
  },
  hsetex: {
    info: info(-6, ["RW", "update"], ["write", "denyoom", "fast"]),
    docs: docs(
      "Set the value of one or more fields of a given hash key, and optionally set their expiration.",
      "8.0.0",
      [FIELD_CONDITION, expiration("KEEPTTL"), FIELDS_AND_VALUES],
    ),
  },
};
