import process from "node:process";
import { hostPort } from "../src/runtime/listen_error.ts";
import { DEV_FLAGS } from "./dev_flags.ts";
import { DevNode } from "./dev_node.ts";
import { type DevPlan, planDev } from "./dev_plan.ts";
import { LeaderWatch } from "./dev_watch.ts";
import { flagHelp, parseCommandLine } from "./flags.ts";
import { toldToStop } from "./stop_signals.ts";
import { UsageError } from "./usage_error.ts";

const HOST = "127.0.0.1";
/** How long the nodes have to stop in order. */
const STOP_MS = 15_000;
const RESTART_MS = 1000;

/** `balsa dev`: a cluster on this machine until it is told to stop. Returns the exit code. */
export async function dev(args: readonly string[]): Promise<number> {
  const { settings, positionals, help } = parseCommandLine(DEV_FLAGS, {
    args,
    environment: process.env,
  });
  if (help) {
    console.log(devHelp());
    return 0;
  }
  if (positionals.length > 0) throw new UsageError(`dev takes flags only: ${positionals[0]}`);
  const plan = planDev(settings);
  console.log(`${plan.nodes.length} nodes in ${settings.data}:`);
  for (const line of nodeLines(plan)) console.log(line);
  return await new DevCluster(plan, settings.password ?? "", settings.restart).run();
}

/** The text of `balsa dev --help`. */
export function devHelp(): string {
  return [
    "Usage: balsa dev [FLAGS]",
    "",
    "Runs a cluster on this machine: each node a process, each on the next ports. Says who leads,",
    "and stops all nodes at Ctrl-C. The next start with the same directory goes on with its data.",
    "",
    flagHelp(DEV_FLAGS),
    "",
    "Other settings of the nodes are read from the environment, as balsa serve does:",
    "BALSA_CACHE_MB, BALSA_TOKEN, BALSA_SQLITE_DRIVER and so on.",
  ].join("\n");
}

function nodeLines(plan: DevPlan): string[] {
  return plan.nodes.map(({ name, respPort, httpPort, peerPort }) => {
    const http = httpPort === 0 ? "" : `  HTTP http://${hostPort(HOST, httpPort)}`;
    return `  ${name}  RESP ${hostPort(HOST, respPort)}${http}  peers ${hostPort(HOST, peerPort)}`;
  });
}

/** The processes, and what is said of them. */
class DevCluster {
  readonly #plan: DevPlan;
  readonly #nodes: readonly DevNode[];
  readonly #watch: LeaderWatch;
  readonly #restarts: boolean;
  readonly #unready: Set<DevNode>;
  /** Before, a node that ends stops the start of a new cluster. */
  #isFounded: boolean;
  #hasLeader = false;
  #isReadyTold = false;
  #stopping = false;
  readonly #failed = Promise.withResolvers<string>();

  constructor(plan: DevPlan, password: string, restarts: boolean) {
    this.#plan = plan;
    this.#restarts = restarts;
    this.#isFounded = plan.isResumed;
    const environment: Record<string, string> = { BALSA_CLUSTER_SECRET: plan.clusterSecret };
    if (password !== "") environment.BALSA_PASSWORD = password;
    const events = {
      log: (node: DevNode, line: string) => console.error(`${node.plan.name} | ${line}`),
      ready: (node: DevNode) => this.#ready(node),
      ended: (node: DevNode, how: string) => this.#ended(node, how),
    };
    this.#nodes = plan.nodes.map((each) => new DevNode(each, environment, events));
    this.#unready = new Set(this.#nodes);
    const watched = plan.nodes.map(({ respPort }) => ({ host: HOST, port: respPort }));
    this.#watch = new LeaderWatch(watched, password, (leader) => {
      if (leader === undefined) return console.log("nobody leads");
      const { name, respPort } = plan.nodes[leader.node];
      const address = hostPort(HOST, respPort);
      console.log(`${name} leads (${address}, node ${leader.id}, term ${leader.term})`);
      this.#hasLeader = true;
      this.#tellReady();
    });
  }

  async run(): Promise<number> {
    const told = toldToStop();
    // Without a reader of the output there is nobody to press Ctrl-C.
    process.stdout.on("error", () => this.#failed.resolve("the output was closed"));
    for (const node of this.#nodes) node.start();
    void this.#watch.run();
    const reason = await Promise.race([told.then(() => undefined), this.#failed.promise]);
    if (reason !== undefined) console.error(`balsa: ${reason}`);
    await this.#stop();
    return reason === undefined ? 0 : 1;
  }

  async #stop(): Promise<void> {
    this.#stopping = true;
    this.#watch.stop();
    const running = this.#nodes.filter((node) => node.isRunning).length;
    console.log(`stopping ${running} ${running === 1 ? "node" : "nodes"}`);
    const timer = setTimeout(() => {
      for (const node of this.#nodes) {
        if (!node.isRunning) continue;
        console.error(`${node.plan.name} does not stop: killed`);
        node.kill();
      }
    }, STOP_MS);
    await Promise.all(this.#nodes.map((node) => node.stop()));
    clearTimeout(timer);
    console.log("stopped");
  }

  #ready(node: DevNode): void {
    this.#unready.delete(node);
    if (this.#unready.size === 0) this.#isFounded = true;
    this.#tellReady();
  }

  #tellReady(): void {
    if (this.#isReadyTold || !this.#hasLeader || this.#unready.size > 0) return;
    this.#isReadyTold = true;
    console.log(`ready: redis-cli -p ${this.#plan.nodes[0].respPort} SET hello world`);
  }

  #ended(node: DevNode, how: string): void {
    if (this.#stopping) return;
    const { name, respPort, configPath } = node.plan;
    const address = hostPort(HOST, respPort);
    if (!this.#isFounded) return this.#failed.resolve(`${name} (${address}) did not start: ${how}`);
    console.log(`${name} died (${address}, ${how})`);
    if (!this.#restarts) console.log(`start it again: balsa serve --config ${configPath}`);
    if (this.#restarts) {
      setTimeout(() => {
        if (this.#stopping) return;
        console.log(`${name} starts again`);
        node.start();
      }, RESTART_MS);
    } else if (!this.#nodes.some((each) => each.isRunning)) {
      this.#failed.resolve("all nodes died");
    }
  }
}
