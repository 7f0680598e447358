import { type Bytes, toBuffer, utf8Decode, utf8Encode } from "../base/bytes.ts";
import type { Change, EntryChanges } from "../server/change_feed.ts";
import type { EventSource } from "./event_stream.ts";
import { type ChangeSource, HttpProblem } from "./http_types.ts";

/** Where a reader stands: it has had all changes of entries before `index`, and of that one … */
export interface ChangeCursor {
  readonly index: number;
  /** … the first so many; Infinity: all. */
  readonly seen: number;
}

/** An SSE text is handed out in pieces of about this size. */
const PIECE_CHARS = 128 * 1024;

/**
 * The cursor that an event id or `since` names: `INDEX`, all of that entry, or `INDEX-N`, its
 * changes up to N, counted from 0. Undefined for any other text.
 */
export function parseCursor(text: string): ChangeCursor | undefined {
  const match = /^(\d{1,15})(?:-(\d{1,9}))?$/.exec(text);
  if (match === null) return undefined;
  return {
    index: Number(match[1]),
    seen: match[2] === undefined ? Infinity : Number(match[2]) + 1,
  };
}

/** Why changes behind a cursor are not there any more; undefined when they are. */
export function goneProblem(changes: ChangeSource, cursor: ChangeCursor): HttpProblem | undefined {
  const { trimmedIndex } = changes;
  if (cursor.index > trimmedIndex) return undefined;
  if (cursor.index === trimmedIndex && cursor.seen === Infinity) return undefined;
  const oldest = trimmedIndex + 1;
  return new HttpProblem(410, `ERR the changes before index ${oldest} are gone`, {
    members: { oldest },
  });
}

/** The changes behind a cursor, and those that come, of keys that start with a prefix. */
export class ChangeStream implements EventSource {
  isOver = false;
  isDropped = false;
  readonly #changes: ChangeSource;
  readonly #prefix: Bytes;
  readonly #onClose: () => void;
  #cursor: ChangeCursor;
  #isOpened = false;

  constructor(
    changes: ChangeSource,
    cursor: ChangeCursor,
    prefix: Bytes,
    onClose: () => void,
  ) {
    this.#changes = changes;
    this.#cursor = cursor;
    this.#prefix = prefix;
    this.#onClose = onClose;
  }

  next(): string {
    // The headers go out with the first bytes on some runtimes.
    let text = this.#isOpened ? "" : ": changes\n\n";
    this.#isOpened = true;
    while (text.length < PIECE_CHARS) {
      const gone = goneProblem(this.#changes, this.#cursor);
      if (gone !== undefined) {
        this.isOver = this.isDropped = true;
        return text + dropped(`too slow: ${gone.text.slice("ERR ".length)}`, gone.members);
      }
      const { index, seen } = this.#cursor;
      const entries = this.#changes.read(seen === Infinity ? index : index - 1);
      if (entries.length === 0) return text;
      for (const entry of entries) {
        text += this.#eventsOf(entry);
        if (text.length >= PIECE_CHARS) break;
      }
    }
    return text;
  }

  heartbeat(): string {
    // The id without data moves a reader on that waits for a rare key.
    const { index, seen } = this.#cursor;
    return seen === Infinity ? `: heartbeat\nid: ${index}\n\n` : ": heartbeat\n\n";
  }

  farewell(): string {
    this.isOver = this.isDropped = true;
    return dropped("too slow: nothing was read for a while");
  }

  close(): void {
    this.#onClose();
  }

  #eventsOf(entry: EntryChanges): string {
    const { index, changes } = entry;
    const from = index === this.#cursor.index ? this.#cursor.seen : 0;
    this.#cursor = { index, seen: Infinity };
    const events = formatted(entry);
    let text = "";
    for (let at = from; at < changes.length; at++) {
      if (concerns(changes[at], this.#prefix)) text += events[at];
    }
    return text;
  }
}

/** Readers that are up to date all ask for the same entries. */
const FORMATTED = new WeakMap<EntryChanges, readonly string[]>();

function formatted(entry: EntryChanges): readonly string[] {
  let events = FORMATTED.get(entry);
  if (events === undefined) {
    const { index, changes } = entry;
    events = changes.map((change, at) => {
      const id = at === changes.length - 1 ? `${index}` : `${index}-${at}`;
      return `id: ${id}\ndata: ${changeJson(entry, change)}\n\n`;
    });
    FORMATTED.set(entry, events);
  }
  return events;
}

/** Changes of a whole database concern everyone. */
function concerns({ kind, key }: Change, prefix: Bytes): boolean {
  return kind === "flush" || kind === "swap" || key.startsWith(prefix);
}

/** `{"index":7,"time":1769860800000,"db":0,"kind":"set","command":"incr","key":"visits"}` */
function changeJson({ index, timeMs }: EntryChanges, change: Change): string {
  const { db, kind, command, key } = change;
  const head = { index, time: timeMs, db, kind, ...(command === "" ? {} : { command }) };
  if (kind === "flush") return JSON.stringify(head);
  if (kind === "swap") return JSON.stringify({ ...head, with: Number(key) });
  const text = utf8Decode(key);
  if (utf8Encode(text) === key) return JSON.stringify({ ...head, key: text });
  return JSON.stringify({ ...head, key: text, keyBase64: toBuffer(key).toString("base64") });
}

function dropped(reason: string, members: Readonly<Record<string, number>> = {}): string {
  return `event: dropped\ndata: ${JSON.stringify({ error: reason, ...members })}\n\n`;
}
