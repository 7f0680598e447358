import type { Bytes } from "../base/bytes.ts";
import { migrateSecrets } from "../commands/migrate.ts";
import { withoutUser } from "./run_as.ts";

/** The arguments of a request without passwords, as they are told to others. */
export function redacted(request: readonly Bytes[]): readonly Bytes[] {
  const argv = withoutUser(request);
  const [from, to] = secretsOf(argv);
  return from > to ? argv : argv.map((each, i) => i >= from && i <= to ? "(redacted)" : each);
}

/** The first and the last argument that is none of others' business; [1, 0] for none. */
function secretsOf(argv: readonly Bytes[]): readonly [from: number, to: number] {
  const last = argv.length - 1;
  switch (argv[0].toLowerCase()) {
    case "auth":
      return [1, last];
    case "hello": {
      const at = argv.findIndex((each) => each.toLowerCase() === "auth");
      return at < 0 ? NONE : [at + 1, at + 2];
    }
    case "acl":
      return /^(setuser|resttoken)$/i.test(argv[1] ?? "") ? [2, last] : NONE;
    case "config":
      return argv.some((each) => each.toLowerCase() === "requirepass") ? [2, last] : NONE;
    case "migrate":
      return migrateSecrets(argv) ?? NONE;
  }
  return NONE;
}

const NONE = [1, 0] as const;
