import type { RaftState } from "./state.ts";
import type { Entry, HardState, Message, PersistToken, Ready, RoleChange } from "./types.ts";

/** Entries to apply in one Ready, in appends' sizes. */
const COMMITTED_APPENDS_PER_READY = 4;
/** Messages in one Ready; the rest waits for the next. */
const MESSAGES_PER_READY = 1024;

const NONE: readonly never[] = Object.freeze([]);

/** Puts together what is to be done, once each. */
export class ReadyMaker {
  readonly #state: RaftState;
  #hardState: HardState;
  #roleChange: RoleChange;

  constructor(state: RaftState) {
    this.#state = state;
    this.#hardState = state.options.hardState;
    this.#roleChange = { role: state.role, term: state.term, leader: state.leader };
  }

  /** Undefined when nothing is to be done, and while a snapshot is being installed. */
  take(): Ready | undefined {
    const state = this.#state;
    const { install, log } = state;
    if (install !== undefined) return install.handed ? undefined : this.#takeInstall();
    const hardState = this.#takeHardState();
    if (
      hardState === undefined && !log.hasUnwritten && !log.hasCommitted &&
      state.messages.length === 0 && state.messagesAfterPersist.length === 0 &&
      state.readStates.length === 0 && state.readsFailed.length === 0 &&
      state.snapshotsNeeded.length === 0 && log.dropped.length === 0 && !this.#roleChanged
    ) return undefined;
    return this.#make(hardState);
  }

  #make(hardState: HardState | undefined): Ready {
    const state = this.#state;
    const { log } = state;
    const entries = log.takeUnwritten();
    const mustPersist = hardState !== undefined || entries.length > 0;
    let messagesAfterPersist: readonly Message[] = NONE;
    let persistToken: PersistToken | undefined;
    if (mustPersist || (state.messagesAfterPersist.length > 0 && log.persistsUnderWay)) {
      messagesAfterPersist = this.#takeMessages("messagesAfterPersist");
      persistToken = log.beginPersist(state.term, state.votedFor);
    } else {
      // Nothing is on its way to the disk: what they reveal is durable already.
      for (const message of state.messagesAfterPersist) state.messages.push(message);
      state.messagesAfterPersist.length = 0;
    }
    const committed = log.takeCommitted(
      state.options.appendBytesMax * COMMITTED_APPENDS_PER_READY,
    );
    return {
      hardState,
      commit: log.commit,
      entries,
      persistToken,
      messages: this.#takeMessages("messages"),
      messagesAfterPersist,
      committed,
      readStates: this.#takeList("readStates"),
      readsFailed: this.#takeList("readsFailed"),
      snapshotsNeeded: this.#takeList("snapshotsNeeded"),
      dropped: this.#takeDropped(),
      installSnapshot: undefined,
      roleChange: this.#takeRoleChange(),
    };
  }

  /** The snapshot replaces what was to be persisted and applied; the rest waits. */
  #takeInstall(): Ready {
    const state = this.#state;
    const install = state.install!;
    install.handed = true;
    const hardState = this.#takeHardState();
    return {
      hardState,
      commit: 0,
      entries: NONE,
      persistToken: hardState === undefined
        ? undefined
        : state.log.beginPersist(state.term, state.votedFor),
      messages: NONE,
      messagesAfterPersist: NONE,
      committed: NONE,
      readStates: NONE,
      readsFailed: this.#takeList("readsFailed"),
      snapshotsNeeded: NONE,
      dropped: this.#takeDropped(),
      installSnapshot: install.meta,
      roleChange: this.#takeRoleChange(),
    };
  }

  /**
   * Only term and vote make a write of their own: the commit index goes along with any as a hint,
   * since a restarted node learns it again.
   */
  #takeHardState(): HardState | undefined {
    const { term, votedFor, log } = this.#state;
    if (term === this.#hardState.term && votedFor === this.#hardState.votedFor) return undefined;
    this.#hardState = { term, votedFor, commit: log.commit };
    return this.#hardState;
  }

  get #roleChanged(): boolean {
    const { role, term, leader } = this.#state;
    const last = this.#roleChange;
    return role !== last.role || term !== last.term || leader !== last.leader;
  }

  #takeRoleChange(): RoleChange | undefined {
    if (!this.#roleChanged) return undefined;
    const { role, term, leader } = this.#state;
    this.#roleChange = { role, term, leader };
    return this.#roleChange;
  }

  #takeMessages(list: "messages" | "messagesAfterPersist"): readonly Message[] {
    const all = this.#state[list];
    if (all.length === 0) return NONE;
    if (all.length > MESSAGES_PER_READY) return all.splice(0, MESSAGES_PER_READY);
    this.#state[list] = [];
    return all;
  }

  #takeList<Key extends "readStates" | "readsFailed" | "snapshotsNeeded">(
    key: Key,
  ): RaftState[Key] {
    const all = this.#state[key];
    if (all.length === 0) return NONE as unknown as RaftState[Key];
    this.#state[key] = [] as unknown as RaftState[Key];
    return all;
  }

  #takeDropped(): readonly Entry[] {
    const { log } = this.#state;
    const { dropped } = log;
    if (dropped.length === 0) return NONE;
    log.dropped = [];
    return dropped;
  }
}
