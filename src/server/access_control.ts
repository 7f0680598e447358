import { Buffer } from "node:buffer";
import { timingSafeEqual } from "node:crypto";
import type { Bytes } from "../base/bytes.ts";
import type { Clock } from "../base/clock.ts";
import { catalogNow } from "../commands/acl_catalog.ts";
import { type Denial, denialOf, isUnrestricted, readsAllKeys } from "../commands/acl_check.ts";
import { defaultUser, NEW_USER } from "../commands/acl_user.ts";
import type { AclLogEntry } from "../commands/acl_view.ts";
import { globMatches } from "../commands/glob.ts";
import { clientInfoLine } from "../commands/client_info.ts";
import type { RunnableCommand } from "../commands/command.ts";
import { resolve } from "../commands/table.ts";
import { ACL_LOG_DEFAULT } from "../constants.ts";
import { err, ErrorReply } from "../resp/reply.ts";
import { hashPassword, type User, type UsersTable } from "../storage/users_table.ts";
import type { Answers } from "./answers.ts";
import { asUser, runsScript, withoutUser } from "./run_as.ts";
import type { Session } from "./session.ts";

export interface AccessControlOptions {
  readonly users: UsersTable;
  readonly answers: Answers;
  readonly clock: Clock;
  readonly sessions: ReadonlyMap<number, Session>;
}

const DEFAULT = "default";
/** Refusals of one kind within this are one entry of the log … */
const GROUPED_MS = 60_000;
/** … which is looked for among so many of the latest. */
const GROUPED_ENTRIES = 10;
/** No user has it; compared with where there is no such user, so that this takes as long. */
const NOBODY = hashPassword("");

/** Who may do what on this node: the users are the state's, but for the default one's password. */
export class AccessControl {
  /** The password for the default user, where ACL SETUSER has not changed that. */
  nodePassword: () => Bytes = () => "";
  /** Called when the rules of a user have changed, or it is gone; without a name: of all. */
  onChange: (name?: Bytes) => void = () => {};
  logMax: () => number = () => ACL_LOG_DEFAULT;
  log: AclLogEntry[] = [];
  /** How often something was refused, since the start. */
  readonly refused = { auth: 0, command: 0, key: 0, channel: 0 };
  #entries = 0;
  readonly #options: AccessControlOptions;
  #default: { readonly password: Bytes; readonly user: User } | undefined;

  constructor(options: AccessControlOptions) {
    this.#options = options;
    options.users.changed = (name, before) => this.#changed(name, before);
  }

  /** In the order of their bytes. */
  get names(): readonly Bytes[] {
    return [...new Set([...this.#options.users.names, DEFAULT])].sort();
  }

  /** Whether ACL SETUSER was ever of effect here. */
  get hasUsers(): boolean {
    return this.#options.users.size > 0;
  }

  /** Whether ACL SETUSER was of effect on the default user: the node's password counts no more. */
  get isDefaultChanged(): boolean {
    return this.#options.users.find(DEFAULT) !== undefined;
  }

  user(name: Bytes): User | undefined {
    const user = this.#options.users.find(name);
    return user ?? (name === DEFAULT ? this.#defaultUser() : undefined);
  }

  #defaultUser(): User {
    const password = this.nodePassword();
    if (this.#default?.password !== password) {
      this.#default = { password, user: defaultUser(password) };
    }
    return this.#default!.user;
  }

  /** Whether a connection has to authenticate before all else. */
  get passwordRequired(): boolean {
    if (this.#options.users.size === 0) return this.nodePassword() !== "";
    const { isOn, noPass } = this.user(DEFAULT)!;
    return !isOn || !noPass;
  }

  /** The rules that a user is held to; undefined when it may do everything. */
  restrictionOf(name: Bytes): User | undefined {
    if (this.#options.users.size === 0 && name === DEFAULT) return undefined;
    const user = this.user(name) ?? NOTHING;
    return isUnrestricted(user) ? undefined : user;
  }

  checkPassword(name: Bytes, password: Bytes): boolean {
    const user = this.user(name);
    if (user?.isOn && user.noPass) return true;
    const given = Buffer.from(hashPassword(password));
    let isRight = false;
    for (const hash of user?.passwords ?? [NOBODY]) {
      if (timingSafeEqual(given, Buffer.from(hash))) isRight = true;
    }
    return isRight && user?.isOn === true;
  }

  /** AUTH and HELLO AUTH; `word`: how the client put it. */
  authenticate(session: Session, name: Bytes, password: Bytes, word: Bytes): boolean {
    if (!this.checkPassword(name, password)) {
      this.note(session, { reason: "auth", object: word, username: name });
      return false;
    }
    session.authenticated = true;
    session.user = name;
    session.restriction = this.restrictionOf(name);
    return true;
  }

  /**
   * A request of one who is held to rules, as it may be taken; true when it was refused, false when
   * what the session has under way comes first.
   */
  checked(
    session: Session,
    command: RunnableCommand,
    argv: readonly Bytes[],
  ): boolean | readonly [RunnableCommand, readonly Bytes[]] {
    const refused = this.refusal(session, command, argv);
    if (refused === undefined) {
      if (command.path === "local" || !runsScript(command, argv)) return [command, argv];
      return asUser(session, command, argv, (denial) => this.note(session, denial, "lua"));
    }
    if (!this.#options.answers.reject(session, command, refused.reply)) return false;
    if (refused.denial !== undefined) this.note(session, refused.denial);
    return true;
  }

  /** Why a user may not run a command, and what of it is for the log. */
  refusal(
    { restriction: user }: Pick<Session, "restriction">,
    command: RunnableCommand,
    argv: readonly Bytes[],
  ): { readonly reply: ErrorReply; readonly denial?: Denial } | undefined {
    if (user === undefined) return undefined;
    const catalog = catalogNow();
    if (catalog === undefined) return { reply: NOT_LOADED };
    if (command.name === "idempotent") {
      const inner = resolve(argv.slice(3));
      if (inner instanceof ErrorReply) return undefined;
      return this.refusal({ restriction: user }, inner, argv.slice(3));
    }
    const denial = denialOf(catalog, user, command, argv);
    if (denial !== undefined) return { reply: replyTo(denial), denial };
    const option = command.name.startsWith("sort") ? foreignSortOption(argv) : undefined;
    if (option === undefined || readsAllKeys(catalog, user, command, argv)) return undefined;
    return {
      reply: err(`${option} option of SORT denied due to insufficient ACL permissions.`),
    };
  }

  /** What EXEC answers for a command that was allowed when it was queued. */
  refusalAtExec(
    session: Session,
    command: RunnableCommand,
    argv: readonly Bytes[],
  ): ErrorReply | undefined {
    const refused = this.refusal(session, command, withoutUser(argv));
    const denial = refused?.denial;
    if (denial === undefined) return refused?.reply;
    this.note(session, denial);
    return new ErrorReply(
      "NOPERM ACLs rules changed between the moment the transaction was accumulated and the " +
        "EXEC call. This command is no longer allowed for the following reason: " +
        AT_EXEC[denial.reason],
    );
  }

  /** Puts a refusal into the log. */
  note(
    session: Session,
    { reason, object, username = session.user }: Pick<AclLogEntry, "reason" | "object"> & {
      readonly username?: Bytes;
    },
    context: AclLogEntry["context"] = session.transaction === undefined ? "toplevel" : "multi",
  ): void {
    this.refused[reason]++;
    const atMs = this.#options.clock.wallMs();
    const clientInfo = clientInfoLine(session, atMs);
    const at = this.log.slice(0, GROUPED_ENTRIES).findIndex((each) =>
      each.reason === reason && each.context === context && each.object === object &&
      each.username === username && atMs - each.atMs <= GROUPED_MS
    );
    const entry = at >= 0
      ? this.log.splice(at, 1)[0]
      : { count: 0, id: this.#entries++, createdAtMs: atMs, reason, context, object, username };
    this.log.unshift({ ...entry, count: entry.count + 1, atMs, clientInfo });
    this.log.length = Math.min(this.log.length, this.logMax());
  }

  #changed(name: Bytes | undefined, before: User | undefined): void {
    for (const session of [...this.#options.sessions.values()]) {
      if (name === undefined || session.user === name) this.#changedFor(session, before);
    }
    this.onChange(name);
  }

  #changedFor(session: Session, before: User | undefined): void {
    const user = this.user(session.user);
    session.restriction = this.restrictionOf(session.user);
    const isGone = user === undefined;
    if (!isGone && (before === undefined || !listensToForbidden(session, user))) return;
    // Its own connection still gets the reply.
    session.close(session.idle);
  }
}

/** What a user is held to that is gone. */
const NOTHING = NEW_USER;

const NOT_LOADED = new ErrorReply("LOADING the rules of users are being loaded, try again");

const AT_EXEC = {
  command: "no permission to execute the command or subcommand",
  key: "no permission to touch the specified keys",
  channel: "no permission to access one of the channels used as arguments",
};

function replyTo({ reason, object }: Denial): ErrorReply {
  const what = {
    command: `run the '${object}' command`,
    key: "access one of the keys used as arguments",
    channel: "access one of the channels used as arguments",
  };
  return new ErrorReply(`NOPERM this user has no permissions to ${what[reason]}`);
}

/** The first option of a SORT that reads keys which the request does not name. */
function foreignSortOption(argv: readonly Bytes[]): "BY" | "GET" | undefined {
  for (let i = 2; i + 1 < argv.length; i++) {
    const option = argv[i].toLowerCase();
    if (option === "get") return "GET";
    if (option === "by" && argv[i + 1].includes("*")) return "BY";
    if (option === "limit") i++;
    if (option === "by" || option === "store" || option === "limit") i++;
  }
  return undefined;
}

/** Whether it is subscribed to what its user may not subscribe to any more. */
function listensToForbidden({ subscription }: Session, { selectors }: User): boolean {
  if (subscription === undefined || selectors.some(({ allChannels }) => allChannels)) return false;
  const allowed = selectors.flatMap(({ channels }) => channels);
  return subscription.names("pattern").some((name) => !allowed.includes(name)) ||
    [...subscription.names("channel"), ...subscription.names("shard")].some((name) =>
      !allowed.some((pattern) => globMatches(pattern, name))
    );
}
