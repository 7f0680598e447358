import type { Bytes } from "../base/bytes.ts";
import { err, ErrorReply } from "../resp/reply.ts";
import { splitInline } from "../resp/inline.ts";
import { errQuoting } from "./help.ts";

/** What a script says of itself in its first line. */
export interface ScriptHead {
  /** It has a line that begins with `#!`. */
  readonly hasShebang: boolean;
  /** It promises not to write. */
  readonly isReadOnly: boolean;
  /** It asks to run also when there is no room for more data. */
  readonly allowsFull: boolean;
  /** The bytes of that line, without its end. */
  readonly length: number;
}

const FLAGS: ReadonlySet<Bytes> = new Set([
  "no-writes",
  "allow-oom",
  "allow-stale",
  "no-cluster",
  "allow-cross-slot-keys",
  // Of Upstash, whose @upstash/ratelimit gives it: only declared keys are locked meanwhile.
  "allow-key-locking",
]);

/** Whether a script of a library or an EVAL may have this flag. */
export function isScriptFlag(flag: Bytes): boolean {
  return FLAGS.has(flag);
}

const NO_SHEBANG: ScriptHead = {
  hasShebang: false,
  isReadOnly: false,
  allowsFull: false,
  length: 0,
};

/**
 * The head of a script, `#!lua flags=no-writes,allow-stale`; or Redis's error for one that is
 * wrong. no-writes and allow-oom have an effect, the others are about what does not occur here.
 */
export function parseHead(text: Bytes): ScriptHead | ErrorReply {
  if (!text.startsWith("#!")) return NO_SHEBANG;
  const length = text.indexOf("\n");
  if (length < 0) return err("Invalid script shebang");
  const [engine, ...options] = splitInline(text.slice(0, length)) ?? [];
  if (engine === undefined) return err("Invalid engine in script shebang");
  if (engine !== "#!lua") return errQuoting(`Unexpected engine in script shebang: ${engine}`);
  let isReadOnly = false;
  let allowsFull = false;
  for (const option of options) {
    if (!option.startsWith("flags=")) return errQuoting(`Unknown lua shebang option: ${option}`);
    const flags = option.slice(6);
    for (const flag of flags === "" ? [] : flags.split(",")) {
      if (!FLAGS.has(flag)) return errQuoting(`Unexpected flag in script shebang: ${flag}`);
      isReadOnly ||= flag === "no-writes";
      allowsFull ||= flag === "allow-oom";
    }
  }
  return { hasShebang: true, isReadOnly, allowsFull, length };
}
