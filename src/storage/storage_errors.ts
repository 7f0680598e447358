/**
 * The log cannot be trusted: a row is torn, corrupt, missing or not its own. The message is one
 * line that names the file, the indexes and what the operator should do. The node must stop.
 */
export class LogCorruptError extends Error {
  override name = "LogCorruptError";

  /** `where`: what is affected, "entries 5..9"; `what`: what is wrong with it. */
  constructor(path: string, where: string, what: string, options?: ErrorOptions) {
    super(
      `${path}: ${where}: ${what}. This node must not serve: stop it, remove its data directory ` +
        "and let it join the cluster again (a node without peers: restore a backup)",
      options,
    );
  }
}

/** A file or directory that is not Balsa's, or of a newer version; the message is one line. */
export class StorageFormatError extends Error {
  override name = "StorageFormatError";
}
