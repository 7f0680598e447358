import type { Generator } from "./generator.ts";

/** 1 to `most` words, each of them drawn. */
export function some(g: Generator, most: number, draw: () => string): string[] {
  return Array.from({ length: 1 + g.prng.below(most) }, draw);
}
