/** A port that could not be listened on; the message says which and why. */
export class ListenError extends Error {
  override name = "ListenError";
  /** The system's code: EADDRINUSE, EACCES, EADDRNOTAVAIL … */
  readonly code: string;

  constructor(host: string, port: number, cause: unknown) {
    const code = codeOf(cause);
    super(`Cannot listen on ${hostPort(host, port)}: ${reason(code, cause)}`, { cause });
    this.code = code;
  }
}

/** "127.0.0.1:6379", "[::1]:6379". */
export function hostPort(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

function codeOf(cause: unknown): string {
  if (typeof cause !== "object" || cause === null) return "UNKNOWN";
  if ("code" in cause && typeof cause.code === "string") return cause.code;
  return "name" in cause && cause.name === "AddrInUse" ? "EADDRINUSE" : "UNKNOWN";
}

function reason(code: string, cause: unknown): string {
  switch (code) {
    case "EADDRINUSE":
      return "the address is in use by another program";
    case "EACCES":
      return "permission denied (ports below 1024 need privileges)";
    case "EADDRNOTAVAIL":
      return "this machine has no such address";
    case "ENOTFOUND":
      return "the host name is unknown";
  }
  return cause instanceof Error ? cause.message : String(cause);
}
