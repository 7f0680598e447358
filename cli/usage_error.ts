/** A mistake of the person at the command line: one line for stderr, exit code 2. */
export class UsageError extends Error {
  override name = "UsageError";
}
