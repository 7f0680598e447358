/**
 * Which pages of a browser may use the listener. `origins`: "*", or origins separated by commas;
 * undefined: none but its own.
 */
export class CorsPolicy {
  readonly #any: boolean;
  readonly #origins: ReadonlySet<string>;

  constructor(origins: string | undefined) {
    const names = (origins ?? "").split(",").map((name) => name.trim()).filter((name) =>
      name !== ""
    );
    this.#any = names.includes("*");
    this.#origins = new Set(names);
  }

  /** Whether any page of another origin may call: without it answers need no extra headers. */
  get enabled(): boolean {
    return this.#any || this.#origins.size > 0;
  }

  /**
   * Whether a browser says that a page of a foreign origin made this request. It matters where no
   * token is asked for: any page could otherwise write to a server on the visitor's own machine.
   */
  isForeign(headers: Headers): boolean {
    const origin = headers.get("origin");
    if (origin !== null) return !this.#allows(origin) && !isOwnOrigin(origin, headers);
    const site = headers.get("sec-fetch-site");
    return !this.#any && (site === "cross-site" || site === "same-site");
  }

  /** Adds the headers that let the page which asked read this answer. */
  decorate(request: Request, response: Response): Response {
    if (!this.#any) response.headers.append("Vary", "Origin");
    const origin = request.headers.get("origin");
    if (origin === null || !this.#allows(origin)) return response;
    response.headers.set("Access-Control-Allow-Origin", this.#any ? "*" : origin);
    if (!this.#any) response.headers.set("Access-Control-Allow-Credentials", "true");
    response.headers.set("Access-Control-Expose-Headers", EXPOSED_HEADERS);
    return response;
  }

  /** The answer to OPTIONS, a preflight or not, but for what `decorate` adds. */
  preflight(request: Request, methods: string): Response {
    const headers = new Headers({ "Allow": methods, "Cache-Control": "no-store" });
    const origin = request.headers.get("origin");
    if (origin !== null && this.#allows(origin)) {
      headers.set("Access-Control-Allow-Methods", methods);
      // A wildcard would not cover Authorization, so what is asked for is repeated.
      const asked = request.headers.get("access-control-request-headers");
      if (asked !== null) headers.set("Access-Control-Allow-Headers", asked);
      headers.set("Access-Control-Max-Age", String(PREFLIGHT_MAX_AGE_S));
    }
    return new Response(null, { status: 204, headers });
  }

  #allows(origin: string): boolean {
    return this.#any || this.#origins.has(origin);
  }
}

function isOwnOrigin(origin: string, headers: Headers): boolean {
  const host = headers.get("host");
  return host !== null && (origin === `http://${host}` || origin === `https://${host}`);
}

const PREFLIGHT_MAX_AGE_S = 7200;
const EXPOSED_HEADERS = "Upstash-Sync-Token, Balsa-Index, Balsa-Node, Balsa-Role";
