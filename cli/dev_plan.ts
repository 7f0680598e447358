import { randomBytes } from "node:crypto";
import {
  accessSync,
  constants,
  mkdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join, resolve } from "node:path";
import * as v from "valibot";
import type { DEV_FLAGS } from "./dev_flags.ts";
import type { Settings } from "./flags.ts";
import { UsageError } from "./usage_error.ts";

const HOST = "127.0.0.1";
const NODES_DEFAULT = 3;
const PORT_MAX = 65_535;
const PEER_PORT_OFFSET = 10_000;
const RECORD_FILE = "dev.json";

const port = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(PORT_MAX));
const RecordSchema = v.strictObject({
  /** What the nodes prove to each other that they know. */
  clusterSecret: v.pipe(v.string(), v.nonEmpty()),
  /** How many nodes founded the cluster: the first ones. */
  founders: v.pipe(v.number(), v.integer(), v.minValue(1)),
  /** Kept, because the nodes know each other by them. */
  peerPorts: v.pipe(v.array(port), v.minLength(1)),
});
type DevRecord = v.InferOutput<typeof RecordSchema>;

/** One node of `balsa dev`. */
export interface DevNodePlan {
  /** "a", "b" …: the ids in the cluster are others. */
  readonly name: string;
  readonly respPort: number;
  /** 0: no HTTP. */
  readonly httpPort: number;
  readonly peerPort: number;
  /** The command line of `balsa` that runs it. */
  readonly args: readonly string[];
  /** A file for `balsa serve --config`, to start it by hand. */
  readonly configPath: string;
}

export interface DevPlan {
  readonly clusterSecret: string;
  /** There was a start with this directory before. */
  readonly isResumed: boolean;
  readonly nodes: readonly DevNodePlan[];
}

/**
 * The nodes to start. What a second start needs is kept in the directory, which is created; throws
 * UsageError where that does not fit with the settings.
 */
export function planDev(settings: Settings<typeof DEV_FLAGS>): DevPlan {
  const { data } = settings;
  makeDirectory(data);
  const found = readRecord(join(data, RECORD_FILE));
  const count = settings.nodes ?? found?.peerPorts.length ?? NODES_DEFAULT;
  if (found !== undefined && count < found.peerPorts.length) {
    const held = found.peerPorts.length;
    throw new UsageError(`--nodes ${count}: ${data} holds a cluster of ${held} nodes`);
  }
  const record = extend(found, count, settings.port);
  refuseSharedPorts(settings, record.peerPorts);
  writePrivately(join(data, RECORD_FILE), record);
  const nodes = record.peerPorts.map((_, i) => planNode(settings, record, i));
  for (const node of nodes) writePrivately(node.configPath, configOf(node, record.clusterSecret));
  return { clusterSecret: record.clusterSecret, isResumed: found !== undefined, nodes };
}

function planNode(
  settings: Settings<typeof DEV_FLAGS>,
  record: DevRecord,
  i: number,
): DevNodePlan {
  const name = String.fromCharCode("a".charCodeAt(0) + i);
  const respPort = settings.port + i;
  const httpPort = settings["http-port"] === 0 ? 0 : settings["http-port"] + i;
  const peerPort = record.peerPorts[i];
  const args = ["serve"];
  const set = (flag: string, value: string | number) => args.push(`--${flag}`, `${value}`);
  set("data", resolve(settings.data, name));
  set("host", HOST);
  set("port", respPort);
  set("http-port", httpPort);
  set("peer-port", peerPort);
  set("log-level", settings["log-level"]);
  const founders = record.peerPorts.slice(0, record.founders);
  if (record.founders > 1 || i >= record.founders) {
    set("join", founders.map((each) => `${HOST}:${each}`).join(","));
  }
  if (record.founders > 1 && i < record.founders) set("bootstrap-expect", record.founders);
  const configPath = join(settings.data, `${name}.json`);
  return { name, respPort, httpPort, peerPort, args, configPath };
}

/** The settings of a node's command line as a configuration file. */
function configOf({ args }: DevNodePlan, clusterSecret: string): Record<string, string | number> {
  const config: Record<string, string | number> = {};
  for (let i = 1; i < args.length; i += 2) {
    const value = args[i + 1];
    config[args[i].slice(2)] = /^\d+$/.test(value) ? Number(value) : value;
  }
  return { ...config, "cluster-secret": clusterSecret };
}

function extend(found: DevRecord | undefined, count: number, firstPort: number): DevRecord {
  const record = found ?? {
    clusterSecret: randomBytes(24).toString("base64url"),
    founders: count,
    peerPorts: [],
  };
  const fits = firstPort + PEER_PORT_OFFSET + count - 1 <= PORT_MAX;
  const first = firstPort + (fits ? PEER_PORT_OFFSET : -PEER_PORT_OFFSET);
  const peerPorts = [...record.peerPorts];
  for (let next = first + peerPorts.length; peerPorts.length < count; next++) {
    if (!peerPorts.includes(next)) peerPorts.push(next);
  }
  return { ...record, peerPorts };
}

function refuseSharedPorts(
  settings: Settings<typeof DEV_FLAGS>,
  peerPorts: readonly number[],
): void {
  const seen = new Map<number, string>();
  const claim = (port: number, use: string) => {
    const other = seen.get(port);
    if (other !== undefined) {
      throw new UsageError(`port ${port} would be ${other} and ${use}: choose other ports`);
    }
    seen.set(port, use);
  };
  peerPorts.forEach((peerPort, i) => {
    claim(settings.port + i, "a RESP port");
    if (settings["http-port"] !== 0) claim(settings["http-port"] + i, "an HTTP port");
    claim(peerPort, "a peer port");
  });
}

function makeDirectory(path: string): void {
  try {
    mkdirSync(path, { recursive: true });
    accessSync(path, constants.R_OK | constants.W_OK | constants.X_OK);
    if (!statSync(path).isDirectory()) throw new Error("it is a file");
  } catch (error) {
    throw new UsageError(
      `--data: cannot use ${path}: ${error instanceof Error ? error.message : error}`,
    );
  }
}

function readRecord(path: string): DevRecord | undefined {
  try {
    return v.parse(RecordSchema, JSON.parse(readFileSync(path, "utf8")));
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw new UsageError(`cannot read ${path}: ${error instanceof Error ? error.message : error}`);
  }
}

function writePrivately(path: string, content: unknown): void {
  const text = JSON.stringify(content, null, 2) + "\n";
  writeFileSync(path + ".new", text, { mode: 0o600 });
  renameSync(path + ".new", path);
}
