import type { Bytes } from "../base/bytes.ts";
import type { ChangeRecorder, TouchKind } from "../storage/change_recorder.ts";

/** What wants to hear of each change of a key or database, for a time. */
export interface TouchListener {
  /** It wants to hear of none now. */
  readonly isIdle: boolean;
  touched(kind: TouchKind, db: number, key: Bytes): void;
}

/** Hands changes of the data, as they are made, to those who listen; costs nothing when none do. */
export class Touches {
  readonly #recorder: ChangeRecorder;
  readonly #listeners: TouchListener[] = [];

  constructor(recorder: ChangeRecorder) {
    this.#recorder = recorder;
  }

  add(listener: TouchListener): void {
    this.#listeners.push(listener);
    this.update();
  }

  /** Some listener has become idle, or is so no more. */
  update(): void {
    const active = this.#listeners.filter((each) => !each.isIdle);
    this.#recorder.listener = active.length === 0 ? undefined : (kind, db, key) => {
      for (const each of active) each.touched(kind, db, key);
    };
  }
}
