import type { Bytes } from "../base/bytes.ts";
import { err, ErrorReply, NOT_INTEGER, type Reply, SYNTAX_ERROR } from "../resp/reply.ts";
import type { SortedSetOperations } from "../storage/collections.ts";
import type { Command } from "./command.ts";
import type { DataContext } from "./data_context.ts";
import { type DataRun, FIRST_KEY, readCommand, TWO_KEYS, writeCommand } from "./define.ts";
import { formatDistance, memberPosition, positionReply } from "./geo.ts";
import { parseBox, parsePosition, parseRadius, type ShapeSize } from "./geo_arguments.ts";
import { distanceInside } from "./geo_distance.ts";
import { type Position, positionOf, type Shape, spansOf } from "./geohash.ts";
import { optionName, parseOffset } from "./parse.ts";
import { partialSort } from "./partial_sort.ts";
import { storeSortedSet } from "./zset_store.ts";

const NO_MEMBER = err("could not decode requested zset member");
const COUNT_NOT_POSITIVE = err("COUNT must be > 0");
const ANY_WITHOUT_COUNT = err("the ANY argument requires COUNT argument");

/** What the name of a command says of its arguments. */
interface Form {
  /** "longitude latitude radius unit" or "member radius unit" follow the key; else options. */
  readonly fixed: "position" | "member" | undefined;
  /** STORE and STOREDIST are options; or the destination stands before the key. */
  readonly stores: "option" | "first" | undefined;
}

type Order = "asc" | "desc" | "none";

interface Request {
  from: Position | undefined;
  isFromMember: boolean;
  size: ShapeSize | undefined;
  withDist: boolean;
  withHash: boolean;
  withCoord: boolean;
  order: Order;
  /** 0: no limit. */
  count: number;
  any: boolean;
  storeKey: Bytes | undefined;
  storeDistance: boolean;
}

/** What FROMMEMBER and the like stand for while there is no sorted set. */
const NOWHERE: Position = { longitude: 0, latitude: 0 };
const NO_SIZE: ShapeSize = { unitMeters: 1, radius: 0, width: 0, height: 0 };

/**
 * GEOSEARCH key FROMMEMBER member|FROMLONLAT longitude latitude
 * BYRADIUS radius unit|BYBOX width height unit [ASC|DESC] [COUNT count [ANY]]
 * [WITHCOORD] [WITHDIST] [WITHHASH]; GEOSEARCHSTORE destination source … [STOREDIST];
 * GEORADIUS key longitude latitude radius unit …; GEORADIUSBYMEMBER key member radius unit ….
 */
function search(form: Form): DataRun {
  const keyAt = form.stores === "first" ? 2 : 1;
  return (context, argv) => {
    const zset = context.read(argv[keyAt], "zset");
    if (zset instanceof ErrorReply) return zset;
    const request: Request = {
      from: undefined,
      isFromMember: false,
      size: undefined,
      withDist: false,
      withHash: false,
      withCoord: false,
      order: "none",
      count: 0,
      any: false,
      storeKey: form.stores === "first" ? argv[1] : undefined,
      storeDistance: false,
    };
    const error = parseFixed(argv, form, zset, request) ??
      parseOptions(argv, form, zset, request) ?? conflictIn(argv, form, request);
    if (error !== undefined) return error;
    const { from, size, storeKey } = request;
    if (zset === undefined || from === undefined || size === undefined) {
      return storeKey === undefined ? [] : storeSortedSet(context, storeKey, [], "");
    }
    const shape = { ...from, ...size };
    const points = sorted(pointsInside(zset, shape, request.any ? request.count : 0), request);
    if (storeKey === undefined) return points.map((point) => pointReply(point, shape, request));
    return storePoints(context, storeKey, points, shape, form, request);
  };
}

/** What stands before the options, if anything does. */
function parseFixed(
  argv: readonly Bytes[],
  { fixed }: Form,
  zset: SortedSetOperations | undefined,
  request: Request,
): ErrorReply | undefined {
  if (fixed === undefined) return undefined;
  if (fixed === "member" && zset === undefined) {
    [request.from, request.size] = [NOWHERE, NO_SIZE];
    return undefined;
  }
  const from = fixed === "position"
    ? parsePosition(argv, 2)
    : memberPosition(zset, argv[2]) ?? NO_MEMBER;
  if (from instanceof ErrorReply) return from;
  const size = parseRadius(argv, fixed === "position" ? 4 : 3);
  if (size instanceof ErrorReply) return size;
  [request.from, request.size] = [from, size];
  return undefined;
}

function parseOptions(
  argv: readonly Bytes[],
  form: Form,
  zset: SortedSetOperations | undefined,
  request: Request,
): ErrorReply | undefined {
  let i = form.fixed === "position" ? 6 : form.fixed === "member" ? 5 : form.stores ? 3 : 2;
  while (i < argv.length) {
    const name = optionName(argv[i]);
    const left = argv.length - i - 1;
    if (name === "withdist") request.withDist = true;
    else if (name === "withhash") request.withHash = true;
    else if (name === "withcoord") request.withCoord = true;
    else if (name === "any") request.any = true;
    else if (name === "asc" || name === "desc") request.order = name;
    else if (name === "count" && left > 0) {
      const count = parseOffset(argv[++i]);
      if (count === undefined) return NOT_INTEGER;
      if (count <= 0) return COUNT_NOT_POSITIVE;
      request.count = count;
    } else if ((name === "store" || name === "storedist") && form.stores === "option" && left > 0) {
      request.storeKey = argv[++i];
      request.storeDistance = name === "storedist";
    } else if (name === "storedist" && form.stores === "first") request.storeDistance = true;
    else {
      const words = form.fixed === undefined ? parseShapeOption(argv, i, zset, request) : 0;
      if (words instanceof ErrorReply) return words;
      if (words === 0) return SYNTAX_ERROR;
      i += words - 1;
    }
    i++;
  }
  return undefined;
}

/** How many words an option that says where to search takes; 0 when it is none. */
function parseShapeOption(
  argv: readonly Bytes[],
  at: number,
  zset: SortedSetOperations | undefined,
  request: Request,
): number | ErrorReply {
  const name = optionName(argv[at]);
  const left = argv.length - at - 1;
  const { from, isFromMember, size } = request;
  if (name === "frommember" && left >= 1 && (from === undefined || isFromMember)) {
    const position = zset === undefined ? NOWHERE : memberPosition(zset, argv[at + 1]);
    if (position === undefined) return NO_MEMBER;
    [request.from, request.isFromMember] = [position, true];
    return 2;
  }
  if (name === "fromlonlat" && left >= 2 && !isFromMember) {
    const position = parsePosition(argv, at + 1);
    if (position instanceof ErrorReply) return position;
    request.from = position;
    return 3;
  }
  const isBox = name === "bybox";
  if (name !== "byradius" && !isBox) return 0;
  if (left < (isBox ? 3 : 2)) return 0;
  if (size !== undefined && (size.radius === undefined) !== isBox) return 0;
  const parsed = isBox ? parseBox(argv, at + 1) : parseRadius(argv, at + 1);
  if (parsed instanceof ErrorReply) return parsed;
  request.size = parsed;
  return isBox ? 4 : 3;
}

/** Options that do not go together, or lack. */
function conflictIn(
  argv: readonly Bytes[],
  form: Form,
  { from, size, withDist, withHash, withCoord, count, any, storeKey }: Request,
): ErrorReply | undefined {
  if (storeKey !== undefined && (withDist || withHash || withCoord)) {
    const name = form.stores === "first" ? "GEOSEARCHSTORE" : "STORE option in GEORADIUS";
    return err(`${name} is not compatible with WITHDIST, WITHHASH and WITHCOORD options`);
  }
  const command = argv[0];
  if (from === undefined) {
    return err(`exactly one of FROMMEMBER or FROMLONLAT can be specified for ${command}`);
  }
  if (size === undefined) {
    return err(`exactly one of BYRADIUS and BYBOX can be specified for ${command}`);
  }
  return any && count === 0 ? ANY_WITHOUT_COUNT : undefined;
}

/** A member that was found. */
interface Point {
  readonly name: Bytes;
  readonly score: number;
  readonly position: Position;
  readonly meters: number;
}

/** The members inside a shape; with a limit, the search ends when so many are found. */
function pointsInside(zset: SortedSetOperations, shape: Shape, limit: number): Point[] {
  const points: Point[] = [];
  for (const { from, to } of spansOf(shape)) {
    const members = zset.range(zset.countBelow(from, false), zset.countBelow(to, false) - 1);
    for (const { name, score } of members) {
      const position = positionOf(score);
      const meters = distanceInside(shape, position);
      if (meters !== undefined) points.push({ name, score, position, meters });
      if (limit > 0 && points.length >= limit) return points;
    }
  }
  return points;
}

/** In the wanted order, and no more than wanted. A count without an order is of the nearest. */
function sorted(points: Point[], { order, count, any }: Request): Point[] {
  const wanted = count === 0 ? points.length : Math.min(count, points.length);
  if (order !== "none" || (count > 0 && !any)) {
    const compare = order === "desc" ? (a: Point, b: Point) => compareMeters(b, a) : compareMeters;
    if (wanted === points.length) points.sort(compare);
    else partialSort(points, wanted, compare);
  }
  return points.slice(0, wanted);
}

function compareMeters(a: Point, b: Point): number {
  return a.meters > b.meters ? 1 : a.meters === b.meters ? 0 : -1;
}

function pointReply(
  { name, score, position, meters }: Point,
  { unitMeters }: Shape,
  { withDist, withHash, withCoord }: Request,
): Reply {
  if (!withDist && !withHash && !withCoord) return name;
  const reply: Reply[] = [name];
  if (withDist) reply.push(formatDistance(meters / unitMeters));
  if (withHash) reply.push(Math.trunc(score));
  if (withCoord) reply.push(positionReply(position));
  return reply;
}

function storePoints(
  context: DataContext,
  key: Bytes,
  points: readonly Point[],
  { unitMeters }: Shape,
  form: Form,
  { storeDistance }: Request,
): number {
  const members = points.map(({ name, score, meters }) => ({
    name,
    score: storeDistance ? meters / unitMeters : score,
  }));
  const event = form.stores === "first" ? "geosearchstore" : "georadiusstore";
  return storeSortedSet(context, key, members, event);
}

const GEOSEARCH: Form = { fixed: undefined, stores: undefined };
const GEOSEARCHSTORE: Form = { fixed: undefined, stores: "first" };
const GEORADIUS: Form = { fixed: "position", stores: "option" };
const GEORADIUS_RO: Form = { fixed: "position", stores: undefined };
const BY_MEMBER: Form = { fixed: "member", stores: "option" };
const BY_MEMBER_RO: Form = { fixed: "member", stores: undefined };

/** The commands that search for positions. */
export const geoSearchCommands: readonly Command[] = [
  readCommand("geosearch", -7, search(GEOSEARCH), FIRST_KEY),
  writeCommand("geosearchstore", -8, search(GEOSEARCHSTORE), TWO_KEYS),
  writeCommand("georadius", -6, search(GEORADIUS), FIRST_KEY),
  readCommand("georadius_ro", -6, search(GEORADIUS_RO), FIRST_KEY),
  writeCommand("georadiusbymember", -5, search(BY_MEMBER), FIRST_KEY),
  readCommand("georadiusbymember_ro", -5, search(BY_MEMBER_RO), FIRST_KEY),
];
