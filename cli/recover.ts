import { existsSync } from "node:fs";
import process from "node:process";
import { createInterface } from "node:readline/promises";
import type { Recovery as OpenRecovery, RecoveryFacts } from "../src/node/recover.ts";
import { type Flag, flagHelp, type FlagTable, parseCommandLine } from "./flags.ts";
import { SERVE_FLAGS } from "./serve_flags.ts";
import { UsageError } from "./usage_error.ts";
import * as kinds from "./value_kinds.ts";

const RECOVER_FLAGS = {
  data: SERVE_FLAGS.data,
  "force-new-cluster": {
    kind: kinds.toggle(),
    default: false,
    help: "make this node a cluster of its own",
    notInEnvironment: true,
  },
  yes: {
    kind: kinds.toggle(),
    default: false,
    help: "do not ask; without a terminal there is no question",
    notInEnvironment: true,
  },
  "sqlite-driver": SERVE_FLAGS["sqlite-driver"],
} as const satisfies FlagTable & Record<string, Flag<unknown>>;

/** `balsa recover`. Returns the exit code. */
export async function recover(args: readonly string[]): Promise<number> {
  const { settings, positionals, help } = parseCommandLine(RECOVER_FLAGS, {
    args,
    environment: process.env,
  });
  if (help) {
    console.log(recoverHelp());
    return 0;
  }
  if (positionals.length > 0) throw new UsageError(`recover takes flags only: ${positionals[0]}`);
  if (!settings["force-new-cluster"]) {
    throw new UsageError("recover needs --force-new-cluster (balsa recover --help says when)");
  }
  if (!existsSync(settings.data)) throw new UsageError(`--data: there is no ${settings.data}`);
  const { Recovery } = await import("../src/node/recover.ts");
  let recovery: OpenRecovery | undefined;
  try {
    recovery = await Recovery.open(settings.data, settings["sqlite-driver"]);
    for (const line of consequences(recovery.facts)) console.log(line);
    if (!settings.yes && process.stdin.isTTY && !await confirmed()) {
      console.log("nothing was changed");
      return 1;
    }
    const clusterId = recovery.forceNewCluster();
    console.log(`done: new cluster ${clusterId}, its only member is node ${recovery.facts.nodeId}`);
    console.log(`start it:  balsa serve --data ${settings.data} (and its other flags)`);
    return 0;
  } catch (error) {
    console.error(`balsa: ${error instanceof Error ? error.message : error}`);
    return 1;
  } finally {
    await recovery?.close();
  }
}

/** The text of `balsa recover --help`. */
export function recoverHelp(): string {
  return [
    "Usage: balsa recover --force-new-cluster [FLAGS]",
    "",
    "For the day when the majority of a cluster is lost for good: makes one node that is left the",
    "only member of a new cluster, with the data it has. The node must be stopped. Of the nodes",
    "that are left, take the one with the highest last index (it is shown before the question).",
    "Never do this while a majority could still come back: both clusters would take writes.",
    "",
    flagHelp(RECOVER_FLAGS),
  ].join("\n");
}

function consequences(facts: RecoveryFacts): string[] {
  const { clusterId, nodeId, members, commit, lastIndex } = facts;
  const others = members.filter(({ id }) => id !== nodeId);
  const unconfirmed = lastIndex - commit;
  return [
    `node ${nodeId} of cluster ${clusterId}`,
    `other members: ${others.map(({ id, address }) => `${id} (${address})`).join(", ") || "none"}`,
    `last index ${lastIndex}, known to be committed: ${commit}`,
    "",
    "What this means:",
    "- Lost: every write that never reached this node, also where its client was told OK.",
    unconfirmed === 0
      ? "- Kept: all that this node has."
      : `- Kept: all that this node has. Of its last ${unconfirmed} entries it is not known whether ` +
        "their\n  clients were told OK: they take effect in any case.",
    "- The other members belong to the old cluster and are refused from now on: wipe their data",
    "  directories, then let them join with --join.",
    "",
  ];
}

async function confirmed(): Promise<boolean> {
  const lines = createInterface({ input: process.stdin, output: process.stdout });
  try {
    return (await lines.question('Type "yes" to go on: ')).trim() === "yes";
  } finally {
    lines.close();
  }
}
