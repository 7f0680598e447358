import { randomBytes } from "node:crypto";
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { assert } from "../base/assert.ts";
import { decodeConfiguration, encodeConfiguration, memberIds } from "../raft/membership.ts";
import type { Configuration, NodeId } from "../raft/types.ts";
import { type NodeStorage, openNodeStorage } from "../server/node_storage.ts";
import { loadSqlite } from "../storage/sqlite.ts";
import type { SqliteDriverName } from "../storage/sqlite_types.ts";
import { StorageFormatError } from "../storage/storage_errors.ts";

/** Founding's record: who founded the old cluster counts no more. */
const FOUNDING_FILE = "founding.json";
const CACHE_BYTES = 16 * 1024 * 1024;
/** Bytes of entries read at a time. */
const READ_BYTES = 1024 * 1024;

/** What a node that lost its cluster has. */
export interface RecoveryFacts {
  readonly clusterId: string;
  readonly nodeId: NodeId;
  readonly members: readonly { readonly id: NodeId; readonly address: string }[];
  /** Last index that this node knows to be committed. */
  readonly commit: number;
  /** Last index in its log. */
  readonly lastIndex: number;
}

/** The data directory of a node that is stopped, and whose majority is lost for good. */
export class Recovery {
  readonly facts: RecoveryFacts;
  readonly #storage: NodeStorage;
  readonly #configuration: Configuration;

  private constructor(storage: NodeStorage) {
    this.#storage = storage;
    const { log, ops } = storage;
    if (log.identity === undefined) {
      throw new StorageFormatError(`${storage.directory.path}: this node was never in a cluster`);
    }
    const { clusterId, nodeId } = log.identity;
    this.#configuration = lastConfiguration(storage);
    const { addresses } = this.#configuration;
    this.facts = {
      clusterId,
      nodeId,
      members: memberIds(this.#configuration).map((id) => ({ id, address: addresses[id] ?? "" })),
      commit: Math.max(log.hardState.commit, ops.applied.index),
      lastIndex: log.lastIndex,
    };
  }

  /**
   * Opens and verifies it, and keeps it locked. Throws StorageFormatError, LogCorruptError or
   * SqliteError with a line that says why it cannot be recovered.
   */
  static async open(path: string, driverName: SqliteDriverName | "auto"): Promise<Recovery> {
    if (!existsSync(join(path, "log.db"))) {
      throw new StorageFormatError(`${path} is no data directory of a node`);
    }
    const driver = await loadSqlite(driverName === "auto" ? undefined : driverName);
    const storage = openNodeStorage(driver, { path, cacheBytes: CACHE_BYTES });
    try {
      return new Recovery(storage);
    } catch (error) {
      await storage.close();
      throw error;
    }
  }

  /**
   * Makes this node the only member of a new cluster and returns its id. Every entry of the log
   * counts as committed from now on: those that were are among them, and which ones were not
   * cannot be known here.
   */
  forceNewCluster(): string {
    const { log, directory } = this.#storage;
    assert(log.identity !== undefined, "it was checked when it was opened");
    const { nodeId } = log.identity;
    const clusterId = randomBytes(16).toString("hex");
    // Before it can elect itself: of the old cluster there may be others that can, too.
    log.setIdentity({ ...log.identity, clusterId });
    rmSync(join(directory.path, FOUNDING_FILE), { force: true });
    directory.sync();
    const index = log.lastIndex + 1;
    const term = log.hardState.term + 1;
    const data = encodeConfiguration(this.#alone(nodeId));
    log.append([{ index, term, kind: "configuration", data }], {
      term,
      votedFor: nodeId,
      commit: index,
    });
    return clusterId;
  }

  /** Resolves when the directory is free. */
  close(): Promise<void> {
    return this.#storage.close();
  }

  #alone(nodeId: NodeId): Configuration {
    return {
      voters: [nodeId],
      votersOutgoing: [],
      learners: [],
      learnersNext: [],
      addresses: { [nodeId]: this.#configuration.addresses[nodeId] ?? "" },
    };
  }
}

/** The configuration in effect at the end of the log; all of it is read, and so verified. */
function lastConfiguration({ log }: NodeStorage): Configuration {
  let { configuration } = log.snapshot;
  for (let from = log.firstIndex; from <= log.lastIndex;) {
    const entries = log.entries(from, log.lastIndex + 1, READ_BYTES) ?? [];
    assert(entries.length > 0, "the log has no gap");
    for (const { kind, data } of entries) {
      if (kind === "configuration") configuration = decodeConfiguration(data);
    }
    from += entries.length;
  }
  return configuration;
}
