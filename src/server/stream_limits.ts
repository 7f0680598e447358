import type { Bytes } from "../base/bytes.ts";
import type { RunnableCommand } from "../commands/command.ts";
import { NODE_LIMITS, NODE_LIMITS_OPTION } from "../commands/stream_trim.ts";
import { encodingLimits } from "../storage/encoding_limits.ts";

/**
 * XADD and XTRIM as they go to the log: with what CONFIG SET stream-node-max-* says on this node,
 * unless that is the usual. Trimming depends on it, so it must be the same where they are applied.
 */
export function withNodeLimits(
  command: RunnableCommand,
  argv: readonly Bytes[],
): readonly Bytes[] {
  const { streamNodeEntries: entries, streamNodeBytes: bytes } = encodingLimits;
  if (entries === NODE_LIMITS.entries && bytes === NODE_LIMITS.bytes) return argv;
  if (command.name !== "xadd" && command.name !== "xtrim") return argv;
  return [argv[0], argv[1], NODE_LIMITS_OPTION, `${entries}`, `${bytes}`, ...argv.slice(2)];
}
