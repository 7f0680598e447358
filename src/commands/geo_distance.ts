import type { Position, Shape } from "./geohash.ts";
import { asin, cos, sin } from "./trigonometry.ts";

const EARTH_RADIUS_METERS = 6372797.560856;
const RADIANS = Math.PI / 180;

/** Meters between two positions on a sphere, by the haversine formula. */
export function distanceMeters(a: Position, b: Position): number {
  const v = sin((b.longitude * RADIANS - a.longitude * RADIANS) / 2);
  if (v === 0) return latitudeMeters(a.latitude, b.latitude);
  const [latitudeA, latitudeB] = [a.latitude * RADIANS, b.latitude * RADIANS];
  const u = sin((latitudeB - latitudeA) / 2);
  const haversine = u * u + cos(latitudeA) * cos(latitudeB) * v * v;
  return 2 * EARTH_RADIUS_METERS * asin(Math.sqrt(haversine));
}

function latitudeMeters(a: number, b: number): number {
  return EARTH_RADIUS_METERS * Math.abs(b * RADIANS - a * RADIANS);
}

/** Meters from the middle of a shape to a position; undefined when it is outside. */
export function distanceInside(shape: Shape, position: Position): number | undefined {
  const { unitMeters, radius, width, height } = shape;
  if (radius !== undefined) {
    const meters = distanceMeters(shape, position);
    return meters > radius * unitMeters ? undefined : meters;
  }
  if (latitudeMeters(position.latitude, shape.latitude) > height * unitMeters / 2) return undefined;
  const beside = { longitude: shape.longitude, latitude: position.latitude };
  if (distanceMeters(position, beside) > width * unitMeters / 2) return undefined;
  return distanceMeters(shape, position);
}
