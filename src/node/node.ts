import { randomBytes, randomInt } from "node:crypto";
import { assert } from "../base/assert.ts";
import { utf8Encode } from "../base/bytes.ts";
import type { Logger } from "../base/log.ts";
import { ConfigStore } from "../commands/config_store.ts";
import { HTTP_BODY_BYTES_MAX, RAFT_DEFAULTS, TICK_MS } from "../constants.ts";
import { makeHttpApp } from "../listeners/http_listener.ts";
import { RespListener } from "../listeners/resp_listener.ts";
import { Raft } from "../raft/raft.ts";
import { err, type ErrorReply } from "../resp/reply.ts";
import { type HttpServer, serveHttp } from "../runtime/runtime.ts";
import { SYSTEM_CLOCK } from "../server/clock.ts";
import type { ListenAddress, RunningServer, ServeConfig } from "../server/config.ts";
import { DiskGuard } from "../server/disk_guard.ts";
import { Housekeeper } from "../server/housekeeper.ts";
import { Limits } from "../server/limits.ts";
import { LogPurger } from "../server/log_purger.ts";
import type { NodeStorage } from "../server/node_storage.ts";
import { ServerNodeView } from "../server/node_view.ts";
import { Server } from "../server/server.ts";
import { SlowLog } from "../server/slow_log.ts";
import type { SqliteDriver } from "../storage/sqlite_types.ts";
import { ClusterNode } from "./cluster_node.ts";
import { makeHttpExecutor } from "./http_executor.ts";

/** How long a stop waits for what clients have under way. */
const STOP_GRACE_MS = 5000;
/** How long a leader that stops waits for another to take over. */
const HANDOVER_MS = 2000;

/** A leader whose disk stays full this long asks another voter to lead, and again after a while. */
const FULL_DISK_HANDOVER_MS = 500;
const FULL_DISK_HANDOVER_RETRY_MS = 10_000;

/** One node, put together. */
export class Node implements RunningServer {
  readonly ready: Promise<void>;
  readonly stopped: Promise<void>;
  readonly #config: ServeConfig;
  readonly #logger: Logger;
  readonly #driver: SqliteDriver;
  readonly #storage: NodeStorage;
  readonly #cluster: ClusterNode;
  readonly #parameters: ConfigStore;
  readonly #limits: Limits;
  readonly #slowLog = new SlowLog();
  readonly #housekeeper: Housekeeper;
  readonly #startedMs = SYSTEM_CLOCK.wallMs();
  readonly #runId = randomBytes(20).toString("hex");
  #server: Server | undefined;
  #resp: RespListener | undefined;
  #http: HttpServer | undefined;
  #timer: ReturnType<typeof setInterval> | undefined;
  #sessionIds = 0;
  /** On the monotonic clock; Infinity while there is room. */
  #handOverAtMs = Infinity;
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
    this.ready = new Promise((resolve, reject) => this.#settleReady = { resolve, reject });
    this.stopped = new Promise((resolve, reject) => this.#settleStopped = { resolve, reject });
    this.ready.catch(() => {});
    this.stopped.catch(() => {});
    const fatal = (error: unknown) => this.#fatal(error);
    const purger = new LogPurger(storage, logger);
    this.#cluster = new ClusterNode({
      config,
      logger,
      storage,
      driver: driver.name,
      purger,
      fatal,
    });
    this.#housekeeper = new Housekeeper({
      storage,
      logger,
      purger,
      users: {
        status: () => this.#server!.driver.raft.status(),
        snapshotHold: () => this.#cluster.snapshotHold(),
      },
      fatal,
      onStep: () => this.#server?.stateWritten(),
    });
  }

  get respAddress(): ListenAddress {
    return { host: this.#config.host, port: this.#resp?.port ?? this.#config.port };
  }

  get httpAddress(): ListenAddress | undefined {
    return this.#http && { host: this.#config.host, port: this.#http.port };
  }

  get peerAddress(): ListenAddress {
    return { host: this.#config.peerHost, port: this.#cluster.port };
  }

  /**
   * Listens; in the background gets an identity where it has none, and then serves. `ready`
   * resolves once writes can be served.
   */
  async start(): Promise<void> {
    await this.#cluster.listen();
    if (this.#storage.log.identity === undefined) {
      if (this.#config.join.length === 0) {
        await this.#cluster.findIdentity();
      } else {
        await this.#listen();
        this.#cluster.findIdentity().then(() => this.#run()).catch((e) => this.#fatal(e));
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
    const { host, port, httpPort, token } = this.#config;
    this.#resp = await RespListener.listen(() => this.#server, {
      host,
      port,
      logger: this.#logger,
      limits: this.#limits,
      nextSessionId: () => ++this.#sessionIds,
    });
    if (httpPort === "off") return;
    const app = makeHttpApp(makeHttpExecutor(() => this.#server), {
      tokens: token === "" ? [] : [token],
      bodyBytesMax: HTTP_BODY_BYTES_MAX,
    });
    this.#http = await serveHttp({ host, port: httpPort, fetch: (request) => app.fetch(request) });
  }

  #run(): void {
    if (this.#stopping !== undefined) return;
    this.#server = this.#makeServer(new DiskGuard(this.#config.dataDirectory));
    this.#cluster.attach(this.#server);
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
    this.#tick();
  }

  async #stop(): Promise<void> {
    const server = this.#server;
    this.#resp?.stopAccepting();
    const httpStopped = this.#http?.stop();
    if (server !== undefined) {
      if (server.leadership.isLeader) await this.#cluster.handOver(HANDOVER_MS);
      server.beginStop();
      const deadlineMs = SYSTEM_CLOCK.monotonicMs() + STOP_GRACE_MS;
      while (!server.quiet && SYSTEM_CLOCK.monotonicMs() < deadlineMs) await pause();
    }
    this.#resp?.closeAll(false);
    await httpStopped;
    await pause();
    this.#resp?.closeAll(true);
    clearInterval(this.#timer);
    this.#cluster.stop();
    this.#housekeeper.stop();
    await this.#storage.close();
  }

  #tick(): void {
    const server = this.#server;
    if (server === undefined) return;
    const nowMs = SYSTEM_CLOCK.monotonicMs();
    server.tick();
    this.#cluster.tick(nowMs);
    this.#housekeeper.tick(nowMs);
    this.#handOverWhenFull(server, nowMs);
    if (server.readiness().ready) this.#settleReady.resolve();
  }

  #handOverWhenFull(server: Server, nowMs: number): void {
    if (!server.leadership.isLeader || !server.isDiskFull) {
      this.#handOverAtMs = Infinity;
    } else if (this.#handOverAtMs === Infinity) {
      this.#handOverAtMs = nowMs + FULL_DISK_HANDOVER_MS;
    } else if (nowMs >= this.#handOverAtMs) {
      this.#handOverAtMs = nowMs + FULL_DISK_HANDOVER_RETRY_MS;
      if (server.driver.raft.status().configuration.voters.length < 2) return;
      this.#logger.warn("disk full: another node is asked to lead");
      server.transferLeader(0);
    }
  }

  #fatal(error: unknown): void {
    clearInterval(this.#timer);
    this.#cluster.stop();
    this.#settleReady.reject(error);
    this.#settleStopped.reject(error);
  }

  #makeServer(guard: DiskGuard): Server {
    const { log, ops } = this.#storage;
    assert(log.identity !== undefined, "a node that runs has an identity");
    const raft = new Raft({
      id: log.identity.nodeId,
      configuration: log.snapshot.configuration,
      hardState: log.hardState,
      log,
      applied: ops.applied.index,
      ...RAFT_DEFAULTS,
      random: () => randomInt(2 ** 32) / 2 ** 32,
    });
    const server = new Server({
      raft,
      log,
      ops,
      clock: SYSTEM_CLOCK,
      logger: this.#logger,
      seed: randomInt(2 ** 32),
      link: this.#cluster.link,
      schedule: (run) => setImmediate(run),
      requestTimeoutMs: this.#config.requestTimeoutMs,
      fatal: (error) => this.#fatal(error),
      isBacklogged: () => ops.backlogged,
      stateIsFull: () => ops.diskFull,
      lowOnDisk: () => guard.low(SYSTEM_CLOCK.monotonicMs()),
    });
    server.node = new ServerNodeView({
      server,
      config: this.#parameters,
      limits: this.#limits,
      slowLog: this.#slowLog,
      cluster: this.#cluster.view(server),
      infoSources: () => this.#infoSources(server),
      shutdown: () => this.#shutdownByCommand(),
    });
    server.onCommand = (session, argv, durationMs) => {
      const { slowLogUs, slowLogMax } = this.#limits;
      if (slowLogUs < 0 || durationMs * 1000 < slowLogUs) return;
      this.#slowLog.add(session, argv, durationMs, SYSTEM_CLOCK.wallMs(), slowLogMax);
    };
    return server;
  }

  #infoSources(server: Server) {
    return {
      server,
      config: this.#config,
      log: this.#storage.log,
      sqlite: this.#driver,
      respPort: this.respAddress.port,
      startedMs: this.#startedMs,
      clientsMax: this.#limits.clientsMax,
      stateBytes: this.#storage.stateBytes,
      runId: this.#runId,
    };
  }

  #shutdownByCommand(): Promise<ErrorReply> {
    return this.stop().then(() => err("Errors trying to SHUTDOWN. Check logs."));
  }
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 5));
}
