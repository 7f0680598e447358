import { cos } from "./trigonometry.ts";

/*
 * Cells of the earth: longitude and latitude are each cut in 2^step parts, whose numbers' bits are
 * woven into one, those of the longitude before those of the latitude. A score has step 26.
 */

export const LONGITUDE_MAX = 180;
/** Limits of EPSG:900913: the poles are in no cell. */
export const LATITUDE_MAX = 85.05112878;
const STEP_MAX = 26;
const EARTH_RADIUS_METERS = 6372797.560856;
const RADIANS = Math.PI / 180;
const MERCATOR_MAX = 20037726.37;

export interface Position {
  readonly longitude: number;
  readonly latitude: number;
}

/** Numbers of the parts. */
interface Cell {
  readonly x: number;
  readonly y: number;
  readonly step: number;
}

interface Area {
  readonly minLongitude: number;
  readonly maxLongitude: number;
  readonly minLatitude: number;
  readonly maxLatitude: number;
}

/** The cell of a position; `latitudeMax`: what the latitudes go up to. */
function cellOf({ longitude, latitude }: Position, step: number, latitudeMax = LATITUDE_MAX): Cell {
  const parts = 2 ** step;
  return {
    x: Math.floor(((longitude + LONGITUDE_MAX) / (2 * LONGITUDE_MAX)) * parts),
    y: Math.floor(((latitude + latitudeMax) / (2 * latitudeMax)) * parts),
    step,
  };
}

function areaOf({ x, y, step }: Cell): Area {
  const parts = 2 ** step;
  const at = (part: number, max: number) => -max + (part / parts) * (2 * max);
  return {
    minLongitude: at(x, LONGITUDE_MAX),
    maxLongitude: at((x + 1) % 2 ** 32, LONGITUDE_MAX),
    minLatitude: at(y, LATITUDE_MAX),
    maxLatitude: at((y + 1) % 2 ** 32, LATITUDE_MAX),
  };
}

/** The score that stands for a position. */
export function scoreOf(position: Position): number {
  return weave(cellOf(position, STEP_MAX));
}

/** The middle of the cell that a score stands for; any score stands for one. */
export function positionOf(score: number): Position {
  const [high, low] = unsignedWords(score);
  const cell = {
    x: gather(high >>> 1) * 65536 + gather(low >>> 1),
    y: gather(high) * 65536 + gather(low),
    step: STEP_MAX,
  };
  const area = areaOf(cell);
  return {
    longitude: clamp((area.minLongitude + area.maxLongitude) / 2, LONGITUDE_MAX),
    latitude: clamp((area.minLatitude + area.maxLatitude) / 2, LATITUDE_MAX),
  };
}

function clamp(value: number, max: number): number {
  return Math.max(-max, Math.min(max, value));
}

const ALPHABET = "0123456789bcdefghjkmnpqrstuvwxyz";

/** The standard geohash of a position, whose latitudes go up to 90, in 11 characters. */
export function geohashText(position: Position): string {
  const cell = BigInt(weave(cellOf(position, STEP_MAX, 90)));
  let text = "";
  for (let shift = 47n; shift > 0n; shift -= 5n) text += ALPHABET[Number((cell >> shift) & 31n)];
  return text + "0";
}

/** The two numbers' bits in turn, the first of x before the first of y. */
function weave({ x, y }: Cell): number {
  const high = spread(Math.floor(x / 65536)) * 2 + spread(Math.floor(y / 65536));
  return high * 2 ** 32 + (spread(x % 65536) * 2 + spread(y % 65536));
}

/** 16 bits, each with a 0 before it. */
function spread(bits: number): number {
  let wide = bits;
  wide = (wide | (wide << 8)) & 0x00ff00ff;
  wide = (wide | (wide << 4)) & 0x0f0f0f0f;
  wide = (wide | (wide << 2)) & 0x33333333;
  return ((wide | (wide << 1)) & 0x55555555) >>> 0;
}

/** Every second bit of 32, from the last on. */
function gather(bits: number): number {
  let dense = bits & 0x55555555;
  dense = (dense | (dense >>> 1)) & 0x33333333;
  dense = (dense | (dense >>> 2)) & 0x0f0f0f0f;
  dense = (dense | (dense >>> 4)) & 0x00ff00ff;
  return (dense | (dense >>> 8)) & 0xffff;
}

/** A double as an unsigned 64-bit integer, in two words, as a processor of today converts it. */
function unsignedWords(score: number): [number, number] {
  if (score >= 0 && score < 2 ** 53) {
    const whole = Math.floor(score);
    return [Math.floor(whole / 2 ** 32), whole >>> 0];
  }
  if (score >= 2 ** 64) return [0, 0];
  if (score < -(2 ** 63)) return [0x80000000, 0];
  const whole = BigInt.asUintN(64, BigInt(Math.trunc(score)));
  return [Number(whole >> 32n), Number(whole & 0xffffffffn)];
}

/** What is searched: a circle, or a rectangle of this width and height, around its middle. */
export interface Shape extends Position {
  /** How many meters a unit of the others is. */
  readonly unitMeters: number;
  /** Undefined for a rectangle. */
  readonly radius: number | undefined;
  readonly width: number;
  readonly height: number;
}

/** From one score up to, but not, another. */
export interface ScoreSpan {
  readonly from: number;
  readonly to: number;
}

/** The scores that may stand for positions inside a shape, in the order in which Redis looks. */
export function spansOf(shape: Shape): ScoreSpan[] {
  const { longitude, latitude, unitMeters, radius, width, height } = shape;
  const bounds = boundsOf(shape);
  const reach = unitMeters *
    (radius ?? Math.sqrt((width / 2) * (width / 2) + (height / 2) * (height / 2)));
  let cell = cellOf(shape, stepOf(reach, latitude));
  if (cell.step > 1 && !neighboursCover(cell, bounds)) {
    cell = cellOf({ longitude, latitude }, cell.step - 1);
  }
  const spans: ScoreSpan[] = [];
  let last: Cell | undefined;
  for (const [i, near] of cellsAround(cell, bounds).entries()) {
    if (near === undefined) continue;
    // Of huge shapes several neighbours are the same.
    if (last !== undefined && near.x === last.x && near.y === last.y) continue;
    const size = 2 ** (2 * (STEP_MAX - near.step));
    const woven = weave(near);
    spans.push({ from: woven * size, to: (woven + 1) * size });
    if (i > 0) last = near;
  }
  return spans;
}

/** The step of cells that are about as large as a reach in meters. */
function stepOf(reachMeters: number, latitude: number): number {
  if (reachMeters === 0) return STEP_MAX;
  let step = -1;
  for (let reach = reachMeters; reach < MERCATOR_MAX; reach *= 2) step++;
  if (Math.abs(latitude) > 66) step--;
  if (Math.abs(latitude) > 80) step--;
  return Math.max(1, Math.min(STEP_MAX, step));
}

function boundsOf({ longitude, latitude, unitMeters, radius, width, height }: Shape): Area {
  const reachY = unitMeters * (radius ?? height / 2);
  const reachX = unitMeters * (radius ?? width / 2);
  const deltaLatitude = reachY / EARTH_RADIUS_METERS / RADIANS;
  const nearest = latitude < 0 ? latitude - deltaLatitude : latitude + deltaLatitude;
  const deltaLongitude = reachX / EARTH_RADIUS_METERS / cos(nearest * RADIANS) / RADIANS;
  return {
    minLongitude: longitude - deltaLongitude,
    maxLongitude: longitude + deltaLongitude,
    minLatitude: latitude - deltaLatitude,
    maxLatitude: latitude + deltaLatitude,
  };
}

function neighboursCover(cell: Cell, bounds: Area): boolean {
  return !(areaOf(neighbour(cell, 0, 1)).maxLatitude < bounds.maxLatitude ||
    areaOf(neighbour(cell, 0, -1)).minLatitude > bounds.minLatitude ||
    areaOf(neighbour(cell, 1, 0)).maxLongitude < bounds.maxLongitude ||
    areaOf(neighbour(cell, -1, 0)).minLongitude > bounds.minLongitude);
}

function neighbour({ x, y, step }: Cell, right: number, up: number): Cell {
  const parts = 2 ** step;
  const moved = (part: number, by: number) => by === 0 ? part : (part + by + parts) % parts;
  return { x: moved(x, right), y: moved(y, up), step };
}

/** The cell and its neighbours; undefined for those that the bounds do not reach. */
function cellsAround(cell: Cell, bounds: Area): (Cell | undefined)[] {
  const area = areaOf(cell);
  const all = cell.step < 2;
  const isWanted = (right: number, up: number) =>
    all || !((up < 0 && area.minLatitude < bounds.minLatitude) ||
      (up > 0 && area.maxLatitude > bounds.maxLatitude) ||
      (right < 0 && area.minLongitude < bounds.minLongitude) ||
      (right > 0 && area.maxLongitude > bounds.maxLongitude));
  const moves = [[0, 0], [0, 1], [0, -1], [1, 0], [-1, 0], [1, 1], [-1, 1], [1, -1], [-1, -1]];
  return moves.map(([right, up]) => isWanted(right, up) ? neighbour(cell, right, up) : undefined);
}
