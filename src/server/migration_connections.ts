import { utf8Decode } from "../base/bytes.ts";
import type { MigrateRequest } from "../commands/migrate.ts";
import { MigrationConnection } from "./migration_connection.ts";

/** As in Redis: how many are kept, and for how long. */
const IDLE_MAX = 64;
const IDLE_MS = 10_000;

type Target = Pick<MigrateRequest, "host" | "port" | "credentials" | "timeoutMs">;

/** The connections to servers that take keys; those that are not used are kept for a while. */
export class MigrationConnections {
  /** By host, port and credentials: what one has authenticated serves no other. */
  readonly #idle = new Map<string, MigrationConnection>();
  readonly #open = new Set<MigrationConnection>();

  get idleCount(): number {
    return this.#idle.size;
  }

  /** One that was kept, if there is one. */
  takeIdle(target: Target): MigrationConnection | undefined {
    const name = nameOf(target);
    const connection = this.#idle.get(name);
    this.#idle.delete(name);
    connection?.wake();
    return connection;
  }

  /** A fresh one; undefined when there is no connecting. */
  async open({ host, port, timeoutMs }: Target): Promise<MigrationConnection | undefined> {
    const number = /^\d{1,5}$/.test(port) ? Number(port) : 0;
    if (host === "" || host.includes("\0") || number === 0 || number > 65535) return undefined;
    const connection = await MigrationConnection.open(utf8Decode(host), number, timeoutMs);
    if (connection === undefined) return undefined;
    this.#open.add(connection);
    connection.onClose = () => this.#open.delete(connection);
    return connection;
  }

  /** Keeps one that is not needed for now. */
  give(target: Target, connection: MigrationConnection): void {
    if (connection.isClosed) return;
    const name = nameOf(target);
    if (this.#idle.has(name) || this.#idle.size >= IDLE_MAX) return connection.close();
    this.#idle.set(name, connection);
    connection.onClose = () => {
      this.#open.delete(connection);
      if (this.#idle.get(name) === connection) this.#idle.delete(name);
    };
    connection.rest(IDLE_MS);
  }

  closeAll(): void {
    for (const connection of [...this.#open]) connection.close();
  }
}

function nameOf({ host, port, credentials }: Target): string {
  return JSON.stringify([host, port, ...credentials]);
}
