import type { Bytes } from "../base/bytes.ts";

/** A parameter's type: turns what CONFIG SET gives into the value as CONFIG GET shows it. */
export interface ConfigType {
  /**
   * The value in its canonical form; or in `error` why it is none, in Redis's words. `previous`:
   * the value so far, which what is given may leave in part.
   */
  parse(text: Bytes, previous?: Bytes): { readonly value: Bytes } | { readonly error: string };
}

/** A configuration parameter. */
export interface ConfigParameter {
  readonly name: string;
  /** An older name that works as well. */
  readonly alias?: string;
  /** Before anything is set. */
  readonly value: string;
  readonly type: ConfigType;
  /** Fixed while the node runs. */
  readonly immutable?: boolean | "another value";
}

const INTEGER = /^(?:0|-?[1-9][0-9]*)$/;
/** Redis takes a missing number for 0. */
const MEMORY = /^([0-9]*)([a-z]*)$/;
const UNIT_BYTES: ReadonlyMap<string, bigint> = new Map([
  ["", 1n],
  ["b", 1n],
  ["k", 1000n],
  ["kb", 1024n],
  ["m", 1000n * 1000n],
  ["mb", 1024n * 1024n],
  ["g", 1000n * 1000n * 1000n],
  ["gb", 1024n * 1024n * 1024n],
]);
const INT64_MAX = 9223372036854775807n;
const INT64_MIN = -9223372036854775808n;

function inRange(value: bigint, min: bigint, max: bigint): ReturnType<ConfigType["parse"]> {
  return value >= min && value <= max
    ? { value: String(value) }
    : { error: `argument must be between ${min} and ${max} inclusive` };
}

/** An integer of a range, both ends included. */
export function integer(min: bigint, max: bigint): ConfigType {
  return {
    parse: (text) => {
      const value = INTEGER.test(text) ? BigInt(text) : undefined;
      if (value === undefined || value < INT64_MIN || value > INT64_MAX) {
        return { error: "argument couldn't be parsed into an integer" };
      }
      return inRange(value, min, max);
    },
  };
}

/** A number of bytes, with or without a unit ("1gb"); `kinds`: what else it may be, for errors. */
export function memory(min: bigint, max: bigint, kinds = "memory"): ConfigType {
  return {
    parse: (text) => {
      const match = MEMORY.exec(text.toLowerCase());
      const unit = match === null ? undefined : UNIT_BYTES.get(match[2]);
      if (match === null || unit === undefined) {
        return { error: `argument must be a ${kinds} value` };
      }
      return inRange(BigInt(match[1]) * unit, min, max);
    },
  };
}

/** A number of bytes, or of percent ("10%"). */
export function memoryOrPercent(max: bigint): ConfigType {
  const bytes = memory(0n, max, "memory or percent");
  return {
    parse: (text) => {
      const percent = /^(\d+)%$/.exec(text);
      if (percent === null) return bytes.parse(text);
      return BigInt(percent[1]) <= 100n
        ? { value: `${BigInt(percent[1])}%` }
        : { error: "percentage argument must be less or equal to 100" };
    },
  };
}

/** "yes" or "no". */
export function yesNo(): ConfigType {
  return {
    parse: (text) => {
      const value = text.toLowerCase();
      return value === "yes" || value === "no"
        ? { value }
        : { error: "argument must be 'yes' or 'no'" };
    },
  };
}

/** One of some words. */
export function choice(...words: readonly string[]): ConfigType {
  return {
    parse: (text) => {
      const value = text.toLowerCase();
      return words.includes(value)
        ? { value }
        : { error: `argument(s) must be one of the following: ${words.join(", ")}` };
    },
  };
}

/** Any bytes. */
export function text(): ConfigType {
  return { parse: (value) => ({ value }) };
}

/** The one value of a type that is true of this server. */
export function fixed(only: string, type: ConfigType): ConfigType {
  return {
    parse: (text) => {
      const parsed = type.parse(text);
      if ("error" in parsed || parsed.value === only) return parsed;
      return { error: `only '${only}' is supported` };
    },
  };
}

/** Percentiles, from 0 to 100. */
export function percentiles(): ConfigType {
  return {
    parse: (text) => {
      const numbers = text.split(" ").filter((word) => word !== "").map(Number);
      if (numbers.some(Number.isNaN)) {
        return { error: "Invalid latency-tracking-info-percentiles parameters" };
      }
      if (numbers.some((number) => number < 0 || number > 100)) {
        const range = "parameters should sit between [0.0,100.0]";
        return { error: `latency-tracking-info-percentiles ${range}` };
      }
      return { value: numbers.map(String).join(" ") };
    },
  };
}

/** What a client may leave unread: bytes at most, and bytes for so many seconds; 0: no limit. */
export interface OutputLimit {
  readonly hardBytes: number;
  readonly softBytes: number;
  readonly softSeconds: number;
}

/** The classes of clients, in the order told, each with the names that set it. */
const CLIENT_CLASSES: readonly (readonly [name: string, alias: string])[] = [
  ["normal", "normal"],
  ["slave", "replica"],
  ["pubsub", "pubsub"],
];
const NO_OUTPUT_LIMIT: OutputLimit = { hardBytes: 0, softBytes: 0, softSeconds: 0 };

/** The limits that a value of `client-output-buffer-limit` in its canonical form has. */
export function parseOutputLimits(text: Bytes): ReadonlyMap<string, OutputLimit> {
  const words = text.split(" ");
  const limits = new Map<string, OutputLimit>();
  for (let at = 0; at + 3 < words.length; at += 4) {
    const [hardBytes, softBytes, softSeconds] = words.slice(at + 1, at + 4).map(Number);
    limits.set(words[at], { hardBytes, softBytes, softSeconds });
  }
  return limits;
}

/** Limits of clients' unread replies; `previous`: those of the classes that are not named. */
export function outputLimits(defaults: Bytes): ConfigType {
  return {
    parse: (text, previous = defaults) => {
      const words = text.split(" ").filter((word) => word !== "");
      if (words.length === 0 || words.length % 4 !== 0) {
        return { error: "Wrong number of arguments in buffer limit configuration." };
      }
      const limits = new Map(parseOutputLimits(previous));
      for (let at = 0; at < words.length; at += 4) {
        const name = words[at].toLowerCase();
        const found = CLIENT_CLASSES.find((each) => each.includes(name));
        if (found === undefined) {
          return { error: "Invalid client class specified in buffer limit configuration." };
        }
        const [hardBytes, softBytes] = words.slice(at + 1, at + 3).map(memoryBytes);
        const softSeconds = INTEGER.test(words[at + 3]) ? Number(words[at + 3]) : -1;
        if (hardBytes === undefined || softBytes === undefined || softSeconds < 0) {
          return {
            error: "Error in hard, soft or soft_seconds setting in buffer limit configuration.",
          };
        }
        limits.set(found[0], { hardBytes, softBytes, softSeconds });
      }
      const parts = CLIENT_CLASSES.map(([name]) => {
        const { hardBytes, softBytes, softSeconds } = limits.get(name) ?? NO_OUTPUT_LIMIT;
        return `${name} ${hardBytes} ${softBytes} ${softSeconds}`;
      });
      return { value: parts.join(" ") };
    },
  };
}

/** A number of bytes with or without a unit; undefined when it is none. */
function memoryBytes(text: Bytes): number | undefined {
  const match = MEMORY.exec(text.toLowerCase());
  const unit = match === null ? undefined : UNIT_BYTES.get(match[2]);
  return match === null || unit === undefined ? undefined : Number(BigInt(match[1]) * unit);
}

/** The event classes of keyspace notifications that "A" stands for, in the order told. */
const ALL_CLASSES = "g$lshzxetd";
const OTHER_CLASSES = "KEm";
/** New keys: not part of "A", and not told beside it. */
const NEW_KEYS = "n";

/** The classes of keyspace notifications, each a letter. */
export function eventClasses(): ConfigType {
  return {
    parse: (text) => {
      const letters = new Set<string>();
      for (const letter of text) {
        if (letter === "A") { for (const each of ALL_CLASSES) letters.add(each); }
        else if ((ALL_CLASSES + OTHER_CLASSES + NEW_KEYS).includes(letter)) letters.add(letter);
        else {
          return { error: "Invalid event class character. Use 'Ag$lshzxeKEtmdn'." };
        }
      }
      const kept = (of: string) => [...of].filter((letter) => letters.has(letter)).join("");
      const classes = kept(ALL_CLASSES) === ALL_CLASSES ? "A" : kept(ALL_CLASSES + NEW_KEYS);
      return { value: classes + kept(OTHER_CLASSES) };
    },
  };
}
