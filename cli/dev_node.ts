import { type ChildProcess, spawn } from "node:child_process";
import process from "node:process";
import { selfCommand } from "../src/runtime/self_command.ts";
import type { DevNodePlan } from "./dev_plan.ts";
import { READY_TEXT } from "./serve_banner.ts";
import { STOP_AT_STDIN_END } from "./stop_signals.ts";

/** Settings that would be for one node only. */
const DROPPED = ["BALSA_ADVERTISE", "BALSA_CONFIG"];

export interface DevNodeEvents {
  /** A line of its log. */
  log(node: DevNode, line: string): void;
  ready(node: DevNode): void;
  /** It ended; `how`: "exit code 1", "SIGKILL". */
  ended(node: DevNode, how: string): void;
}

/** One node as a child process. It stops when its standard input ends: when this process does. */
export class DevNode {
  readonly plan: DevNodePlan;
  readonly #environment: Readonly<Record<string, string>>;
  readonly #events: DevNodeEvents;
  #child: ChildProcess | undefined;
  #ended: Promise<void> = Promise.resolve();

  /** `environment`: added to this process's own. */
  constructor(
    plan: DevNodePlan,
    environment: Readonly<Record<string, string>>,
    events: DevNodeEvents,
  ) {
    this.plan = plan;
    this.#environment = environment;
    this.#events = events;
  }

  get isRunning(): boolean {
    return this.#child !== undefined;
  }

  start(): void {
    const { program, args } = selfCommand();
    const env: Record<string, string | undefined> = { ...process.env, ...this.#environment };
    for (const name of DROPPED) delete env[name];
    env[STOP_AT_STDIN_END] = "1";
    const child = spawn(program, [...args, ...this.plan.args], { env, stdio: "pipe" });
    this.#child = child;
    child.stdin.on("error", () => {}); // it has ended already
    onLines(child.stderr, (line) => this.#events.log(this, line));
    onLines(child.stdout, (line) => {
      if (line === READY_TEXT) this.#events.ready(this);
    });
    this.#ended = new Promise((resolve) => {
      const settle = (how: string) => {
        if (this.#child !== child) return;
        this.#child = undefined;
        resolve();
        this.#events.ended(this, how);
      };
      child.on("error", (error) => settle(error.message));
      child.on("close", (code, signal) => settle(signal ?? `exit code ${code}`));
    });
  }

  /** Asks it to stop; resolves when it has ended. */
  stop(): Promise<void> {
    this.#child?.stdin?.end();
    return this.#ended;
  }

  kill(): void {
    this.#child?.kill("SIGKILL");
  }
}

function onLines(stream: NodeJS.ReadableStream | null, take: (line: string) => void): void {
  if (stream === null) return;
  let rest = "";
  stream.setEncoding("utf8");
  stream.on("data", (chunk) => {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) take(line);
  });
  stream.on("end", () => {
    if (rest !== "") take(rest);
  });
}
