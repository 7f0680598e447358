import { createHash } from "node:crypto";
import type { Bytes } from "../base/bytes.ts";
import type { SideTable } from "./side_table.ts";
import { bytesFromSql, bytesToSql } from "./sql_bytes.ts";
import type { SqlDatabase, SqlStatement } from "./sqlite_types.ts";

/** Keys that a selector lets its user read, or write, or both. */
export interface KeyPattern {
  readonly pattern: Bytes;
  readonly read: boolean;
  readonly write: boolean;
}

/** What one set of rules allows: a command passes that any selector of its user allows whole. */
export interface Selector {
  readonly allKeys: boolean;
  readonly keys: readonly KeyPattern[];
  readonly allChannels: boolean;
  readonly channels: readonly Bytes[];
  /** `+@all` or `-@all`, and what changes that, in lower case; the last that applies counts. */
  readonly commands: readonly Bytes[];
}

/** A user of the access control list. */
export interface User {
  readonly isOn: boolean;
  /** Any password will do. */
  readonly noPass: boolean;
  /** The rule that was given last, if one was; kept and told, it has no effect. */
  readonly sanitize: string;
  /** SHA-256, in hex. */
  readonly passwords: readonly Bytes[];
  /** The first is the user's own, the others those in parentheses. */
  readonly selectors: readonly Selector[];
}

/** SHA-256, in hex. */
export function hashPassword(password: Bytes): Bytes {
  return createHash("sha256").update(password, "latin1").digest("hex");
}

const TABLE = `CREATE TABLE IF NOT EXISTS acl_user(
  name NOT NULL PRIMARY KEY,
  rules TEXT NOT NULL
)`;

/** The users that ACL SETUSER has made: a part of the state, so the same on every node. */
export class UsersTable implements SideTable {
  /** Called when a user was changed or deleted, or (without a name) when all are others. */
  changed: (name?: Bytes, before?: User) => void = () => {};
  #users = new Map<Bytes, User>();
  /** Changed since the last freeze. */
  #touched = new Set<Bytes>();
  #frozen: (readonly [name: Bytes, user: User | undefined])[] = [];
  #upsert: SqlStatement | undefined;
  #delete: SqlStatement | undefined;

  get size(): number {
    return this.#users.size;
  }

  get names(): Iterable<Bytes> {
    return this.#users.keys();
  }

  find(name: Bytes): User | undefined {
    return this.#users.get(name);
  }

  set(name: Bytes, user: User): void {
    const before = this.#users.get(name);
    this.#users.set(name, user);
    this.#touched.add(name);
    this.changed(name, before);
  }

  /** False: there is none of this name. */
  delete(name: Bytes): boolean {
    const before = this.#users.get(name);
    if (before === undefined) return false;
    this.#users.delete(name);
    this.#touched.add(name);
    this.changed(name, before);
    return true;
  }

  // --- state.db --------------------------------------------------------------------------------

  load(sql: SqlDatabase): void {
    sql.exec(TABLE);
    this.#upsert = sql.prepare("INSERT OR REPLACE INTO acl_user VALUES (?, ?)");
    this.#delete = sql.prepare("DELETE FROM acl_user WHERE name = ?");
    this.#touched = new Set();
    this.#frozen = [];
    this.#users = new Map(
      sql.prepare("SELECT name, rules FROM acl_user").all().map((row) =>
        [bytesFromSql(row.name), JSON.parse(String(row.rules)) as User] as const
      ),
    );
    this.changed();
  }

  freeze(): void {
    this.#frozen = [...this.#touched].map((name) => [name, this.#users.get(name)]);
    this.#touched = new Set();
  }

  /** All of it at once: users are few and small. */
  writeSome(): boolean {
    for (const [name, user] of this.#frozen) {
      if (user === undefined) this.#delete!.run(bytesToSql(name));
      else this.#upsert!.run(bytesToSql(name), JSON.stringify(user));
    }
    return true;
  }

  rewind(): void {}

  committed(): void {
    this.#frozen = [];
  }
}
