import { Hono } from "hono";
import { type Bytes, fromUint8Array } from "../base/bytes.ts";
import { HTTP_BODY_TIMEOUT_MS, HTTP_HEARTBEAT_MS, HTTP_STREAMS_MAX } from "../constants.ts";
import type { ConnectionView } from "../runtime/runtime.ts";
import { channelStream } from "./channel_stream.ts";
import type { EventSource } from "./event_stream.ts";
import { EventStreams } from "./event_streams.ts";
import {
  pathArguments,
  queryArguments,
  queryToken,
  type RequestTarget,
  splitTarget,
  withoutTrailingSlash,
} from "./http_arguments.ts";
import { type Access, Authorizer } from "./http_auth.ts";
import { BodyReader } from "./http_body.ts";
import { changesSource, NOT_STARTED } from "./http_changes.ts";
import { HttpCommands } from "./http_commands.ts";
import { noPermission } from "./http_permissions.ts";
import { CorsPolicy } from "./http_cors.ts";
import { HttpCounts } from "./http_counts.ts";
import { parseCommand, parsePipeline } from "./http_json.ts";
import { type Manner, mannerOf } from "./http_manner.ts";
import { errorJson } from "./http_reply.ts";
import type { ErrorReply } from "../resp/reply.ts";
import { monitorStream } from "./monitor_stream.ts";
import { HttpResponses } from "./http_response.ts";
import { type HttpExecutor, type HttpOptions, HttpProblem } from "./http_types.ts";

/** The HTTP interface: answers requests, and ends its streams when the node stops. */
export interface HttpApp {
  fetch(request: Request, connection?: ConnectionView): Response | Promise<Response>;
  /** Ends all event streams; resolves when all that was asked before is answered. */
  stop(): Promise<void>;
  /** The rules of a user have changed (without a name: of all): its streams end. */
  userChanged(name?: Bytes): void;
  readonly counts: HttpCounts;
}

/**
 * The HTTP interface as a Hono application, in the Upstash REST dialect: commands as paths
 * (`GET /get/key`), as a JSON array (`POST /`), as several (`POST /pipeline`) or as a transaction
 * (`POST /multi-exec`); `GET /changes`; the probes `GET /health` and `GET /ready`, `GET /metrics`
 * and `GET /cluster`. Every answer but a 2xx has a body `{"error":"…"}`.
 */
export function makeHttpApp(executor: HttpExecutor, options: HttpOptions): HttpApp {
  const listener = new HttpListener(executor, options);
  // One route: paths are data here, and Hono's own matching would percent-decode them.
  const app = new Hono<{ Bindings: { connection?: ConnectionView } }>({ getPath: () => "/" });
  app.all("/", (context) => listener.answer(context.req.raw, context.env?.connection));
  app.onError(() => listener.responses.problem(INTERNAL_ERROR));
  return {
    fetch: (request, connection) => app.fetch(request, { connection }),
    stop: () => listener.stop(),
    userChanged: (name) => listener.streams.endOf(name),
    counts: listener.counts,
  };
}

class HttpListener {
  readonly counts: HttpCounts;
  readonly streams: EventStreams;
  readonly responses: HttpResponses;
  readonly #executor: HttpExecutor;
  readonly #bodies: BodyReader;
  readonly #commands: HttpCommands;
  readonly #authorizer: Authorizer;
  readonly #cors: CorsPolicy;
  /** Set by a stop: nothing is under way any more. */
  #onQuiet: (() => void) | undefined;

  constructor(executor: HttpExecutor, options: HttpOptions) {
    this.#executor = executor;
    this.counts = new HttpCounts();
    this.responses = new HttpResponses(() => executor.state(), this.counts);
    this.#commands = new HttpCommands(executor, this.responses);
    this.#bodies = new BodyReader({
      bytesMax: options.bodyBytesMax,
      timeoutMs: options.bodyTimeoutMs ?? HTTP_BODY_TIMEOUT_MS,
    }, this.counts);
    this.streams = new EventStreams({
      streamsMax: options.streamsMax ?? HTTP_STREAMS_MAX,
      heartbeatMs: options.heartbeatMs ?? HTTP_HEARTBEAT_MS,
    }, this.counts);
    this.#authorizer = new Authorizer(options, executor.users);
    this.#cors = new CorsPolicy(options.corsOrigin);
  }

  answer(request: Request, connection?: ConnectionView): Response | Promise<Response> {
    const response = this.#route(request, connection);
    if (!(response instanceof Promise)) return this.#finish(request, response);
    this.counts.underWay++;
    return response.then((settled) => {
      this.#ended();
      return this.#finish(request, settled);
    }, (error) => {
      this.#ended();
      throw error;
    });
  }

  #ended(): void {
    if (--this.counts.underWay === 0) this.#onQuiet?.();
  }

  stop(): Promise<void> {
    this.streams.close();
    if (this.counts.underWay === 0) return Promise.resolve();
    return new Promise((resolve) => this.#onQuiet = resolve);
  }

  #finish(request: Request, response: Response): Response {
    this.counts.count(response.status);
    return this.#cors.enabled ? this.#cors.decorate(request, response) : response;
  }

  #problem(problem: HttpProblem): Response {
    return this.responses.problem(problem);
  }

  #route(request: Request, connection?: ConnectionView): Response | Promise<Response> {
    const target = splitTarget(request.url);
    if (target instanceof HttpProblem) return this.#problem(target);
    const { method, headers } = request;
    const page = withoutTrailingSlash(target.path);
    if (page === "/health" || page === "/ready") return this.#probe(page, method);
    if (method === "OPTIONS") return this.#cors.preflight(request, methodsOf(page));
    const access = this.#authorizer.accessOf(
      headers.get("authorization"),
      queryToken(target.query),
    );
    if (access === "none") return this.#problem(UNAUTHORIZED);
    if (this.#cors.isForeign(headers) && this.#authorizer.anonymous() !== "none") {
      return this.#problem(FOREIGN_ORIGIN);
    }
    const manner = mannerOf(headers, this.#executor.state().clusterId);
    if (manner instanceof HttpProblem) return this.#problem(manner);
    if (manner.minIndex === 0) return this.#dispatch(request, target, manner, access, connection);
    return this.#executor.reached(manner.minIndex).then((isReached) =>
      isReached
        ? this.#dispatch(request, target, manner, access, connection)
        : this.#problem(notReached(manner.minIndex))
    );
  }

  #dispatch(
    request: Request,
    target: RequestTarget,
    manner: Manner,
    access: Access,
    connection?: ConnectionView,
  ): Response | Promise<Response> {
    const page = withoutTrailingSlash(target.path);
    if (POST_PATHS.has(page)) return this.#jsonForm(request, page, manner, access);
    if (GET_PATHS.has(page)) {
      return this.#page(request, { ...target, path: page }, access, connection);
    }
    if (STREAM_PATH.test(target.path)) {
      return this.#subscribe(request, target.path, access, connection);
    }
    return this.#pathForm(request, target, manner, access);
  }

  #probe(path: string, method: string): Response | Promise<Response> {
    if (method !== "GET" && method !== "HEAD") {
      return this.#problem(methodNotAllowed(method, METHODS_OF_GET_PATHS));
    }
    if (path === "/health") return this.responses.text('{"status":"ok"}');
    return this.#executor.readiness().then(({ ready, reason }) =>
      ready
        ? this.responses.text('{"status":"ready"}')
        : this.responses.text(errorJson(`not ready: ${reason}`), 503)
    );
  }

  /** GET /cluster, /metrics and /changes. */
  #page(
    request: Request,
    target: RequestTarget,
    access: Access,
    connection?: ConnectionView,
  ): Response | Promise<Response> {
    const { method } = request;
    if (method !== "GET" && method !== "HEAD") {
      return this.#problem(methodNotAllowed(method, METHODS_OF_GET_PATHS));
    }
    const refused = target.path === "/changes"
      ? typeof access === "string" ? undefined : noPermission("changes")
      : this.#refusal(access, ["info"]);
    if (refused !== undefined) return this.responses.reply(refused, "json");
    if (target.path === "/cluster") return this.responses.cluster(this.#executor.cluster());
    if (target.path === "/metrics") {
      return this.#executor.metrics().then(({ text, contentType }) =>
        this.responses.text(text, 200, contentType)
      );
    }
    const { changes } = this.#executor;
    const { index } = this.#executor.state();
    const make = changesSource(changes, target.query, request.headers, index);
    if (make instanceof HttpProblem) return this.#problem(make);
    return this.#stream(method, make, access, connection);
  }

  #refusal(access: Access, argv: readonly Bytes[]): ErrorReply | undefined {
    return typeof access === "string" ? undefined : this.#executor.users.refusal(access, argv);
  }

  /**
   * `/subscribe/CHANNEL/…`, `/psubscribe/PATTERN/…` and `/monitor`. The body is ignored: the SDK
   * sends `[]`.
   */
  #subscribe(
    request: Request,
    path: string,
    access: Access,
    connection?: ConnectionView,
  ): Response {
    const { method } = request;
    if (method !== "GET" && method !== "HEAD" && method !== "POST") {
      return this.#problem(methodNotAllowed(method, METHODS_OF_STREAMS));
    }
    const names = pathArguments(path);
    if (names instanceof HttpProblem) return this.#problem(names);
    const refused = this.#refusal(access, names);
    if (refused !== undefined) return this.responses.reply(refused, "json");
    const word = names.shift()!.toLowerCase();
    const { pubsub, monitors } = this.#executor;
    if (pubsub === undefined || monitors === undefined) return this.#problem(NOT_STARTED);
    if (word !== "monitor") {
      const space = word === "subscribe" ? "channel" : "pattern";
      const make = (wake: () => void) => channelStream(pubsub, space, names, wake);
      return this.#stream(method, make, access, connection);
    }
    if (access === "read") return this.responses.reply(noPermission(word), "json");
    return this.#stream(method, (wake) => monitorStream(monitors, wake), access, connection);
  }

  #stream(
    method: string,
    make: (wake: () => void) => EventSource,
    access: Access,
    connection?: ConnectionView,
  ): Response {
    const headers = this.responses.headers(undefined, "text/event-stream");
    if (method === "HEAD") return new Response(null, { headers });
    const user = typeof access === "string" ? undefined : access.user;
    const body = this.streams.open(make, user, () => connection?.keepOpen(false));
    if (body instanceof HttpProblem) return this.#problem(body);
    connection?.keepOpen(true);
    return new Response(body, { headers });
  }

  /** `/command/argument/…`, with the body as the next argument and then the query. */
  #pathForm(
    request: Request,
    target: RequestTarget,
    manner: Manner,
    access: Access,
  ): Response | Promise<Response> {
    const method = request.method;
    const sends = method === "POST" || method === "PUT";
    if (!sends && method !== "GET" && method !== "HEAD") {
      return this.#problem(methodNotAllowed(method, METHODS_OF_PATHS));
    }
    const argv = pathArguments(target.path);
    if (argv instanceof HttpProblem) return this.#problem(argv);
    if (argv[0] === "") return this.#problem(NO_COMMAND);
    const options = queryArguments(target.query);
    if (options instanceof HttpProblem) return this.#problem(options);
    if (!sends) {
      argv.push(...options);
      return this.#commands.one(argv, manner, access);
    }
    return this.#bodies.read(request).then((body) => {
      if (body instanceof HttpProblem) return this.#problem(body);
      if (body.length > 0) argv.push(fromUint8Array(body));
      argv.push(...options);
      return this.#commands.one(argv, manner, access);
    });
  }

  async #jsonForm(
    request: Request,
    path: string,
    manner: Manner,
    access: Access,
  ): Promise<Response> {
    const method = request.method;
    if (method !== "POST") {
      const hinted = path === "/" && (method === "GET" || method === "HEAD");
      return this.#problem(hinted ? NO_COMMAND : methodNotAllowed(method, METHODS_OF_POST_PATHS));
    }
    const body = await this.#bodies.read(request);
    if (body instanceof HttpProblem) return this.#problem(body);
    const parsed: Bytes[] | Bytes[][] | HttpProblem = path === "/"
      ? parseCommand(body)
      : parsePipeline(body);
    if (parsed instanceof HttpProblem) return this.#problem(parsed);
    if (path === "/") return this.#commands.one(parsed as Bytes[], manner, access);
    return path === "/pipeline"
      ? this.#commands.pipeline(parsed as Bytes[][], manner, access)
      : this.#commands.transaction(parsed as Bytes[][], manner, access);
  }
}

function methodsOf(path: string): string {
  if (POST_PATHS.has(path)) return METHODS_OF_POST_PATHS;
  return GET_PATHS.has(path) ? METHODS_OF_GET_PATHS : METHODS_OF_PATHS;
}

function methodNotAllowed(method: string, allow: string): HttpProblem {
  return new HttpProblem(405, `ERR method ${method} is not allowed here, use ${allow}`, { allow });
}

function notReached(index: number): HttpProblem {
  return new HttpProblem(503, `TRYAGAIN this node has not reached index ${index} in time`);
}

const METHODS_OF_PATHS = "GET, HEAD, POST, PUT, OPTIONS";
const METHODS_OF_POST_PATHS = "POST, OPTIONS";
const METHODS_OF_STREAMS = "GET, HEAD, POST, OPTIONS";
const STREAM_PATH = /^\/(?:p?subscribe\/.|monitor\/?$)/i;
const METHODS_OF_GET_PATHS = "GET, HEAD, OPTIONS";
/** Paths with a JSON body, and pages; any other path is a command. */
const POST_PATHS: ReadonlySet<string> = new Set(["/", "/pipeline", "/multi-exec"]);
const GET_PATHS: ReadonlySet<string> = new Set(["/cluster", "/metrics", "/changes"]);

const UNAUTHORIZED = new HttpProblem(401, "WRONGPASS invalid or missing auth token");
const FOREIGN_ORIGIN = new HttpProblem(
  403,
  "ERR this origin may not call a server that asks for no token",
);
const NO_COMMAND = new HttpProblem(
  404,
  "ERR no command: use GET /get/KEY, POST / with a JSON array, or GET /health",
);
const INTERNAL_ERROR = new HttpProblem(500, "ERR internal error");
