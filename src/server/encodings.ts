import type { ConfigStore } from "../commands/config_store.ts";
import { encodingLimits } from "../storage/encoding_limits.ts";

/** Where each parameter's value is kept. */
const LIMITS: ReadonlyMap<string, keyof typeof encodingLimits> = new Map([
  ["hash-max-listpack-entries", "hashEntries"],
  ["hash-max-listpack-value", "hashValueBytes"],
  ["set-max-intset-entries", "setIntegers"],
  ["zset-max-listpack-entries", "zsetEntries"],
  ["zset-max-listpack-value", "zsetValueBytes"],
  ["stream-node-max-entries", "streamNodeEntries"],
  ["stream-node-max-bytes", "streamNodeBytes"],
]);

/** Keeps the sizes up to which collections count as compact as CONFIG SET has them. */
export function followEncodingLimits(config: ConfigStore): void {
  for (const [name, limit] of LIMITS) encodingLimits[limit] = config.number(name);
  config.onChange((name) => {
    const limit = LIMITS.get(name);
    if (limit !== undefined) encodingLimits[limit] = config.number(name);
  });
}
