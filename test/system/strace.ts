/** One system call that strace saw; `started` and `ended` are line numbers of its output. */
export interface SystemCall {
  readonly name: string;
  /** The descriptor with what it stands for, as `-yy` writes it: "5</tmp/log.db-wal>". */
  readonly target: string;
  readonly text: string;
  readonly started: number;
  readonly ended: number;
}

/** The options whose output `parseStrace` reads; the traced process stays our own child. */
export const STRACE_WORDS: readonly string[] = [
  "strace",
  "-D",
  "-f",
  "-ttt",
  "-yy",
  "-s",
  "600",
  "-e",
  "trace=fsync,fdatasync,write,writev,pwrite64,pwritev,sendto,sendmsg,read,readv,recvfrom,recvmsg",
  "-o",
];

/** The calls of a trace in the order in which they ended. */
export function parseStrace(trace: string): SystemCall[] {
  const calls: SystemCall[] = [];
  const unfinished = new Map<string, { text: string; started: number }>();
  trace.split("\n").forEach((line, number) => {
    const match = /^(\d+)\s+[\d.]+ (.*)$/.exec(line);
    if (match === null) return;
    const [, thread, rest] = match;
    const cut = rest.indexOf(" <unfinished ...>");
    if (cut >= 0) {
      unfinished.set(thread, { text: rest.slice(0, cut), started: number });
      return;
    }
    const resumed = /^<\.\.\. \w+ resumed>(.*)$/.exec(rest);
    const begun = resumed === null ? undefined : unfinished.get(thread);
    const text = begun === undefined ? rest : begun.text + resumed?.[1];
    const head = /^(\w+)\((\d+<(?:[^<>]|->)*>)/.exec(text);
    if (head === null) return;
    const started = begun?.started ?? number;
    calls.push({ name: head[1], target: head[2], text, started, ended: number });
  });
  return calls;
}

const READS = new Set(["read", "readv", "recvfrom", "recvmsg"]);
const WRITES = new Set(["write", "writev", "pwrite64", "pwritev", "sendto", "sendmsg"]);

/**
 * For each reply `+OK` on a TCP socket: whether, after the request was read, the log was written
 * and then synced to the end before the reply left. Returns a line for each that was not, and
 * how many were looked at.
 */
export function repliesBeforeSync(
  calls: readonly SystemCall[],
  logPath: RegExp,
): { readonly early: readonly string[]; readonly replies: number } {
  const early: string[] = [];
  let replies = 0;
  for (const reply of calls) {
    if (!WRITES.has(reply.name) || !isTcp(reply) || !reply.text.includes('"+OK\\r\\n')) continue;
    replies++;
    const request = calls.findLast((call) =>
      READS.has(call.name) && call.target === reply.target && call.ended < reply.started &&
      /SET/i.test(call.text)
    );
    const synced = request !== undefined &&
      calls.some((sync) =>
        /^f(data)?sync$/.test(sync.name) && logPath.test(sync.target) &&
        sync.ended < reply.started && / = 0$/.test(sync.text) &&
        calls.some((write) =>
          WRITES.has(write.name) && logPath.test(write.target) &&
          write.started > request.ended && write.ended < sync.started
        )
      );
    if (!synced) early.push(reply.text);
  }
  return { early, replies };
}

function isTcp(call: SystemCall): boolean {
  return /<TCP/.test(call.target);
}
