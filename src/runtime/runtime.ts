import process from "node:process";

/** The programs Balsa runs on. */
export type RuntimeName = "bun" | "deno" | "node";

/** The connection of a request. */
export interface ConnectionView {
  /** The client's address, "" where it is unknown. */
  address(): string;
  /**
   * Whether its response may stay silent for as long as it likes: no idle time-out ends it then. To
   * be taken back once all of it was said.
   */
  keepOpen(isOpen: boolean): void;
}

/** Answers one request. */
export type HttpHandler = (
  request: Request,
  connection: ConnectionView,
) => Response | Promise<Response>;

export interface HttpServeOptions {
  readonly host: string;
  /** 0 picks a free one. */
  readonly port: number;
  readonly fetch: HttpHandler;
  /** A body over this many bytes is refused with 413 where the runtime can tell by itself. */
  readonly bodyBytesMax?: number;
  /**
   * A connection without a request, or with an unfinished head of one, is closed after this; at
   * most 255 s, a minute by default. So is one that takes none of its answer for so long.
   */
  readonly idleTimeoutMs?: number;
}

export interface HttpServer {
  /** The port in use. */
  readonly port: number;
  /**
   * Accepts no more and waits for the requests in flight, at most until `enough` settles or 5 s
   * have passed; then cuts what is left, streams above all.
   */
  stop(enough?: Promise<unknown>): Promise<void>;
}

export const IDLE_TIMEOUT_DEFAULT_MS = 60_000;

export const RUNTIME_NAME: RuntimeName = runtimeName();
/** The version of that program, "1.4.5". */
export const RUNTIME_VERSION: string = process.versions[RUNTIME_NAME] ?? "unknown";

function runtimeName(): RuntimeName {
  if (process.versions.bun !== undefined) return "bun";
  if (process.versions.deno !== undefined) return "deno";
  return "node";
}

/** Listens for HTTP, on Bun with its own server, elsewhere with node:http. Throws ListenError. */
export async function serveHttp(options: HttpServeOptions): Promise<HttpServer> {
  switch (RUNTIME_NAME) {
    case "bun":
      return (await import("./bun.ts")).serveHttpOnBun(options);
    case "deno":
    case "node":
      return (await import("./node.ts")).serveHttpOnNode(options);
  }
}
