import type { Bytes } from "../base/bytes.ts";
import type { DataContext } from "../commands/data_context.ts";
import { isAside, type TouchKind } from "../storage/change_recorder.ts";
import type { TouchListener } from "./touches.ts";

/** A watched key as it was: `version` 0 stands for one that did not exist, or had expired. */
export interface WatchedKey {
  readonly db: number;
  readonly key: Bytes;
  readonly version: number;
}

/** Which of this node's sessions watch which keys. */
export class Watchers implements TouchListener {
  readonly #byKey = new Map<string, Set<Watches>>();
  readonly #idleChanged: () => void;

  /** `idleChanged` is called when the first key is watched, and when none is any more. */
  constructor(idleChanged: () => void) {
    this.#idleChanged = idleChanged;
  }

  get isIdle(): boolean {
    return this.#byKey.size === 0;
  }

  /** A key or database has changed. */
  touched(kind: TouchKind, db: number, key: Bytes): void {
    if (kind === "flush") return this.#databaseTouched(db);
    if (kind === "swap") {
      this.#databaseTouched(db);
      return this.#databaseTouched(Number(key));
    }
    if (isAside(kind)) return;
    const isGone = kind !== "set";
    for (const watches of this.#byKey.get(nameOf(db, key)) ?? []) watches.touched(db, key, isGone);
  }

  /** Whatever may have changed unseen has: the state is now that of a snapshot. */
  allTouched(): void {
    for (const all of this.#byKey.values()) for (const watches of all) watches.isDirty = true;
  }

  #databaseTouched(db: number): void {
    for (const all of this.#byKey.values()) {
      for (const watches of all) watches.databaseTouched(db);
    }
  }

  /** Of Watches. */
  enter(db: number, key: Bytes, watches: Watches): void {
    const name = nameOf(db, key);
    const all = this.#byKey.get(name);
    if (all !== undefined) {
      all.add(watches);
      return;
    }
    this.#byKey.set(name, new Set([watches]));
    if (this.#byKey.size === 1) this.#idleChanged();
  }

  /** Of Watches. */
  leave(db: number, key: Bytes, watches: Watches): void {
    const name = nameOf(db, key);
    const all = this.#byKey.get(name);
    all?.delete(watches);
    if (all?.size !== 0) return;
    this.#byKey.delete(name);
    if (this.isIdle) this.#idleChanged();
  }
}

/**
 * The keys that a session watches, with their versions, which EXEC holds against those at its own
 * place in the log. That decides; what this node sees change in the meantime (`isDirty`) ends it
 * sooner, and finds keys that came and went again, which versions do not tell.
 */
export class Watches {
  isDirty = false;
  readonly #watchers: Watchers;
  readonly #keys = new Map<string, WatchedKey>();

  constructor(watchers: Watchers) {
    this.#watchers = watchers;
  }

  get keys(): readonly WatchedKey[] {
    return [...this.#keys.values()];
  }

  /** Watches keys as they are now; one that is watched already stays as it was. */
  add(keys: readonly WatchedKey[]): void {
    for (const watched of keys) {
      const name = nameOf(watched.db, watched.key);
      if (this.#keys.has(name)) continue;
      this.#keys.set(name, watched);
      this.#watchers.enter(watched.db, watched.key, this);
    }
  }

  clear(): void {
    for (const { db, key } of this.#keys.values()) this.#watchers.leave(db, key, this);
    this.#keys.clear();
    this.isDirty = false;
  }

  touched(db: number, key: Bytes, isGone: boolean): void {
    // What had expired is deleted: no change.
    if (isGone && this.#keys.get(nameOf(db, key))?.version === 0) return;
    this.isDirty = true;
  }

  databaseTouched(db: number): void {
    for (const watched of this.#keys.values()) {
      if (watched.db === db && watched.version !== 0) this.isDirty = true;
    }
  }
}

/** The key as it is now. */
export function watchedKey(context: DataContext, db: number, key: Bytes): WatchedKey {
  return { db, key, version: context.findIn(db, key)?.version ?? 0 };
}

/** Whether all watched keys are as they were. */
export function areUnchanged(context: DataContext, keys: readonly WatchedKey[]): boolean {
  return keys.every(({ db, key, version }) => watchedKey(context, db, key).version === version);
}

function nameOf(db: number, key: Bytes): string {
  return `${db}:${key}`;
}
