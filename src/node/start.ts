import { randomBytes, randomInt } from "node:crypto";
import { utf8Encode } from "./base/bytes.ts";
import type { Logger } from "./base/log.ts";
import { ConfigStore } from "./commands/config_store.ts";
import { HTTP_BODY_BYTES_MAX, RAFT_DEFAULTS, REQUEST_TIMEOUT_MS, TICK_MS } from "./constants.ts";
import { BatchSession } from "./listeners/batch_session.ts";
import { makeHttpApp } from "./listeners/http_listener.ts";
import type { HttpExecutor } from "./listeners/http_types.ts";
import { RespListener } from "./listeners/resp_listener.ts";
import { Raft } from "./raft/raft.ts";
import { err, type ErrorReply } from "./resp/reply.ts";
import { type HttpServer, serveHttp } from "./runtime/runtime.ts";
import { SYSTEM_CLOCK } from "./server/clock.ts";
import type { ListenAddress, RunningServer, ServeConfig } from "./server/config.ts";
import { DiskGuard } from "./server/disk_guard.ts";
import { Housekeeper } from "./server/housekeeper.ts";
import { Limits } from "./server/limits.ts";
import { ServerNodeView } from "./server/node_view.ts";
import { type NodeStorage, openNodeStorage } from "./server/node_storage.ts";
import { Server } from "./server/server.ts";
import { SlowLog } from "./server/slow_log.ts";
import { loadSqlite } from "./storage/sqlite.ts";
import type { SqliteDriver } from "./storage/sqlite_types.ts";

/** How long a stop waits for what clients have under way. */
const STOP_GRACE_MS = 5000;

/**
 * Starts a node: opens its data directory, recovers, listens. Rejects with one clear line when it
 * cannot; nothing stays open then.
 */
export async function startServer(config: ServeConfig, logger: Logger): Promise<RunningServer> {
  const driver = await loadSqlite(config.sqliteDriver === "auto" ? undefined : config.sqliteDriver);
  const storage = openNodeStorage(driver, {
    path: config.dataDirectory,
    cacheBytes: config.cacheBytes,
    peerAddress: `${config.host}:${config.peerPort}`,
  });
  const node = new Node(config, logger, driver, storage);
  try {
    await node.listen();
  } catch (error) {
    await node.stop();
    throw error;
  }
  node.run();
  return node;
}

/** One node, put together. */
class Node implements RunningServer {
  readonly ready: Promise<void>;
  readonly stopped: Promise<void>;
  readonly #config: ServeConfig;
  readonly #logger: Logger;
  readonly #storage: NodeStorage;
  readonly #parameters: ConfigStore;
  readonly #limits: Limits;
  readonly #server: Server;
  readonly #slowLog = new SlowLog();
  readonly #housekeeper: Housekeeper;
  readonly #startedMs = SYSTEM_CLOCK.wallMs();
  readonly #runId = randomBytes(20).toString("hex");
  readonly #driver: SqliteDriver;
  #resp: RespListener | undefined;
  #http: HttpServer | undefined;
  #timer: ReturnType<typeof setInterval> | undefined;
  #sessionIds = 0;
  #isDiskFull = false;
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
    this.#server = this.#makeServer(new DiskGuard(config.dataDirectory));
    this.#housekeeper = new Housekeeper(storage, logger, (error) => this.#fatal(error));
    this.#server.onCommand = (session, argv, durationMs) => {
      const { slowLogUs, slowLogMax } = this.#limits;
      if (slowLogUs < 0 || durationMs * 1000 < slowLogUs) return;
      this.#slowLog.add(session, argv, durationMs, SYSTEM_CLOCK.wallMs(), slowLogMax);
    };
  }

  get respAddress(): ListenAddress {
    return { host: this.#config.host, port: this.#resp?.port ?? this.#config.port };
  }

  get httpAddress(): ListenAddress | undefined {
    return this.#http && { host: this.#config.host, port: this.#http.port };
  }

  async listen(): Promise<void> {
    const { host, port, httpPort, token } = this.#config;
    this.#resp = await RespListener.listen(this.#server, {
      host,
      port,
      logger: this.#logger,
      limits: this.#limits,
      nextSessionId: () => ++this.#sessionIds,
    });
    if (httpPort === "off") return;
    const app = makeHttpApp(this.#httpExecutor(), {
      tokens: token === "" ? [] : [token],
      bodyBytesMax: HTTP_BODY_BYTES_MAX,
    });
    this.#http = await serveHttp({ host, port: httpPort, fetch: (request) => app.fetch(request) });
  }

  /** Starts the clockwork; `ready` resolves once writes can be served. */
  run(): void {
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
    this.#tick();
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop().then(
      () => this.#settleStopped.resolve(),
      (error) => this.#settleStopped.reject(error),
    );
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    this.#resp?.stopAccepting();
    const httpStopped = this.#http?.stop();
    this.#server.beginStop();
    const deadlineMs = SYSTEM_CLOCK.monotonicMs() + STOP_GRACE_MS;
    while (!this.#server.quiet && SYSTEM_CLOCK.monotonicMs() < deadlineMs) await turn();
    this.#resp?.closeAll(false);
    await httpStopped;
    await turn();
    this.#resp?.closeAll(true);
    clearInterval(this.#timer);
    this.#housekeeper.stop();
    this.#storage.close();
  }

  #tick(): void {
    this.#server.tick();
    this.#housekeeper.tick(SYSTEM_CLOCK.monotonicMs());
    const { ready, reason } = this.#server.readiness();
    if (ready) this.#settleReady.resolve();
    this.#noteDisk(reason === "disk full");
  }

  /** Says once when the disk fills up and once when there is room again. */
  #noteDisk(full: boolean): void {
    if (full === this.#isDiskFull) return;
    this.#isDiskFull = full;
    if (full) {
      const path = this.#config.dataDirectory;
      this.#logger.error("disk full: writes are refused until there is room", { path });
    } else this.#logger.info("there is room on the disk again: writes are served");
  }

  #fatal(error: unknown): void {
    clearInterval(this.#timer);
    this.#settleReady.reject(error);
    this.#settleStopped.reject(error);
  }

  #makeServer(guard: DiskGuard): Server {
    const { log, ops } = this.#storage;
    const raft = new Raft({
      id: log.identity!.nodeId,
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
      schedule: (run) => setImmediate(run),
      requestTimeoutMs: REQUEST_TIMEOUT_MS,
      fatal: (error) => this.#fatal(error),
      lowOnDisk: () => guard.low(SYSTEM_CLOCK.monotonicMs()),
    });
    server.node = new ServerNodeView({
      server,
      config: this.#parameters,
      limits: this.#limits,
      slowLog: this.#slowLog,
      infoSources: () => this.#infoSources(),
      shutdown: () => this.#shutdownByCommand(),
    });
    return server;
  }

  #infoSources() {
    return {
      server: this.#server,
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

  #httpExecutor(): HttpExecutor {
    const server = this.#server;
    const run = (commands: Parameters<NonNullable<HttpExecutor["executeInOrder"]>>[0]) =>
      new BatchSession(server, commands, {
        id: 0,
        nowMs: SYSTEM_CLOCK.wallMs(),
        remoteAddress: "",
        localAddress: "",
        passwordRequired: () => false,
      }).run();
    return {
      execute: (argv) => run([argv]).then((replies) => replies[0]),
      executeInOrder: run,
      readiness: () => server.readiness(),
    };
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 5));
}
