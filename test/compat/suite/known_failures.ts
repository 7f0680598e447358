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

const KNOWN: readonly KnownFailures[] = [
  {
    reason: "the commands of Redis Cluster are not offered",
    tests: { scripting: ["CLUSTER RESET can not be invoke from within a script*"] },
  },
  {
    reason: "a script ends by itself after a fixed amount of work: there is nothing to kill",
    tests: {
      scripting: [
        "Timedout read-only scripts can be killed by SCRIPT KILL*",
        "Timedout script does not cause a false dead client*",
        "Timedout script link is still usable after Lua returns*",
      ],
      functions: [
        "FUNCTION - test function kill",
        "FUNCTION - test script kill not working on function",
        "FUNCTION - test function kill not working on eval",
      ],
    },
  },
  {
    reason: "a script may not sleep, and what has expired by log time is gone at once",
    tests: {
      scripting: ["Script block the time during execution*", "Script delete the expired key*"],
    },
  },
  {
    reason: "there are no replicas in Redis's sense: nodes replicate by Raft",
    tests: {
      scripting: [
        "SPOP: We can call scripts rewriting client->argv from Lua",
        "MGET: mget shouldn't be propagated in Lua",
        "EXPIRE: We can call scripts rewriting client->argv from Lua",
        "INCRBYFLOAT: We can call scripts expanding client->argv from Lua",
        "not enough good replicas",
      ],
    },
  },
  {
    reason: "DEBUG RELOAD reads state.db, which has no options",
    tests: { functions: ["FUNCTION - test debug reload different options"] },
  },
  {
    reason: "maxmemory, which is about the disk, does not hold back scripts",
    tests: {
      scripting: [
        "Script - disallow write on OOM",
        "EVAL - Return table with a metatable that call redis #2",
        "allow-oom shebang flag",
        "reject script do not cause a Lua stack leak",
        "Consistent eval error reporting",
      ],
      functions: ["FUNCTION - deny oom"],
    },
  },
];

/** Why a test is known to fail; undefined when it is to pass. */
export function knownReason(unit: string, test: string, target: Target): string | undefined {
  const matches = (name: string) =>
    name.endsWith("*") ? test.startsWith(name.slice(0, -1)) : name === test;
  return KNOWN.find((known) =>
    (known.target === undefined || known.target === target) && known.tests[unit]?.some(matches)
  )?.reason;
}
