import type { Bytes } from "../base/bytes.ts";
import { type Int64, INT64_MAX, parseInt64 } from "../base/int64.ts";
import { err, type ErrorReply, NOT_INTEGER } from "../resp/reply.ts";
import type { DataContext } from "./data_context.ts";

/** How an expiry is given: in seconds or not, from now or as a Unix time. */
export interface ExpiryUnit {
  readonly seconds: boolean;
  readonly relative: boolean;
}

export const EX: ExpiryUnit = { seconds: true, relative: true };
export const PX: ExpiryUnit = { seconds: false, relative: true };
export const EXAT: ExpiryUnit = { seconds: true, relative: false };
export const PXAT: ExpiryUnit = { seconds: false, relative: false };

/**
 * The latest expiry that is kept, Unix milliseconds: later ones become this one. Redis keeps all
 * 63 bits; the difference shows only in the TTL of a key that lives for 285,000 years.
 */
export const EXPIRY_MS_MAX = Number.MAX_SAFE_INTEGER;

/** Redis's answer to an expiry that is out of range. */
export function invalidExpireTime(command: string): ErrorReply {
  return err(`invalid expire time in '${command}' command`);
}

/**
 * The Unix time in milliseconds that an expiry stands for, at most EXPIRY_MS_MAX either way;
 * undefined when Redis's 64-bit arithmetic overflows on it.
 */
export function expiryTimeMs(value: Int64, unit: ExpiryUnit, nowMs: number): number | undefined {
  if (typeof value === "number") {
    const timeMs = (unit.seconds ? value * 1000 : value) + (unit.relative ? nowMs : 0);
    return Math.max(-EXPIRY_MS_MAX, Math.min(EXPIRY_MS_MAX, timeMs));
  }
  if (unit.seconds && (value > INT64_MAX / 1000n || value < -(INT64_MAX / 1000n))) return undefined;
  const scaled = unit.seconds ? value * 1000n : value;
  if (unit.relative && scaled > INT64_MAX - BigInt(nowMs)) return undefined;
  return scaled > 0n ? EXPIRY_MS_MAX : -EXPIRY_MS_MAX;
}

/** `expiryTimeMs` of an option of SET and the like: it must be positive. */
export function parseExpiry(
  text: Bytes,
  unit: ExpiryUnit,
  nowMs: number,
  command: string,
): number | ErrorReply {
  const value = parseInt64(text);
  if (value === undefined) return NOT_INTEGER;
  if (value <= 0) return invalidExpireTime(command);
  return expiryTimeMs(value, unit, nowMs) ?? invalidExpireTime(command);
}

/** Sets the expiry of a key that exists; one that has come deletes it. */
export function expireKey(context: DataContext, key: Bytes, expireAtMs: number): void {
  if (expireAtMs <= context.nowMs) {
    context.ops.del(context.db, key);
    context.notify("generic", "del", key);
  } else {
    context.ops.setExpiry(context.db, key, expireAtMs);
    context.notify("generic", "expire", key);
  }
}
