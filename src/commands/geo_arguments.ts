import type { Bytes } from "../base/bytes.ts";
import { err, ErrorReply, NOT_FLOAT } from "../resp/reply.ts";
import { parseDouble } from "./double.ts";
import { formatSixDecimals } from "./format_float.ts";
import { LATITUDE_MAX, LONGITUDE_MAX, type Position } from "./geohash.ts";
import { optionName } from "./parse.ts";

const NO_RADIUS = err("need numeric radius");
const NEGATIVE_RADIUS = err("radius cannot be negative");
const NO_WIDTH = err("need numeric width");
const NO_HEIGHT = err("need numeric height");
const NEGATIVE_SIZE = err("height or width cannot be negative");
const NO_UNIT = err("unsupported unit provided. please use M, KM, FT, MI");

const UNITS_METERS: ReadonlyMap<string, number> = new Map([
  ["m", 1],
  ["km", 1000],
  ["ft", 0.3048],
  ["mi", 1609.34],
]);

/** The position that two arguments from argv[at] on give, or Redis's error. */
export function parsePosition(argv: readonly Bytes[], at: number): Position | ErrorReply {
  const longitude = parseDouble(argv[at]);
  if (longitude === undefined) return NOT_FLOAT;
  const latitude = parseDouble(argv[at + 1]);
  if (latitude === undefined) return NOT_FLOAT;
  if (Math.abs(longitude) > LONGITUDE_MAX || Math.abs(latitude) > LATITUDE_MAX) {
    const shown = `${formatSixDecimals(longitude)},${formatSixDecimals(latitude)}`;
    return err(`invalid longitude,latitude pair ${shown}`);
  }
  return { longitude, latitude };
}

/** How many meters a unit is, or Redis's error. */
export function parseUnit(text: Bytes): number | ErrorReply {
  return UNITS_METERS.get(optionName(text)) ?? NO_UNIT;
}

/** The sizes of a shape that arguments give. */
export interface ShapeSize {
  readonly unitMeters: number;
  readonly radius: number | undefined;
  readonly width: number;
  readonly height: number;
}

/** "radius unit" from argv[at] on, or Redis's error. */
export function parseRadius(argv: readonly Bytes[], at: number): ShapeSize | ErrorReply {
  const radius = parseDouble(argv[at]);
  if (radius === undefined) return NO_RADIUS;
  if (radius < 0) return NEGATIVE_RADIUS;
  const unitMeters = parseUnit(argv[at + 1]);
  if (unitMeters instanceof ErrorReply) return unitMeters;
  return { unitMeters, radius, width: 0, height: 0 };
}

/** "width height unit" from argv[at] on, or Redis's error. */
export function parseBox(argv: readonly Bytes[], at: number): ShapeSize | ErrorReply {
  const width = parseDouble(argv[at]);
  if (width === undefined) return NO_WIDTH;
  const height = parseDouble(argv[at + 1]);
  if (height === undefined) return NO_HEIGHT;
  if (width < 0 || height < 0) return NEGATIVE_SIZE;
  const unitMeters = parseUnit(argv[at + 2]);
  if (unitMeters instanceof ErrorReply) return unitMeters;
  return { unitMeters, radius: undefined, width, height };
}
