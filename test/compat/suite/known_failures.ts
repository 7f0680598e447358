import type { Target } from "./servers.ts";

/** Tests that do not pass, for one reason. */
interface KnownFailures {
  /** Behind "fails since". */
  readonly reason: string;
  /** By unit, the names; "*" at the end of one stands for any rest. */
  readonly tests: Readonly<Record<string, readonly string[]>>;
  /** Only there; absent: on both. */
  readonly target?: Target;
}

const KNOWN: readonly KnownFailures[] = [];

/** Why a test is known to fail; undefined when it is to pass. */
export function knownReason(unit: string, test: string, target: Target): string | undefined {
  const matches = (name: string) =>
    name.endsWith("*") ? test.startsWith(name.slice(0, -1)) : name === test;
  return KNOWN.find((known) =>
    (known.target === undefined || known.target === target) && known.tests[unit]?.some(matches)
  )?.reason;
}
