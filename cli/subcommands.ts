import { nearest } from "./nearest.ts";
import { UsageError } from "./usage_error.ts";

/** One `balsa NAME`. Modules are loaded when they run: a start pays only for what it needs. */
interface Subcommand {
  readonly summary: string;
  /** Returns the exit code. */
  readonly run: (args: readonly string[]) => Promise<number>;
}

const SUBCOMMANDS: Readonly<Record<string, Subcommand>> = {
  serve: {
    summary: "run a node (what balsa does when no command is given)",
    run: async (args) => (await import("./serve.ts")).serve(args),
  },
  dev: {
    summary: "run a cluster on this machine, each node a process",
    run: async (args) => (await import("./dev.ts")).dev(args),
  },
  cli: {
    summary: "send commands to a node: a prompt, or one command and exit",
    run: async (args) => (await import("./cli.ts")).cli(args),
  },
  status: {
    summary: "show the cluster: members, who leads, how far each one is",
    run: async (args) => (await import("./status.ts")).status(args),
  },
  add: {
    summary: "admit a node to the cluster",
    run: async (args) => (await import("./admin.ts")).admin("add", args),
  },
  remove: {
    summary: "remove a node from the cluster",
    run: async (args) => (await import("./admin.ts")).admin("remove", args),
  },
  transfer: {
    summary: "hand leadership to another node",
    run: async (args) => (await import("./admin.ts")).admin("transfer", args),
  },
  snapshot: {
    summary: "have a node take a snapshot now",
    run: async (args) => (await import("./admin.ts")).admin("snapshot", args),
  },
  recover: {
    summary: "go on with one node after the majority is lost for good",
    run: async (args) => (await import("./recover.ts")).recover(args),
  },
  check: {
    summary: "check that a live cluster is linearizable, while nodes fail",
    run: async (args) => (await import("./check.ts")).check(args),
  },
  sim: {
    summary: "simulate clusters that fail in every way, from one seed each",
    run: async (args) => (await import("./sim.ts")).sim(args),
  },
  version: {
    summary: "print the version",
    run: async (args) => (await import("./version.ts")).version(args),
  },
};

const HELP_WORDS = ["-h", "--help", "help"];
const VERSION_WORDS = ["-v", "-V", "--version"];

/** Runs `balsa` with these arguments; returns the exit code. Usage errors go to stderr: 2. */
export async function runCommandLine(args: readonly string[]): Promise<number> {
  try {
    return await dispatch(args);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    console.error(`balsa: ${error.message}`);
    return 2;
  }
}

function dispatch(args: readonly string[]): number | Promise<number> {
  const [first, ...rest] = args;
  if (first !== undefined && HELP_WORDS.includes(first)) {
    if (rest.length > 0) return dispatch([rest[0], "--help"]);
    console.log(usage());
    return 0;
  }
  if (first !== undefined && VERSION_WORDS.includes(first)) return SUBCOMMANDS.version.run([]);
  if (first === undefined || first.startsWith("-")) return SUBCOMMANDS.serve.run(args);
  if (Object.hasOwn(SUBCOMMANDS, first)) return SUBCOMMANDS[first].run(rest);
  const guess = nearest(first, Object.keys(SUBCOMMANDS));
  const hint = guess === undefined ? "balsa --help lists the commands" : `did you mean ${guess}?`;
  throw new UsageError(`unknown command ${JSON.stringify(first)} (${hint})`);
}

function usage(): string {
  const rows = Object.entries(SUBCOMMANDS)
    .map(([name, subcommand]) => `  balsa ${name.padEnd(8)} ${subcommand.summary}`);
  return [
    "Balsa: a Redis-compatible key-value server that survives the loss of a machine.",
    "",
    "Usage: balsa [COMMAND] [FLAGS]",
    "",
    ...rows,
    "",
    "balsa COMMAND --help shows the flags of a command.",
  ].join("\n");
}
