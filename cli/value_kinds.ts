import * as v from "valibot";
import { hostPort } from "../src/runtime/listen_error.ts";
import { parseAddress } from "./peer_address.ts";

/**
 * A kind of value that a flag takes. Text from the command line and the environment first passes
 * `fromText`; what comes out, like the JSON value of a configuration file, is checked by `schema`.
 */
export interface ValueKind<T> {
  /** Shown in the help: "PORT"; "" for a switch that takes no value. */
  readonly placeholder: string;
  readonly fromText: (text: string) => unknown;
  readonly schema: v.GenericSchema<unknown, T>;
}

/** Any text. */
export function text(placeholder: string): ValueKind<string> {
  return { placeholder, fromText: (value) => value, schema: v.string("must be text") };
}

/** Text that is not empty. */
export function name(placeholder: string): ValueKind<string> {
  return {
    placeholder,
    fromText: (value) => value,
    schema: v.pipe(v.string("must be text"), v.nonEmpty("must not be empty")),
  };
}

/** One of a few words. */
export function choice<const W extends readonly string[]>(...words: W): ValueKind<W[number]> {
  const message = `must be one of ${words.join(", ")}`;
  return {
    placeholder: words.join("|"),
    fromText: (value) => value,
    schema: v.picklist(words, message) as v.GenericSchema<unknown, W[number]>,
  };
}

/** A whole number, `min` to `max`. */
export function integer(placeholder: string, min: number, max: number): ValueKind<number> {
  const message = `must be a whole number from ${min} to ${max}`;
  return {
    placeholder,
    fromText: numberFromText,
    schema: v.pipe(
      v.number(message),
      v.integer(message),
      v.minValue(min, message),
      v.maxValue(max, message),
    ),
  };
}

/** A TCP port, 0 to 65535. */
export function port(): ValueKind<number> {
  return integer("PORT", 0, 65_535);
}

/** A TCP port, or the word `auto`. */
export function portOrAuto(): ValueKind<number | "auto"> {
  const message = "must be a port from 0 to 65535, or auto";
  return {
    placeholder: "PORT",
    fromText: numberFromText,
    schema: v.union([v.literal("auto"), port().schema], message),
  };
}

/** Peer addresses, "HOST:PORT", separated by commas; in a file also an array of them. */
export function peerAddresses(): ValueKind<readonly string[]> {
  const message = "must be HOST:PORT, or several separated by commas, such as 10.0.0.1:16379";
  return {
    placeholder: "HOST:PEERPORT[,…]",
    fromText: (value) => value,
    schema: v.pipe(
      v.union([v.string(), v.array(v.string())], message),
      v.transform((value) => typeof value === "string" ? value.split(",") : value),
      v.transform((list) => list.map((item) => normalAddress(item.trim(), false))),
      v.array(v.string(message), message),
      v.minLength(1, message),
    ),
  };
}

/** Addresses, "HOST:PORT" or "HOST" with this port, separated by commas. */
export function addresses(placeholder: string, port: number): ValueKind<readonly string[]> {
  const message = "must be HOST:PORT, or several separated by commas, such as 127.0.0.1:6379";
  const withPort = (text: string): string | undefined => {
    const address = parseAddress(text, true);
    return address && hostPort(address.host, address.port === 0 ? port : address.port);
  };
  return {
    placeholder,
    fromText: (value) => value,
    schema: v.pipe(
      v.string(message),
      v.transform((value) => value.split(",").map((item) => withPort(item.trim()))),
      v.array(v.string(message), message),
      v.minLength(1, message),
    ),
  };
}

/** One peer address to be reached at, "HOST" or "HOST:PORT". */
export function advertisedAddress(): ValueKind<string> {
  const message = "must be HOST or HOST:PORT, an IPv6 address [ADDRESS]:PORT";
  return {
    placeholder: "HOST[:PORT]",
    fromText: (value) => value,
    schema: v.pipe(
      v.string(message),
      v.check(
        (value) => !/^\[?::\]?$/.test(value),
        "is no address that other nodes can connect to",
      ),
      v.transform((value) => normalAddress(value, true)),
      v.string(message),
    ),
  };
}

function normalAddress(text: string, isPortOptional: boolean): string | undefined {
  const address = parseAddress(text, isPortOptional);
  if (address === undefined || address.port === 0) return address?.host;
  return hostPort(address.host, address.port);
}

/** A length of time, in milliseconds: "500ms", "10s", "5m", "1h"; a bare number is seconds. */
export function duration(minMs = 0): ValueKind<number> {
  const message = "must be a length of time, such as 500ms, 10s or 5m (a bare number is seconds)";
  const maxMs = 2 ** 31 - 1; // the longest timer
  return {
    placeholder: "TIME",
    fromText: numberFromText,
    schema: v.pipe(
      v.union([v.number(), v.string()], message),
      v.transform((value) => typeof value === "number" ? value * 1000 : durationMs(value)),
      v.number(message),
      v.minValue(minMs, minMs === 0 ? message : `must be ${minMs}ms or longer`),
      v.maxValue(maxMs, "must be shorter than 24 days"),
      v.transform(Math.round),
    ),
  };
}

/** On or off. On the command line its presence means on. */
export function toggle(): ValueKind<boolean> {
  return {
    placeholder: "",
    fromText: (value) => TOGGLE_WORDS.get(value.toLowerCase()) ?? value,
    schema: v.boolean("must be true or false"),
  };
}

const TOGGLE_WORDS = new Map([
  ["1", true],
  ["true", true],
  ["yes", true],
  ["on", true],
  ["0", false],
  ["false", false],
  ["no", false],
  ["off", false],
]);

function numberFromText(value: string): unknown {
  return /^\d{1,15}$/.test(value) ? Number(value) : value;
}

const UNIT_MS: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

function durationMs(value: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(value);
  return match === null ? NaN : Number(match[1]) * UNIT_MS[match[2]];
}
