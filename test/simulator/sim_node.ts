import type { Logger } from "../../src/base/log.ts";
import { Prng } from "../../src/base/prng.ts";
import { TICK_MS } from "../../src/constants.ts";
import { NodeCore } from "../../src/node/node_core.ts";
import { JOINED_ID_BASE } from "../../src/server/cluster.ts";
import type { ServeConfig } from "../../src/server/config.ts";
import { type NodeStorage, openNodeStorage } from "../../src/server/node_storage.ts";
import type { Server } from "../../src/server/server.ts";
import type { SqliteDriver } from "../../src/storage/sqlite_types.ts";
import { LogCorruptError } from "../../src/storage/storage_errors.ts";
import { isDiskFull } from "../../src/storage/snapshot_maker.ts";
import { MemoryMachine, RealMachine } from "./machine.ts";
import type { NodeRules } from "./node_rules.ts";
import { type ClockRules, Process, ProcessDied } from "./process.ts";
import { ShadowLog } from "./shadow_log.ts";
import { watch } from "./watch.ts";
import type { World } from "./world.ts";

export interface SimNodeOptions {
  readonly number: number;
  readonly seed: number;
  readonly world: World;
  readonly real: SqliteDriver;
  readonly isOnFiles: boolean;
  readonly rules: NodeRules;
  readonly join: readonly string[];
  readonly bootstrapExpect: number;
}

export const PEER_PORT = 1;
/** What happens as a node writes for the first time who it is. */
export const SETTLES = "settles";
/** A connection on which less is silent lives: it is asked three times, every two seconds. */
const SILENCE_MS_MIN = 2000;
/** For what is under way as a process is told to end. */
const STOP_MS_MAX = 50;

/** One machine with the production code of a node on it. */
export class SimNode {
  readonly name: string;
  readonly address: string;
  readonly machine: MemoryMachine | RealMachine;
  readonly clockRules: ClockRules = { rate: 1, wallOffsetMs: 0 };
  process: Process | undefined;
  core: NodeCore | undefined;
  storage: NodeStorage | undefined;
  /** Identities that this machine has had, the present one last; 0: none since it was wiped. */
  readonly ids: number[] = [];
  /** Its bytes were damaged on purpose: then it may refuse to start. */
  isDamaged = false;
  /** It is not to be started again by itself. */
  isRetired = false;
  /** When each node was last heard from. */
  readonly heardMs = new Map<number, number>();
  /** How often its state became that of a snapshot. */
  snapshotsInstalled = 0;
  join: readonly string[];
  readonly #options: SimNodeOptions;
  readonly #random: Prng;
  readonly #entropy: Prng;
  #isStopping = false;
  #isClosing = false;

  constructor(options: SimNodeOptions) {
    const { number, seed, world, real, isOnFiles } = options;
    this.#options = options;
    this.name = `n${number}`;
    this.address = `${this.name}:${PEER_PORT}`;
    this.join = options.join;
    this.#random = new Prng(seed ^ 0x5bd1e995);
    this.#entropy = new Prng(seed);
    const machineOptions = {
      host: this.name,
      real,
      random: this.#random,
      entropy: { bytes: (count: number) => this.#bytes(count) },
      die: (isPowerLost: boolean) => this.crash(isPowerLost, "amid a write"),
    };
    this.machine = isOnFiles ? new RealMachine(machineOptions) : new MemoryMachine(machineOptions);
    world.nodes.push(this);
  }

  get rules(): NodeRules {
    return this.#options.rules;
  }

  get isUp(): boolean {
    return this.process?.isAlive === true;
  }

  /** The server, while it runs. */
  get server(): Server | undefined {
    return this.isUp && !this.#isClosing ? this.core?.server : undefined;
  }

  get id(): number {
    return this.storage?.log.identity?.nodeId ?? 0;
  }

  /** Starts a process. */
  start(): void {
    if (this.isUp) return;
    const { world } = this.#options;
    const process = new Process({
      host: this.name,
      scheduler: world.scheduler,
      clockRules: this.clockRules,
      random: () => this.#random.next(),
      entered: () => world.touch(this),
      threw: (from, error) => this.#threw(from, error),
      mix: (value) => world.trace.mix(value),
    });
    this.process = process;
    this.core = undefined;
    this.storage = undefined;
    this.#isStopping = this.#isClosing = false;
    world.note(`${this.name} starts`);
    process.enter(() => this.#boot(process));
  }

  /** Ends the process at once. */
  crash(isPowerLost: boolean, why: string): void {
    const process = this.process;
    if (process === undefined || !process.isAlive) return;
    const { world } = this.#options;
    world.note(`${this.name} ${isPowerLost ? "loses power" : "is killed"}: ${why}`);
    process.die(isPowerLost && this.#random.next() < 0.5);
    this.machine.crashed(isPowerLost);
    Object.assign(this.machine.rules, { crashIn: Infinity, failIn: Infinity });
    this.core = undefined;
    this.storage = undefined;
    world.crashed(this);
  }

  /** Ends the process as its operator would: it writes and closes what it has. */
  stop(): void {
    const { process, core, storage, server } = this;
    if (process === undefined || core === undefined || storage === undefined) return;
    if (server === undefined || this.#isStopping) return;
    this.#isStopping = true;
    server.beginStop();
    process.clock.after(this.#random.next() * STOP_MS_MAX, () => {
      this.#isClosing = true;
      core.stop();
      storage.close()
        .then(() => this.process === process && this.crash(false, "stopped"))
        .catch((error) => this.#threw(process, error));
    });
  }

  /** A new, empty disk: what this node was is gone. */
  wipe(): void {
    const { world } = this.#options;
    world.note(`${this.name} is wiped`);
    this.machine.wipe();
    this.isDamaged = false;
    // What it had acknowledged counts on, for nothing that it had said is taken back.
    this.ids.push(0);
  }

  #boot(process: Process): void {
    const { world, rules } = this.#options;
    const storage = openNodeStorage(this.machine.driver, {
      ...this.machine.storageOptions(process),
      cacheBytes: rules.cacheBytes,
      workLimits: rules.workLimits,
      changesBytes: rules.changesBytes,
      logCacheBytes: rules.logCacheBytes,
      logWriter: rules.logWriter,
    });
    this.storage = storage;
    const core = new NodeCore({
      config: this.#config(),
      logger: this.#logger(),
      storage,
      outside: {
        clock: process.clock,
        entropy: { bytes: (count) => this.#bytes(count) },
        net: world.network.of(process),
        schedule: (turn) => {
          process.clock.after(0, turn);
        },
      },
      fatal: (error) => this.#threw(process, error),
      raft: rules.raft,
      logBytesMax: rules.logBytesMax,
      snapshotIdleMs: rules.snapshotIdleMs,
      pieceBytes: rules.pieceBytes,
    });
    this.core = core;
    world.settle(this, storage);
    if (storage.log.identity === undefined) this.#watchSettling(storage);
    const run = () => this.#run(process, core, storage);
    core.cluster.listen()
      .then(() => storage.log.identity === undefined ? core.cluster.findIdentity() : undefined)
      .then(run)
      .catch((error) => this.#threw(process, error));
  }

  /** The first that is written of who a node is: a death amid it has to be possible. */
  #watchSettling({ log }: NodeStorage): void {
    const { world } = this.#options;
    const reset = log.reset.bind(log);
    log.reset = (snapshot) => {
      if (log.lastIndex === 0) world.onEvent(this, SETTLES);
      reset(snapshot);
    };
    const setIdentity = log.setIdentity.bind(log);
    log.setIdentity = (identity) => {
      if (log.identity === undefined) world.onEvent(this, SETTLES);
      setIdentity(identity);
    };
  }

  #run(process: Process, core: NodeCore, storage: NodeStorage): void {
    if (!process.isAlive || storage.log.identity === undefined) return;
    const { world } = this.#options;
    const { nodeId } = storage.log.identity;
    if (!this.ids.includes(nodeId)) this.ids.push(nodeId);
    if (nodeId > JOINED_ID_BASE) world.truth.joined(nodeId);
    world.truth.opened(nodeId, shadowOf(storage));
    const { index } = storage.ops.applied;
    world.truth.restarted(nodeId, index, 0);
    world.checkState(this, "found at a start");
    core.run((server) => watch(nodeId, server, core, storage, world.truth, world));
    const tick = () => {
      if (this.#isClosing) return;
      process.clock.after(TICK_MS, tick);
      core.tick();
    };
    tick();
    world.note(`${this.name} runs as node ${nodeId}, applied ${index}`);
  }

  #threw(process: Process, error: unknown): void {
    if (!process.isAlive || error instanceof ProcessDied) return;
    const { world } = this.#options;
    const isExpected = isDiskFull(error) || isIoError(error) ||
      (this.isDamaged && error instanceof LogCorruptError);
    if (!isExpected) {
      const detail = error instanceof Error ? error.stack ?? error.message : String(error);
      world.truth.violate("no unexpected error", `${this.name}: ${detail}`);
    }
    const message = error instanceof Error ? error.message : String(error);
    if (error instanceof LogCorruptError) this.isRetired = true;
    this.crash(false, message);
  }

  #bytes(count: number): Uint8Array {
    const bytes = new Uint8Array(count);
    for (let i = 0; i < count; i++) bytes[i] = this.#entropy.nextUint32() >>> 24;
    return bytes;
  }

  #config(): ServeConfig {
    const { rules, bootstrapExpect } = this.#options;
    return {
      dataDirectory: "",
      host: this.name,
      port: 0,
      httpPort: "off",
      peerPort: PEER_PORT,
      password: "",
      token: "",
      readonlyToken: "",
      corsOrigin: "",
      changesBytes: rules.changesBytes,
      cacheBytes: rules.cacheBytes,
      clientsMax: 1000,
      clientIdleTimeoutMs: 0,
      logLevel: "info",
      logFormat: "text",
      sqliteDriver: "auto",
      logWriter: rules.logWriter,
      isPeerPortFixed: true,
      peerHost: this.name,
      advertise: this.address,
      join: this.join,
      bootstrapExpect,
      clusterSecret: "simulated",
      requestTimeoutMs: rules.requestTimeoutMs,
    };
  }

  /** Silence ends a connection, and only that: not one on which messages come. */
  #judgeEnd(other: unknown, reason: unknown): void {
    const { world } = this.#options;
    const silentMs = world.scheduler.nowMs - (this.heardMs.get(other as number) ?? 0);
    if (reason !== "nothing is heard of it" || silentMs > SILENCE_MS_MIN) return;
    const what = `${this.name} of node ${other}, heard ${silentMs.toFixed(0)} ms before`;
    world.truth.violate("who is heard is not cut off", what);
  }

  /** What its leader takes for lost is not what the machine there runs as. */
  #judgeReplaced(lost: unknown): void {
    const { world } = this.#options;
    const node = world.nodes.find(({ id }) => id !== 0 && id === lost);
    if (node === undefined) return;
    const what = `${this.name} removes node ${lost}, as which ${node.name} runs`;
    world.truth.violate("who is replaced is gone", what);
  }

  #logger(): Logger {
    const { world } = this.#options;
    const note: Logger["info"] = (message, fields) => {
      world.counted(this, message);
      if (message === "disconnected") this.#judgeEnd(fields?.node, fields?.reason);
      if (message === "replaced by a new node at its address") this.#judgeReplaced(fields?.node);
      if (world.trace.isFull) {
        world.note(`${this.name} log: ${message} ${JSON.stringify(fields ?? {})}`);
      }
    };
    return { debug: note, info: note, warn: note, error: note };
  }
}

/** What a log store has, read from it. */
function shadowOf({ log }: NodeStorage): ShadowLog {
  const shadow = new ShadowLog();
  const { term, votedFor } = log.hardState;
  shadow.reset(log.snapshot);
  shadow.append(log.entries(log.firstIndex, log.lastIndex + 1, Infinity) ?? [], {
    term,
    votedFor,
    commit: 0,
  });
  return shadow;
}

function isIoError(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code;
  const cause = (error as { cause?: unknown } | null)?.cause;
  if (cause !== undefined && cause !== error && isIoError(cause)) return true;
  return code === "EIO" || code === "SQLITE_IOERR" || isDiskFull(error);
}
