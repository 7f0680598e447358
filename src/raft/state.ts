import { assert } from "../base/assert.ts";
import type { Leadership } from "./leadership.ts";
import { RaftLog } from "./log.ts";
import { decodeConfiguration } from "./membership.ts";
import type {
  Configuration,
  Entry,
  Message,
  NodeId,
  RaftOptions,
  ReadState,
  Role,
  SnapshotMeta,
} from "./types.ts";

const SCAN_BYTES = 1024 * 1024;
/** Answers that wait for a snapshot to be installed, of each kind. */
const WAITING_ANSWERS_MAX = 1024;

interface ConfigurationAt {
  readonly index: number;
  readonly configuration: Configuration;
}

/** A received snapshot that the caller has not installed yet. */
export interface Install {
  readonly meta: SnapshotMeta;
  readonly from: NodeId;
  handed: boolean;
}

/** All state of one node, shared by the functions of the roles. Private to this folder. */
export class RaftState {
  readonly id: NodeId;
  readonly options: RaftOptions;
  readonly log: RaftLog;

  term: number;
  votedFor: NodeId;
  role: Role = "follower";
  /** 0 when unknown. */
  leader: NodeId = 0;

  /** The clock as of the last tick; `started` once there was one. */
  nowMs = 0;
  started = false;
  /** The election timer: when it began and how long it runs. */
  timerStartMs = 0;
  timeoutMs = 0;
  /** When a leader was last heard from. */
  contactMs = -Infinity;
  /** A leader was heard from since the last tick: the next one dates it. */
  heard = false;
  /** For the first election timeout after a restart: see `isSticky`. */
  restartHold: boolean;
  firstTickMs = 0;

  /** Votes and pre-votes of the election under way. */
  readonly votes = new Map<NodeId, boolean>();
  votesAskedMs = 0;
  /** It was told to stand by a leader that hands over. */
  isTransfer = false;
  /** The last configuration below or at the commit index, and those above it. */
  configurations: ConfigurationAt[];
  /** Only on the leader. */
  leading: Leadership | undefined;

  /** To leave at once, and only after what is now unpersisted is durable. */
  messages: Message[] = [];
  messagesAfterPersist: Message[] = [];
  /** On a leader: see RaftCore. */
  holdsCommitNotice = false;
  readStates: ReadState[] = [];
  readsFailed: number[] = [];
  snapshotsNeeded: NodeId[] = [];
  install: Install | undefined;

  constructor(options: RaftOptions) {
    assert(Number.isSafeInteger(options.id) && options.id > 0, "a node's id is positive");
    assert(options.electionTimeoutMs > options.heartbeatMs, "heartbeats must keep the leader");
    assert(options.inflightMax >= 1 && options.appendBytesMax >= 1, "the window is not empty");
    this.id = options.id;
    this.options = options;
    this.log = new RaftLog(options);
    this.term = Math.max(options.hardState.term, this.log.lastTerm);
    this.votedFor = this.term === options.hardState.term ? options.hardState.votedFor : 0;
    this.restartHold = options.checkQuorum && this.term > 0;
    this.configurations = [{
      index: options.log.firstIndex - 1,
      configuration: options.configuration,
    }];
    this.#scanConfigurations();
  }

  #scanConfigurations(): void {
    const { lastIndex, firstIndex } = this.log;
    let next = firstIndex;
    while (next <= lastIndex) {
      const entries = this.log.slice(next, lastIndex + 1, SCAN_BYTES);
      assert(entries !== undefined && entries.length > 0, `entry ${next} is not stored`);
      for (const entry of entries) {
        if (entry.kind === "configuration") {
          this.configurationAppended(entry.index, decodeConfiguration(entry.data));
        }
      }
      next += entries.length;
    }
    this.forgetConfigurations();
  }

  /** The latest in the log, committed or not: it is in effect (section 4.1 of the thesis). */
  get configuration(): Configuration {
    return this.configurations[this.configurations.length - 1].configuration;
  }

  get configurationIndex(): number {
    return this.configurations[this.configurations.length - 1].index;
  }

  configurationAppended(index: number, configuration: Configuration): void {
    this.configurations.push({ index, configuration });
  }

  /** Configurations that a truncation removed are in effect no more. */
  configurationsTruncated(index: number): void {
    while (this.configurations.length > 1 && this.configurationIndex >= index) {
      this.configurations.pop();
    }
  }

  /** Only the last committed one can be rolled back to. */
  forgetConfigurations(): void {
    while (this.configurations.length > 1 && this.configurations[1].index <= this.log.commit) {
      this.configurations.shift();
    }
  }

  /** Appends an entry of the own making; a leader's. */
  appendOwn(kind: Entry["kind"], data: Uint8Array, local: unknown): Entry {
    const entry: Entry = { index: this.log.lastIndex + 1, term: this.term, kind, data, local };
    this.log.append(entry);
    return entry;
  }

  /** For what reveals nothing that could be lost in a crash. */
  sendNow(message: Message): void {
    this.#queue(this.messages, message);
  }

  /** For what reveals term, vote or log of this node. */
  sendAfterPersist(message: Message): void {
    this.#queue(this.messagesAfterPersist, message);
  }

  /**
   * Nothing leaves beside an installation, which a full disk can hold up for long: of the answers
   * that wait for it only the latest are kept, as the others are out of date.
   */
  #queue(messages: Message[], message: Message): void {
    if (this.install !== undefined && messages.length >= WAITING_ANSWERS_MAX) messages.shift();
    messages.push(message);
  }

  /** Entries from `index` on were cut off before they were handed out to be written. */
  takeBackAcknowledgements(index: number): void {
    this.messagesAfterPersist = this.messagesAfterPersist.filter((message) =>
      !(message.type === "append_response" && message.success && message.index >= index)
    );
  }

  resetTimer(): void {
    const { electionTimeoutMs, random } = this.options;
    this.timerStartMs = this.nowMs;
    this.timeoutMs = electionTimeoutMs + random.call(this.options) * electionTimeoutMs;
  }

  /** Notes a message of the current leader. */
  leaderHeard(from: NodeId): void {
    this.leader = from;
    this.heard = true;
    this.timerStartMs = this.nowMs;
  }

  /**
   * Whether vote requests are to be ignored because a leader was heard from within the shortest
   * election timeout (section 4.2.3 of the thesis). It is also what a leader's lease stands on,
   * so a restarted node, which cannot know whom it answered, holds still for as long.
   */
  isSticky(): boolean {
    if (!this.options.checkQuorum) return false;
    if (this.role === "leader") return true;
    const recent = this.heard || this.nowMs - this.contactMs < this.options.electionTimeoutMs;
    return this.restartHold || recent;
  }
}
