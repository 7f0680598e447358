import { spawnSync } from "node:child_process";

const BIN = `${import.meta.dirname}/../../node_modules/.bin/`;
const NODE = process.env.BALSA_NODE ?? "node";

/** How to start a script on each runtime; Node only from version 22. */
export const RUNTIMES = [
  { name: "bun", argv: [`${BIN}bun`, "run"], skipped: false },
  { name: "deno", argv: [`${BIN}deno`, "run", "-A", "--quiet"], skipped: false },
  { name: "node", argv: [NODE], skipped: nodeMajor() < 22 },
];

function nodeMajor(): number {
  const { stdout } = spawnSync(NODE, ["--version"], { encoding: "utf8" });
  return Number(/^v(\d+)/.exec(stdout ?? "")?.[1] ?? 0);
}
