import { COMMAND_BYTES_MAX } from "../constants.ts";
import { err, ErrorReply } from "../resp/reply.ts";

/** Replies that the server itself gives, beside those of the commands. */
export const NOT_AUTHENTICATED = new ErrorReply("NOAUTH Authentication required.");

/** Until a node has found its cluster. */
export const NOT_STARTED = new ErrorReply("LOADING This node has not joined its cluster yet");

// The command was not carried out, and never will be:
export const DISK_FULL = new ErrorReply(
  "MISCONF The disk is full: writes are refused until there is room, reads are served.",
);
export const TOO_LARGE = err(
  `command exceeds the limit of ${COMMAND_BYTES_MAX} bytes`,
);
export const OVERLOADED = new ErrorReply(
  "BUSY Too many writes are waiting to be made durable, try again",
);
export const NOT_DONE = new ErrorReply(
  "CLUSTERDOWN No leader could be reached in time: the command was not carried out",
);
export const BEHIND = new ErrorReply(
  "CLUSTERDOWN This node could not apply the log in time (is its disk full?): " +
    "the command was not carried out",
);
export const STOPPING = new ErrorReply(
  "SHUTDOWN The server is stopping, the command was not carried out",
);

// It may have been, or may still be:
export const OUTCOME_UNKNOWN = new ErrorReply(
  "UNKNOWN The outcome is unknown: the command was sent but not confirmed in time, " +
    "it may or may not be carried out",
);
