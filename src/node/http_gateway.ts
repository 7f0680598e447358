import { type Bytes, utf8Encode } from "../base/bytes.ts";
import { sleep, SYSTEM_CLOCK } from "../base/clock.ts";
import type { Histogram } from "../base/histogram.ts";
import { HTTP_BODY_BYTES_MAX, HTTP_IDLE_TIMEOUT_MS } from "../constants.ts";
import { type HttpApp, makeHttpApp } from "../listeners/http_listener.ts";
import { type HttpServer, serveHttp } from "../runtime/runtime.ts";
import { ChangeFeed } from "../server/change_feed.ts";
import type { ServeConfig } from "../server/config.ts";
import type { NodeStorage } from "../server/node_storage.ts";
import { makeHttpExecutor } from "./http_executor.ts";
import { MetricsPage } from "./metrics_page.ts";
import type { MetricSources } from "./metric_families.ts";
import type { NodeCore } from "./node_core.ts";

/** How long the last answers may take on their way out once the node stops. */
const ANSWER_SENT_MS = 400;

export interface HttpGatewayOptions {
  readonly config: ServeConfig;
  readonly core: NodeCore;
  readonly storage: NodeStorage;
  readonly sqliteVersion: string;
  readonly startedMs: number;
  readonly loopDelayMs: Histogram;
}

/** The way of HTTP into a node. */
export class HttpGateway {
  readonly #server: HttpServer;
  readonly #app: HttpApp;

  private constructor(server: HttpServer, app: HttpApp) {
    this.#server = server;
    this.#app = app;
  }

  /** Listens. Rejects with a ListenError. */
  static async listen(options: HttpGatewayOptions, port: number): Promise<HttpGateway> {
    const { config, core, storage } = options;
    const { host, password, token, readonlyToken, corsOrigin } = config;
    const feed = new ChangeFeed(storage.beside.changes);
    const page = new MetricsPage(() => metricSources(options, app));
    const executor = makeHttpExecutor(() => core.server, feed, page, utf8Encode(password));
    const app: HttpApp = makeHttpApp(executor, {
      // One that is the password is the default user's, for as long as that has it.
      tokens: token === "" || token === password ? [] : [token],
      readonlyTokens: readonlyToken === "" ? [] : [readonlyToken],
      corsOrigin: corsOrigin === "" ? undefined : corsOrigin,
      bodyBytesMax: HTTP_BODY_BYTES_MAX,
    });
    const server = await serveHttp({
      host,
      port,
      idleTimeoutMs: HTTP_IDLE_TIMEOUT_MS,
      fetch: (request, connection) => app.fetch(request, connection),
    });
    return new HttpGateway(server, app);
  }

  /** The rules of a user have changed; without a name: of all. */
  userChanged(name?: Bytes): void {
    this.#app.userChanged(name);
  }

  get port(): number {
    return this.#server.port;
  }

  /**
   * Ends the streams, accepts no more, and waits for the requests in flight. Who does not take what
   * is left of a stream is cut off.
   */
  stop(): Promise<void> {
    const sent = this.#app.stop().then(() => sleep(SYSTEM_CLOCK, ANSWER_SENT_MS));
    return this.#server.stop(sent);
  }
}

function metricSources(options: HttpGatewayOptions, app: HttpApp): MetricSources | undefined {
  const { core, storage, sqliteVersion, startedMs, loopDelayMs } = options;
  const { server } = core;
  if (server === undefined) return undefined;
  return {
    server,
    storage,
    cluster: server.node.cluster.status(),
    raft: server.driver.raft.status(),
    http: app.counts,
    snapshots: core.cluster.snapshotCounts,
    loopDelayMs,
    sqliteVersion,
    startedMs,
  };
}
