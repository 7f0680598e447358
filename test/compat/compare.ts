import type { Argv } from "./generator.ts";
import { type Decoded, decodeReply } from "../system/resp_client.ts";

/** Clocks of the two servers meet a command this far apart at most, milliseconds. */
const CLOCK_SKEW_MS = 5000;
/** Balsa counts milliseconds up to 2^53 - 1, the year 287396; times beyond are all the same. */
const FAR_MS = 9e15;

/**
 * Whether two replies to `argv` are the same, byte for byte except where README.md of this folder
 * lists a difference that is meant.
 */
export function sameReply(argv: Argv, balsa: string, redis: string): boolean {
  if (balsa === redis) return true;
  const name = (argv[0] ?? "").toLowerCase();
  if (name.startsWith("z")) return sameZset(name, argv, positiveZero(balsa), positiveZero(redis));
  if (name.startsWith("x")) return sameStream(balsa, redis);
  switch (name) {
    case "ttl":
    case "expiretime":
      return closeIntegers(balsa, redis, CLOCK_SKEW_MS / 1000, FAR_MS / 1000);
    case "pttl":
    case "pexpiretime":
      return closeIntegers(balsa, redis, CLOCK_SKEW_MS, FAR_MS);
    case "keys":
      return sameSorted(balsa, redis, []);
    case "scan":
      return sameScan(argv[1], balsa, redis);
    case "sscan":
      return sameScan(argv[2], balsa, redis);
    case "hscan":
      return samePairsScan(argv[2], balsa, redis);
    case "hgetall":
      return samePairs(balsa, redis);
    case "hkeys":
    case "hvals":
    case "smembers":
    case "sinter":
    case "sunion":
    case "sdiff":
    case "spop":
      return sameSorted(balsa, redis, []);
    case "hrandfield":
    case "srandmember":
      return argv.length === 2 ? bothStrings(balsa, redis) : sameLength(balsa, redis);
    case "sort":
    case "sort_ro":
      return sameSort(argv.map((word) => word.toLowerCase()), balsa, redis);
    case "object":
      return argv[1]?.toLowerCase() === "refcount" &&
        /^:[1-9]\d*\r\n:[1-9]\d*\r\n$/.test(balsa + redis);
    case "randomkey":
      return bothStrings(balsa, redis);
    case "lpos":
      return argv.includes("-9223372036854775808") && balsa.startsWith("-ERR value is out of");
    case "command":
      return listsAllCommands(argv) && balsa[0] === "*" && redis[0] === "*";
    case "hello":
      return maskHello(balsa) === maskHello(redis);
    default:
      return false;
  }
}

/** Elements that ALPHA or BY makes equal are in any order, so LIMIT takes any of them. */
function sameSort(words: Argv, balsa: string, redis: string): boolean {
  // Redis takes the errno of an earlier command's number, too small or large, for this one's.
  if (redis.includes("scores can't be converted") && balsa[0] !== "-") return true;
  if (!words.includes("alpha") && !words.includes("by")) return false;
  return words.includes("limit") ? sameLength(balsa, redis) : sameSorted(balsa, redis, []);
}

function sameZset(name: string, argv: Argv, balsa: string, redis: string): boolean {
  if (balsa === redis) return true;
  switch (name) {
    case "zrank":
    case "zrevrank":
      return argv.length > 3 && redis.startsWith("-ERR wrong number of arguments");
    case "zrandmember":
      return argv.length === 2 ? bothStrings(balsa, redis) : sameLength(balsa, redis);
    case "zscan":
      return sameScan(argv[2], balsa, redis);
    case "zrange":
      return argv.slice(2).join() === "0,-1,WITHSCORES" && shortened(balsa) === shortened(redis);
    default:
      return false;
  }
}

/** Equal but for times; Redis may take an old errno for that of an id it cannot make. */
export function sameStream(balsa: string, redis: string): boolean {
  if (balsa.startsWith("-ERR The ID specified in XADD is equal or smaller")) {
    return redis.startsWith("-ERR Elements are too large");
  }
  if (redis.startsWith("-ERR Insufficient memory")) return balsa.startsWith("*3");
  const [ours, theirs] = [withoutTimes(withoutActivity(balsa)), withoutTimes(redis)];
  return ours.text === theirs.text &&
    ours.times.every((time, at) => Math.abs(time - theirs.times[at]) <= CLOCK_SKEW_MS);
}

/** What XINFO tells of consumers, without that of 7.2. */
export function withoutActivity(reply: string): string {
  return reply
    .replace(/(\*10|\*8|%5|%4)(?=\r\n\$4\r\nname\r\n)/g, (head) => {
      return head[0] + String(Number(head.slice(1)) - (head[0] === "*" ? 2 : 1));
    })
    .replace(/\$(?:11\r\nactive-time|8\r\ninactive)\r\n:-?\d+\r\n/g, "");
}

/** Times of deliveries and of consumers' uses, and the reply without them. */
const STREAM_TIMES = [
  /(\*4\r\n\$\d+\r\n[\d-]+\r\n\$\d+\r\n[^]{0,300}?\r\n:)(\d+)(?=\r\n:)/g,
  /(\*3\r\n\$\d+\r\n[\d-]+\r\n:)(\d+)(?=\r\n:)/g,
  /(\$(?:9\r\nseen-time|4\r\nidle)\r\n:)(\d+)/g,
];

function withoutTimes(reply: string): { text: string; times: number[] } {
  const times: number[] = [];
  let text = reply;
  for (const pattern of STREAM_TIMES) {
    text = text.replace(pattern, (_, before, time) => {
      times.push(Number(time));
      return before;
    });
  }
  return { text, times };
}

/** The same with each long number cut to 13 digits: distances that have been stored. */
function shortened(reply: string): string {
  return reply.replace(/(?:\$\d+\r\n|,)(\d+\.\d{9,})\r\n/g, (_, number) => {
    return `${Number(number).toPrecision(13)}\r\n`;
  });
}

/** The same with each score of -0 as 0. */
function positiveZero(reply: string): string {
  return reply.replaceAll("$2\r\n-0\r\n", "$1\r\n0\r\n").replaceAll(",-0\r\n", ",0\r\n");
}

function closeIntegers(a: string, b: string, tolerance: number, far: number): boolean {
  if (!/^:\d+\r\n$/.test(a) || !/^:\d+\r\n$/.test(b)) return false;
  const [left, right] = [a, b].map((raw) => Math.min(Number(raw.slice(1, -2)), far));
  return Math.abs(left - right) <= tolerance;
}

function bothStrings(a: string, b: string): boolean {
  return a[0] === "$" && b[0] === "$" && a[1] !== "-" && b[1] !== "-";
}

/** Names and values, flat: equal but for the order of the pairs. */
function samePairs(a: string, b: string): boolean {
  const sorted = (raw: string): string => JSON.stringify(pairsOf(decodeReply(raw)));
  return /^[*%]/.test(a) && a[0] === b[0] && sorted(a) === sorted(b);
}

function pairsOf(reply: Decoded): string[] {
  const words = (Array.isArray(reply) ? reply : []).map((word) => JSON.stringify(word));
  return words.flatMap((word, at) => (at % 2 === 0 ? [`${word}: ${words[at + 1]}`] : [])).sort();
}

/** A whole iteration of HSCAN, or two pages. */
function samePairsScan(cursor: string, a: string, b: string): boolean {
  const whole = "*2\r\n$1\r\n0\r\n";
  if (cursor !== "0" || !a.startsWith(whole) || !b.startsWith(whole)) {
    return a.startsWith("*2\r\n$") && b.startsWith("*2\r\n$");
  }
  const sorted = (raw: string): string => {
    const [, page] = decodeReply(raw) as Decoded[];
    return JSON.stringify(pairsOf(page));
  };
  return sorted(a) === sorted(b);
}

/** Equal but for the order of the array at `path`. */
function sameSorted(a: string, b: string, path: readonly number[]): boolean {
  const sorted = (raw: string): string => {
    const reply = decodeReply(raw);
    let at: Decoded = reply;
    for (const step of path) at = Array.isArray(at) ? at[step] : null;
    if (Array.isArray(at)) at.sort();
    return JSON.stringify(reply);
  };
  if (!/^[*~]/.test(a) || a[0] !== b[0]) return false;
  return sorted(a) === sorted(b);
}

function sameLength(a: string, b: string): boolean {
  const head = (raw: string) => raw.slice(0, raw.indexOf("\r\n"));
  return /^[*~]/.test(a) && head(a) === head(b);
}

function listsAllCommands(argv: Argv): boolean {
  return argv.length === 1 || (argv.length === 2 && argv[1].toLowerCase() === "info");
}

/** Cursors are each server's own: pages are compared when they are the whole iteration. */
function sameScan(cursor: string, a: string, b: string): boolean {
  const whole = "*2\r\n$1\r\n0\r\n";
  if (cursor === "0" && a.startsWith(whole) && b.startsWith(whole)) return sameSorted(a, b, [1]);
  return a.startsWith("*2\r\n$") && b.startsWith("*2\r\n$");
}

/** HELLO's reply without the version and the connection's number. */
function maskHello(raw: string): string {
  return raw
    .replace(/(\$7\r\nversion\r\n)\$\d+\r\n[^\r]*\r\n/, "$1")
    .replace(/(\$2\r\nid\r\n:)\d+/, "$1");
}
