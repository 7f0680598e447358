import type { Bytes } from "../../src/base/bytes.ts";

/** The keys of the reference, each under "db/key". */
export interface ReferenceKeys {
  readonly logTimeMs: number;
  get(key: string): Bytes | undefined;
  expiryOf(key: string): number | undefined;
  put(key: string, value: Bytes | undefined, expireAtMs?: number): void;
}

/** Commands on keys of any type, told a second time; undefined for another one. */
export function changeKey(
  keys: ReferenceKeys,
  db: number,
  argv: readonly Bytes[],
): string | undefined {
  const key = `${db}/${argv[1]}`;
  const value = keys.get(key);
  const expireAtMs = keys.expiryOf(key);
  switch (argv[0].toLowerCase()) {
    case "rename":
      if (value === undefined) return "-ERR no such key";
      if (argv[1] === argv[2]) return "+OK";
      keys.put(key, undefined);
      keys.put(`${db}/${argv[2]}`, value, expireAtMs);
      return "+OK";
    case "copy":
      if (value === undefined) return ":0";
      keys.put(`${db}/${argv[2]}`, value, expireAtMs);
      return ":1";
    case "move":
      if (value === undefined || keys.get(`${argv[2]}/${argv[1]}`) !== undefined) return ":0";
      keys.put(key, undefined);
      keys.put(`${argv[2]}/${argv[1]}`, value, expireAtMs);
      return ":1";
    case "pexpire":
      if (value === undefined) return ":0";
      keys.put(key, value, keys.logTimeMs + Number(argv[2]));
      return ":1";
    case "persist":
      if (value === undefined || expireAtMs === undefined) return ":0";
      keys.put(key, value);
      return ":1";
  }
  return undefined;
}
