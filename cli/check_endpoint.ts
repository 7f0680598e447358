import { utf8Encode } from "../src/base/bytes.ts";
import { ErrorReply, type Reply } from "../src/resp/reply.ts";
import { hostPort } from "../src/runtime/listen_error.ts";
import { AnswerError } from "./cluster_client.ts";
import { ConnectionError, RespClient } from "./resp_client.ts";

export interface EndpointOptions {
  readonly host: string;
  readonly port: number;
  readonly password?: string;
  readonly user?: string;
}

/** How long a node that refused writes as a replica is not asked for one. */
const READ_ONLY_MS = 1000;
/** How long one that did not answer is left alone: the longer the more often. */
const AWAY_MS_MIN = 20;
const AWAY_MS_MAX = 1000;
const SIGN_IN_TIMEOUT_MS = 3000;

/** One address of the store: what is known of it, shared by all clients. */
export class Endpoint {
  readonly options: EndpointOptions;
  /** Commands that wait for a reply. */
  inUse = 0;
  /** Never answered, or not the last time: one client at a time tries it, now and then. */
  #isSuspect = true;
  #awayMs = AWAY_MS_MIN;
  #awayUntilMs = 0;
  #readOnlyUntilMs = 0;

  constructor(options: EndpointOptions) {
    this.options = options;
  }

  get name(): string {
    return hostPort(this.options.host, this.options.port);
  }

  /** Whether it is worth a try. */
  isUsable(isRead: boolean): boolean {
    const nowMs = performance.now();
    if (this.#isSuspect && (this.inUse > 0 || nowMs < this.#awayUntilMs)) return false;
    return isRead || nowMs >= this.#readOnlyUntilMs;
  }

  markAnswered(): void {
    this.#isSuspect = false;
    this.#awayMs = AWAY_MS_MIN;
  }

  markSilent(): void {
    this.#isSuspect = true;
    this.#awayUntilMs = performance.now() + this.#awayMs;
    this.#awayMs = Math.min(this.#awayMs * 2, AWAY_MS_MAX);
  }

  markReadOnly(): void {
    this.#readOnlyUntilMs = performance.now() + READ_ONLY_MS;
  }
}

/** One client's connections, one to each address, made when they are needed. */
export class Connections {
  readonly #open = new Map<Endpoint, Promise<RespClient>>();

  /** A connection that is signed in. Throws ConnectionError or AnswerError. */
  to(endpoint: Endpoint): Promise<RespClient> {
    const known = this.#open.get(endpoint);
    if (known !== undefined) return known;
    const opening = connect(endpoint.options);
    this.#open.set(endpoint, opening);
    const forget = (): void => {
      if (this.#open.get(endpoint) === opening) this.#open.delete(endpoint);
    };
    opening.then((client) => client.closed.then(forget), forget);
    return opening;
  }

  /** Ends all of them: what waits for a reply gets a ConnectionError. */
  close(): void {
    for (const opening of this.#open.values()) {
      opening.then((client) => client.close(), () => {});
    }
  }
}

async function connect({ host, port, password, user }: EndpointOptions): Promise<RespClient> {
  const client = await RespClient.connect(host, port);
  if (!password) return client;
  const words = [user ?? [], password].flat().map(utf8Encode);
  const reply = await callWithin(client, ["AUTH", ...words], SIGN_IN_TIMEOUT_MS);
  if (reply === undefined) throw new ConnectionError(`No answer from ${hostPort(host, port)}`);
  if (!(reply instanceof ErrorReply)) return client;
  client.close();
  throw new AnswerError(reply.text);
}

/** The reply; undefined when none came in time or the connection ended, which is closed then. */
export async function callWithin(
  client: RespClient,
  argv: readonly string[],
  timeoutMs: number,
): Promise<Reply | undefined> {
  const timer = setTimeout(() => client.close(), timeoutMs);
  try {
    return await client.call(...argv);
  } catch (error) {
    if (!(error instanceof ConnectionError)) throw error;
    return undefined;
  } finally {
    clearTimeout(timer);
  }
}
