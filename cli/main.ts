#!/usr/bin/env bun
import process from "node:process";
import { nodeVersionProblem } from "./node_version.ts";

// Before anything is loaded that an old Node.js cannot read.
const problem = nodeVersionProblem(process.versions);
if (problem !== undefined) {
  console.error(`balsa: ${problem}`);
  process.exit(1);
}
// No await at the top level: Bun's bytecode, which halves the start, does not allow one.
void main();

async function main(): Promise<void> {
  const { runCommandLine } = await import("./subcommands.ts");
  // Exits even when something keeps the process alive.
  process.exit(await runCommandLine(process.argv.slice(2)));
}
