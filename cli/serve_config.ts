import { resolve } from "node:path";
import { isIP } from "node:net";
import type { ServeConfig } from "../src/server/config.ts";
import { isWildcard } from "../src/base/wildcard.ts";
import { memoryBytes } from "../src/runtime/memory.ts";
import type { Settings } from "./flags.ts";
import { SERVE_FLAGS } from "./serve_flags.ts";
import { hostOf } from "./peer_address.ts";
import { UsageError } from "./usage_error.ts";

const PORT_MAX = 65_535;
const PEER_PORT_OFFSET = 10_000;
const MIB = 1024 * 1024;
/** Of the memory; the rest is for the program, its garbage, other buffers and the system's cache. */
const CACHE_SHARE = 1 / 16;
const CACHE_MB_MIN = 8;
const CACHE_MB_MAX = 128;

/** What the server is told, from its settings. Throws UsageError where they do not go together. */
export function serveConfig(settings: Settings<typeof SERVE_FLAGS>): ServeConfig {
  const { port, password } = settings;
  refuseOpenDoor(settings);
  const config: ServeConfig = {
    dataDirectory: resolve(settings.data),
    host: settings.host,
    port,
    httpPort: httpPort(settings["http-port"]),
    peerPort: settings["peer-port"] ?? defaultPeerPort(port),
    password: password ?? "",
    token: settings.token ?? password ?? "",
    readonlyToken: settings["readonly-token"] ?? "",
    corsOrigin: settings["cors-origin"] ?? "",
    cacheBytes: (settings["cache-mb"] ?? defaultCacheMb(memoryBytes())) * MIB,
    changesBytes: settings["changes-mb"] * MIB,
    clientsMax: settings.maxclients,
    clientIdleTimeoutMs: settings.timeout,
    logLevel: settings["log-level"],
    logFormat: settings["log-format"],
    sqliteDriver: settings["sqlite-driver"],
    logWriter: settings["log-writer"],
    isPeerPortFixed: settings["peer-port"] !== undefined,
    peerHost: peerHost(settings),
    advertise: settings.advertise ?? "",
    join: settings.join ?? [],
    bootstrapExpect: settings["bootstrap-expect"] ?? 0,
    clusterSecret: settings["cluster-secret"] ?? "",
    requestTimeoutMs: settings["request-timeout"],
  };
  refuseReadonlyToken(config);
  refuseSamePort(config);
  refuseWrongCluster(config);
  return config;
}

/** What --cache-mb is where nobody says, on a machine with so many bytes of memory. */
export function defaultCacheMb(bytes: number): number {
  const share = Math.floor(bytes / MIB * CACHE_SHARE);
  return Math.min(CACHE_MB_MAX, Math.max(CACHE_MB_MIN, share));
}

function httpPort(port: number | "auto"): number | "off" {
  if (port === "auto") return 0;
  return port === 0 ? "off" : port;
}

/** port + 10000 where that is a port; else, as for port 0, a free one. */
function defaultPeerPort(port: number): number {
  return port === 0 || port + PEER_PORT_OFFSET > PORT_MAX ? 0 : port + PEER_PORT_OFFSET;
}

/** Without a secret, only this machine may reach the peer listener. */
function peerHost(settings: Settings<typeof SERVE_FLAGS>): string {
  return settings["cluster-secret"] || isLoopback(settings.host) ? settings.host : "127.0.0.1";
}

function refuseWrongCluster(config: ServeConfig): void {
  const { host, join, bootstrapExpect, clusterSecret } = config;
  const isMember = join.length > 0 || bootstrapExpect > 0;
  if (bootstrapExpect > 1 && join.length < bootstrapExpect - 1) {
    throw new UsageError(
      `--bootstrap-expect ${bootstrapExpect} needs the addresses of the nodes: ` +
        "--join HOST:PEERPORT,…, the same list on each of them",
    );
  }
  if (isMember && clusterSecret === "" && !isLoopback(host)) {
    throw new UsageError(
      `--host ${host} is reachable from other machines and there is no cluster secret: ` +
        "set --cluster-secret (or BALSA_CLUSTER_SECRET), the same on every node",
    );
  }
  refuseWildcards(config, isMember || (clusterSecret !== "" && !isLoopback(host)));
}

/** Other nodes must be able to connect to the addresses that the cluster keeps. */
function refuseWildcards(config: ServeConfig, hasPeers: boolean): void {
  const { host, join, advertise } = config;
  for (const [flag, addresses] of [["--advertise", [advertise]], ["--join", join]] as const) {
    for (const address of addresses) {
      const name = hostOf(address);
      if (!isWildcard(name)) continue;
      throw new UsageError(
        `${flag}: ${name} is no address that other nodes can connect to: ` +
          "give the one of this machine in their network",
      );
    }
  }
  if (hasPeers && advertise === "" && isWildcard(host)) {
    throw new UsageError(
      `--host ${host} does not tell other nodes where this one is: ` +
        "set --advertise HOST[:PORT] to its address in their network",
    );
  }
}

function refuseOpenDoor(settings: Settings<typeof SERVE_FLAGS>): void {
  if (isLoopback(settings.host) || settings.insecure) return;
  if (!settings.password) {
    throw new UsageError(
      `--host ${settings.host} is reachable from other machines and there is no password: ` +
        "set --password (or BALSA_PASSWORD), or pass --insecure to allow anyone in",
    );
  }
  if (settings.token === "" && settings["http-port"] !== 0) {
    throw new UsageError(
      `--host ${settings.host} is reachable from other machines and --token is empty: ` +
        "leave --token out (it is then the password), turn HTTP off with --http-port 0, " +
        "or pass --insecure to allow anyone in",
    );
  }
}

/** A token for readers where everyone may write, or the same one for both, protects nothing. */
function refuseReadonlyToken({ token, readonlyToken }: ServeConfig): void {
  if (readonlyToken === "") return;
  if (token === "") {
    throw new UsageError(
      "--readonly-token without --token: anyone may write, set --token or --password too",
    );
  }
  if (readonlyToken === token) {
    throw new UsageError("--readonly-token and --token are the same");
  }
}

function refuseSamePort(config: ServeConfig): void {
  const ports = [
    ["--port", config.port],
    ["--http-port", config.httpPort],
    ["--peer-port", config.peerPort],
  ] as const;
  for (const [name, port] of ports) {
    for (const [other, otherPort] of ports) {
      if (name < other && port === otherPort && port !== 0) {
        throw new UsageError(`${name} and ${other} are both ${port}`);
      }
    }
  }
}

/** Whether only this machine reaches `host`: 127.0.0.0/8, ::1, localhost. */
export function isLoopback(host: string): boolean {
  const name = host.toLowerCase();
  if (name === "localhost") return true;
  if (isIP(name) === 4) return name.startsWith("127.");
  if (isIP(name) !== 6) return false;
  if (name.startsWith("::ffff:127.")) return true;
  return /^[0:]*:0*1$/.test(name);
}
