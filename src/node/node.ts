import { utf8Encode } from "../base/bytes.ts";
import { sleep } from "../base/clock.ts";
import { randomHex } from "../base/entropy.ts";
import { Histogram, TIME_BOUNDS_MS } from "../base/histogram.ts";
import type { Logger } from "../base/log.ts";
import { ConfigStore } from "../commands/config_store.ts";
import { TICK_MS } from "../constants.ts";
import { RespListener } from "../listeners/resp_listener.ts";
import { err, type ErrorReply } from "../resp/reply.ts";
import { runtimeBytes } from "../runtime/memory.ts";
import type { ListenAddress, RunningServer, ServeConfig } from "../server/config.ts";
import { followEncodingLimits } from "../server/encodings.ts";
import { latencyEventOf, LatencyMonitor } from "../server/latency_monitor.ts";
import { Limits } from "../server/limits.ts";
import { MOVED_NAME } from "../server/moved_key.ts";
import type { NodeStorage } from "../server/node_storage.ts";
import { ServerNodeView } from "../server/node_view.ts";
import type { Server } from "../server/server.ts";
import { SlowLog } from "../server/slow_log.ts";
import { EXEC_NAME } from "../server/transaction_entry.ts";
import type { SqliteDriver } from "../storage/sqlite_types.ts";
import { HttpGateway } from "./http_gateway.ts";
import { NodeCore } from "./node_core.ts";
import { SYSTEM } from "./outside.ts";

/** How long a stop waits for what clients have under way. */
const STOP_GRACE_MS = 5000;
/** How long a leader that stops waits for another to take over. */
const HANDOVER_MS = 2000;

const { clock } = SYSTEM;

/** One node, put together. */
export class Node implements RunningServer {
  readonly ready: Promise<void>;
  readonly stopped: Promise<void>;
  joins: readonly string[] = [];
  readonly #config: ServeConfig;
  readonly #logger: Logger;
  readonly #driver: SqliteDriver;
  readonly #storage: NodeStorage;
  readonly #core: NodeCore;
  readonly #parameters: ConfigStore;
  readonly #limits: Limits;
  readonly #slowLog = new SlowLog();
  readonly #latencyMonitor = new LatencyMonitor();
  readonly #startedMs = clock.wallMs();
  readonly #runId = randomHex(SYSTEM.entropy, 20);
  #programBytes = 0;
  #resp: RespListener | undefined;
  #http: HttpGateway | undefined;
  #timer: ReturnType<typeof setInterval> | undefined;
  #sessionIds = 0;
  readonly #loopDelayMs = new Histogram(TIME_BOUNDS_MS);
  #tickedMs = Infinity;
  #stopping: Promise<void> | undefined;
  #settleReady!: { resolve: () => void; reject: (error: unknown) => void };
  #settleStopped!: { resolve: () => void; reject: (error: unknown) => void };

  constructor(config: ServeConfig, logger: Logger, driver: SqliteDriver, storage: NodeStorage) {
    this.#config = config;
    this.#logger = logger;
    this.#driver = driver;
    this.#storage = storage;
    this.#parameters = new ConfigStore({
      maxclients: String(config.clientsMax),
      timeout: String(Math.ceil(config.clientIdleTimeoutMs / 1000)),
      requirepass: utf8Encode(config.password),
      port: String(config.port),
      bind: config.host,
      dir: utf8Encode(config.dataDirectory),
    });
    this.#limits = new Limits(this.#parameters);
    followEncodingLimits(this.#parameters);
    this.ready = new Promise((resolve, reject) => this.#settleReady = { resolve, reject });
    this.stopped = new Promise((resolve, reject) => this.#settleStopped = { resolve, reject });
    this.ready.catch(() => {});
    this.stopped.catch(() => {});
    const fatal = (error: unknown) => this.#fatal(error);
    const beginAnew = (addresses: readonly string[]) => {
      this.joins = addresses;
      void this.stop();
    };
    this.#core = new NodeCore({ config, logger, storage, outside: SYSTEM, fatal, beginAnew });
  }

  get #server(): Server | undefined {
    return this.#core.server;
  }

  get respAddress(): ListenAddress {
    return { host: this.#config.host, port: this.#resp?.port ?? this.#config.port };
  }

  get httpAddress(): ListenAddress | undefined {
    return this.#http && { host: this.#config.host, port: this.#http.port };
  }

  get peerAddress(): ListenAddress {
    return { host: this.#config.peerHost, port: this.#core.cluster.port };
  }

  /**
   * Listens; in the background gets an identity where it has none, and then serves. `ready`
   * resolves once writes can be served.
   */
  async start(): Promise<void> {
    await this.#core.cluster.listen();
    if (this.#storage.log.identity === undefined) {
      if (this.#config.join.length === 0) {
        await this.#core.cluster.findIdentity();
      } else {
        await this.#listen();
        this.#core.cluster.findIdentity().then(() => this.#run()).catch((e) => this.#fatal(e));
        return;
      }
    }
    this.#run();
    await this.#listen();
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop().then(
      () => this.#settleStopped.resolve(),
      (error) => this.#settleStopped.reject(error),
    );
    return this.#stopping;
  }

  async #listen(): Promise<void> {
    const { host, port, httpPort } = this.#config;
    this.#resp = await RespListener.listen(() => this.#server, {
      host,
      port,
      logger: this.#logger,
      limits: this.#limits,
      nextSessionId: () => ++this.#sessionIds,
    });
    if (httpPort === "off") return;
    this.#http = await HttpGateway.listen({
      config: this.#config,
      core: this.#core,
      storage: this.#storage,
      sqliteVersion: this.#driver.version,
      startedMs: this.#startedMs,
      loopDelayMs: this.#loopDelayMs,
    }, httpPort);
  }

  #run(): void {
    if (this.#stopping !== undefined) return;
    this.#programBytes = runtimeBytes();
    this.#core.run((server) => this.#prepare(server));
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
    this.#tick();
  }

  async #stop(): Promise<void> {
    const server = this.#server;
    this.#resp?.stopAccepting();
    const httpStopped = this.#http?.stop();
    if (server !== undefined) {
      if (server.leadership.isLeader) await this.#core.cluster.handOver(HANDOVER_MS);
      server.beginStop();
      const deadlineMs = clock.monotonicMs() + STOP_GRACE_MS;
      while (!server.quiet && clock.monotonicMs() < deadlineMs) await sleep(clock, 5);
    }
    server?.features.migrations.stop();
    this.#resp?.closeAll(false);
    await httpStopped;
    await sleep(clock, 5);
    this.#resp?.closeAll(true);
    clearInterval(this.#timer);
    this.#core.stop();
    await this.#storage.close();
  }

  #tick(): void {
    const server = this.#server;
    if (server === undefined) return;
    const nowMs = clock.monotonicMs();
    this.#loopDelayMs.observe(Math.max(0, nowMs - this.#tickedMs - TICK_MS));
    this.#tickedMs = nowMs;
    this.#core.tick();
    if (server.readiness().ready) this.#settleReady.resolve();
  }

  #fatal(error: unknown): void {
    clearInterval(this.#timer);
    this.#core.cluster.stop();
    this.#settleReady.reject(error);
    this.#settleStopped.reject(error);
  }

  #prepare(server: Server): void {
    server.node = new ServerNodeView({
      server,
      config: this.#parameters,
      limits: this.#limits,
      slowLog: this.#slowLog,
      latencyMonitor: this.#latencyMonitor,
      cluster: this.#core.cluster.view(server),
      clock,
      infoSources: () => this.#infoSources(server),
      shutdown: () => this.#shutdownByCommand(),
    });
    const { access, events, tracking } = server.features;
    access.nodePassword = () => this.#limits.password;
    access.onChange = (name) => this.#http?.userChanged(name);
    access.logMax = () => this.#parameters.number("acllog-max-len");
    const { memoryLimit } = server.features;
    memoryLimit.usedBytes = this.#storage.stateBytes;
    memoryLimit.maxBytes = this.#parameters.number("maxmemory");
    tracking.keysMax = this.#parameters.number("tracking-table-max-keys");
    events.configure(this.#parameters.text("notify-keyspace-events"));
    this.#parameters.onChange((name, value) => {
      if (name === "notify-keyspace-events") events.configure(value);
      if (name === "maxmemory") memoryLimit.maxBytes = Number(value);
      if (name === "tracking-table-max-keys") tracking.keysMax = Number(value);
    });
    server.answers.onCommand = (session, command, argv, durationMs) => {
      const { slowLogUs, slowLogMax, latencyEventMs } = this.#limits;
      if (durationMs >= latencyEventMs) this.#tookLong(latencyEventOf(command), durationMs);
      if (slowLogUs < 0 || durationMs * 1000 < slowLogUs) return;
      // EXEC is its commands, and MIGRATE tells of itself.
      if (argv[0] === EXEC_NAME || argv[0] === MOVED_NAME) return;
      this.#slowLog.add(session, argv, durationMs, clock.wallMs(), slowLogMax);
    };
    server.answers.onExpiry = (durationMs) => {
      if (durationMs >= this.#limits.latencyEventMs) this.#tookLong("expire-cycle", durationMs);
    };
  }

  #tookLong(event: string, durationMs: number): void {
    this.#latencyMonitor.add(event, durationMs, clock.wallMs());
  }

  #infoSources(server: Server) {
    return {
      server,
      config: this.#config,
      log: this.#storage.log,
      sqlite: this.#driver,
      respPort: this.respAddress.port,
      startedMs: this.#startedMs,
      limits: this.#limits,
      stateBytes: this.#storage.stateBytes,
      cache: () => this.#storage.ops.memory,
      logCacheBytes: () => this.#storage.log.cachedBytes,
      programBytes: this.#programBytes,
      runId: this.#runId,
    };
  }

  #shutdownByCommand(): Promise<ErrorReply> {
    return this.stop().then(() => err("Errors trying to SHUTDOWN. Check logs."));
  }
}
