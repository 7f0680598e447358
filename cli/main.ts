#!/usr/bin/env bun
import process from "node:process";
import { nodeVersionProblem } from "./node_version.ts";

// Before anything is loaded that an old Node.js cannot read.
const problem = nodeVersionProblem(process.versions);
if (problem !== undefined) {
  console.error(`balsa: ${problem}`);
  process.exit(1);
}

const { runCommandLine } = await import("./subcommands.ts");
const exitCode = await runCommandLine(process.argv.slice(2));
// The exit code alone would leave a process that something keeps alive.
process.exit(exitCode);
