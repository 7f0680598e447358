import type { Bytes } from "../base/bytes.ts";
import { DoubleReply, ErrorReply, NIL_ARRAY, type Reply, SYNTAX_ERROR } from "../resp/reply.ts";
import type { SortedSetOperations } from "../storage/collections.ts";
import type { Command } from "./command.ts";
import type { DataContext } from "./data_context.ts";
import { FIRST_KEY, readCommand, writeCommand } from "./define.ts";
import { formatHumanDouble } from "./format_float.ts";
import { parsePosition, parseUnit } from "./geo_arguments.ts";
import { distanceMeters } from "./geo_distance.ts";
import { geohashText, type Position, positionOf, scoreOf } from "./geohash.ts";
import { optionName } from "./parse.ts";
import { addMembers } from "./zset.ts";

/** GEOADD key [NX|XX] [CH] longitude latitude member [longitude latitude member ...] */
function geoadd(context: DataContext, argv: readonly Bytes[]): Reply {
  const options = { nx: false, xx: false, gt: false, lt: false, ch: false, incr: false };
  let first = 2;
  for (; first < argv.length; first++) {
    const name = optionName(argv[first]);
    if (name !== "nx" && name !== "xx" && name !== "ch") break;
    options[name] = true;
  }
  const count = argv.length - first;
  if (count % 3 !== 0 || (options.nx && options.xx)) return SYNTAX_ERROR;
  const scores: number[] = [];
  for (let i = first; i < argv.length; i += 3) {
    const position = parsePosition(argv, i);
    if (position instanceof ErrorReply) return position;
    scores.push(scoreOf(position));
  }
  if (count === 0) return SYNTAX_ERROR;
  return addMembers(context, argv[1], options, scores, (at) => argv[first + 3 * at + 2]);
}

/** GEODIST key member1 member2 [M|KM|FT|MI] */
function geodist(context: DataContext, argv: readonly Bytes[]): Reply {
  const unitMeters = argv.length === 5 ? parseUnit(argv[4]) : 1;
  if (unitMeters instanceof ErrorReply) return unitMeters;
  if (argv.length > 5) return SYNTAX_ERROR;
  const zset = context.read(argv[1], "zset");
  if (zset instanceof ErrorReply) return zset;
  const [from, to] = [memberPosition(zset, argv[2]), memberPosition(zset, argv[3])];
  if (from === undefined || to === undefined) return null;
  return formatDistance(distanceMeters(from, to) / unitMeters);
}

/** GEOHASH key [member ...] */
function geohash(context: DataContext, argv: readonly Bytes[]): Reply {
  const zset = context.read(argv[1], "zset");
  if (zset instanceof ErrorReply) return zset;
  return argv.slice(2).map((member) => {
    const position = memberPosition(zset, member);
    return position === undefined ? null : geohashText(position);
  });
}

/** GEOPOS key [member ...] */
function geopos(context: DataContext, argv: readonly Bytes[]): Reply {
  const zset = context.read(argv[1], "zset");
  if (zset instanceof ErrorReply) return zset;
  return argv.slice(2).map((member) => {
    const position = memberPosition(zset, member);
    return position === undefined ? NIL_ARRAY : positionReply(position);
  });
}

/** Where a member is; undefined when there is none. */
export function memberPosition(
  zset: SortedSetOperations | undefined,
  member: Bytes,
): Position | undefined {
  const score = zset?.score(member);
  return score === undefined ? undefined : positionOf(score);
}

/** A position as clients get it. */
export function positionReply({ longitude, latitude }: Position): Reply {
  return [longitude, latitude].map((value) => new DoubleReply(formatHumanDouble(value)));
}

/** A distance with four decimals; what is no number as Redis shows it. */
export function formatDistance(distance: number): Bytes {
  const scaled = distance * 10_000;
  if (!(scaled < 2 ** 63)) return "-922337203685477.5808";
  const digits = BigInt(roundHalfEven(scaled)).toString().padStart(5, "0");
  return `${digits.slice(0, -4)}.${digits.slice(-4)}`;
}

function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return rest < 0.5 ? floor : floor + 1;
  return floor % 2 === 0 ? floor : floor + 1;
}

/** The commands on positions, but those that search. */
export const geoCommands: readonly Command[] = [
  writeCommand("geoadd", -5, geoadd, FIRST_KEY),
  readCommand("geodist", -4, geodist, FIRST_KEY),
  readCommand("geohash", -2, geohash, FIRST_KEY),
  readCommand("geopos", -2, geopos, FIRST_KEY),
];
