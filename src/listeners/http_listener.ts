import { Hono } from "hono";
import { type Bytes, fromUint8Array } from "../base/bytes.ts";
import type { Consistency } from "../commands/local_context.ts";
import { ErrorReply, type Reply } from "../resp/reply.ts";
import {
  pathArguments,
  queryArguments,
  queryToken,
  type RequestTarget,
  splitTarget,
} from "./http_arguments.ts";
import { makeAuthorizer } from "./http_auth.ts";
import { readBody } from "./http_body.ts";
import { CorsPolicy } from "./http_cors.ts";
import { parseCommand, parsePipeline } from "./http_json.ts";
import { refusedOverHttp } from "./http_refused.ts";
import { errorJson } from "./http_reply.ts";
import {
  batchResponse,
  clusterResponse,
  problemResponse,
  readLevel,
  type ReplyFormat,
  replyFormat,
  replyResponse,
} from "./http_response.ts";
import { type HttpExecutor, type HttpOptions, HttpProblem } from "./http_types.ts";

/**
 * The HTTP interface as a Hono application, in the Upstash REST dialect: commands as paths
 * (`GET /get/key`), as a JSON array (`POST /`) or as several (`POST /pipeline`), the probes
 * `GET /health` and `GET /ready`, and `GET /cluster`. Every answer but a 2xx has a body `{"error":"…"}`.
 */
export function makeHttpApp(executor: HttpExecutor, options: HttpOptions): Hono {
  const listener = new HttpListener(executor, options);
  // One route: paths are data here, and Hono's own matching would percent-decode them.
  const app = new Hono({ getPath: () => "/" });
  app.all("/", (context) => listener.answer(context.req.raw));
  app.onError(() => problemResponse(INTERNAL_ERROR));
  return app;
}

/** What the headers of a request say of how it is run and answered. */
interface Manner {
  readonly format: ReplyFormat;
  readonly consistency: Consistency;
}

class HttpListener {
  readonly #executor: HttpExecutor;
  readonly #bodyBytesMax: number;
  readonly #authorized: ReturnType<typeof makeAuthorizer>;
  readonly #open: boolean;
  readonly #cors: CorsPolicy;

  constructor(executor: HttpExecutor, options: HttpOptions) {
    this.#executor = executor;
    this.#bodyBytesMax = options.bodyBytesMax;
    this.#authorized = makeAuthorizer(options.tokens);
    this.#open = options.tokens.length === 0;
    this.#cors = new CorsPolicy(options.corsOrigin);
  }

  answer(request: Request): Response | Promise<Response> {
    if (!this.#cors.enabled) return this.#route(request);
    const response = this.#route(request);
    return response instanceof Promise
      ? response.then((settled) => this.#cors.decorate(request, settled))
      : this.#cors.decorate(request, response);
  }

  #route(request: Request): Response | Promise<Response> {
    const target = splitTarget(request.url);
    if (target instanceof HttpProblem) return problemResponse(target);
    const method = request.method;
    if (target.path === "/health" || target.path === "/ready") {
      return this.#probe(target.path, method);
    }
    if (method === "OPTIONS") {
      const methods = POST_PATHS.has(target.path) ? METHODS_OF_POST_PATHS : METHODS_OF_PATHS;
      return this.#cors.preflight(request, methods);
    }
    const headers = request.headers;
    if (this.#open) {
      if (this.#cors.isForeign(headers)) return problemResponse(FOREIGN_ORIGIN);
    } else if (!this.#authorized(headers.get("authorization"), queryToken(target.query))) {
      return problemResponse(UNAUTHORIZED);
    }
    const format = replyFormat(headers);
    if (format instanceof HttpProblem) return problemResponse(format);
    const consistency = readLevel(headers);
    if (consistency instanceof HttpProblem) return problemResponse(consistency);
    const manner = { format, consistency };
    if (POST_PATHS.has(target.path)) return this.#jsonForm(request, target.path, manner);
    if (target.path === "/cluster" && (method === "GET" || method === "HEAD")) {
      if (this.#executor.cluster !== undefined) return clusterResponse(this.#executor.cluster());
    }
    return this.#pathForm(request, target, manner);
  }

  #probe(path: string, method: string): Response {
    if (method !== "GET" && method !== "HEAD") {
      return problemResponse(methodNotAllowed(method, "GET, HEAD"));
    }
    if (path === "/health") return new Response('{"status":"ok"}', PROBE_OK);
    const { ready, reason } = this.#executor.readiness();
    if (ready) return new Response('{"status":"ready"}', PROBE_OK);
    return new Response(errorJson(`not ready: ${reason}`), PROBE_UNAVAILABLE);
  }

  /** `/command/argument/…`, with the body as the next argument and then the query. */
  #pathForm(
    request: Request,
    target: RequestTarget,
    manner: Manner,
  ): Response | Promise<Response> {
    const method = request.method;
    const sends = method === "POST" || method === "PUT";
    if (!sends && method !== "GET" && method !== "HEAD") {
      return problemResponse(methodNotAllowed(method, METHODS_OF_PATHS));
    }
    const argv = pathArguments(target.path);
    if (argv instanceof HttpProblem) return problemResponse(argv);
    if (argv[0] === "") return problemResponse(NO_COMMAND);
    const options = queryArguments(target.query);
    if (options instanceof HttpProblem) return problemResponse(options);
    if (!sends) {
      argv.push(...options);
      return this.#execute(argv, manner);
    }
    return readBody(request, this.#bodyBytesMax).then((body) => {
      if (body instanceof HttpProblem) return problemResponse(body);
      if (body.length > 0) argv.push(fromUint8Array(body));
      argv.push(...options);
      return this.#execute(argv, manner);
    });
  }

  async #jsonForm(request: Request, path: string, manner: Manner): Promise<Response> {
    const method = request.method;
    if (method !== "POST") {
      const hinted = path === "/" && (method === "GET" || method === "HEAD");
      return problemResponse(hinted ? NO_COMMAND : methodNotAllowed(method, METHODS_OF_POST_PATHS));
    }
    const body = await readBody(request, this.#bodyBytesMax);
    if (body instanceof HttpProblem) return problemResponse(body);
    if (path === "/multi-exec") return problemResponse(NO_TRANSACTIONS);
    if (path === "/") {
      const argv = parseCommand(body);
      return argv instanceof HttpProblem ? problemResponse(argv) : this.#execute(argv, manner);
    }
    const commands = parsePipeline(body);
    if (commands instanceof HttpProblem) return problemResponse(commands);
    return batchResponse(await this.#executeInOrder(commands, manner), manner.format);
  }

  #execute(argv: readonly Bytes[], manner: Manner): Response | Promise<Response> {
    const refused = refusedOverHttp(argv);
    if (refused !== undefined) return replyResponse(refused, manner.format);
    return this.#executor.execute(argv, manner).then((reply) =>
      replyResponse(reply, manner.format)
    );
  }

  /** The replies of a pipeline; a refused command is answered in its place. */
  async #executeInOrder(
    commands: readonly (readonly Bytes[])[],
    manner: Manner,
  ): Promise<readonly Reply[]> {
    const replies: Reply[] = commands.map((argv) => refusedOverHttp(argv) ?? null);
    const allowed = commands.filter((_, index) => !(replies[index] instanceof ErrorReply));
    const answers = await this.#executor.executeInOrder?.(allowed, manner);
    let next = 0;
    for (let index = 0; index < replies.length; index++) {
      if (replies[index] instanceof ErrorReply) continue;
      replies[index] = answers === undefined
        ? await this.#executor.execute(commands[index], manner)
        : answers[next++];
    }
    return replies;
  }
}

function methodNotAllowed(method: string, allow: string): HttpProblem {
  return new HttpProblem(405, `ERR method ${method} is not allowed here, use ${allow}`, allow);
}

const METHODS_OF_PATHS = "GET, HEAD, POST, PUT, OPTIONS";
const METHODS_OF_POST_PATHS = "POST, OPTIONS";
/** Paths with a JSON body; any other path is a command. */
const POST_PATHS: ReadonlySet<string> = new Set(["/", "/pipeline", "/multi-exec"]);

const PROBE_HEADERS = { "Content-Type": "application/json", "Cache-Control": "no-store" };
const PROBE_OK = { status: 200, headers: PROBE_HEADERS };
const PROBE_UNAVAILABLE = { status: 503, headers: PROBE_HEADERS };

const UNAUTHORIZED = new HttpProblem(401, "WRONGPASS invalid or missing auth token");
const FOREIGN_ORIGIN = new HttpProblem(
  403,
  "ERR this origin may not call a server that asks for no token",
);
const NO_COMMAND = new HttpProblem(
  404,
  "ERR no command: use GET /get/KEY, POST / with a JSON array, or GET /health",
);
const NO_TRANSACTIONS = new HttpProblem(400, "ERR transactions are not available yet");
const INTERNAL_ERROR = new HttpProblem(500, "ERR internal error");
