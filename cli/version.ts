import { BALSA_VERSION, REDIS_VERSION } from "../src/constants.ts";
import { RUNTIME_NAME, RUNTIME_VERSION } from "../src/runtime/runtime.ts";
import { parseCommandLine } from "./flags.ts";
import { UsageError } from "./usage_error.ts";

/** `balsa version`. */
export function version(args: readonly string[]): number {
  const { help, positionals } = parseCommandLine({}, { args });
  if (positionals.length > 0) throw new UsageError(`version takes no argument: ${positionals[0]}`);
  console.log(help ? "Usage: balsa version\n\nPrints the version." : versionText());
  return 0;
}

/** "balsa 0.1.0 (commands of Redis 7.2.0; bun 1.4.5)" */
export function versionText(): string {
  return `balsa ${BALSA_VERSION} (commands of Redis ${REDIS_VERSION}; ` +
    `${RUNTIME_NAME} ${RUNTIME_VERSION})`;
}
