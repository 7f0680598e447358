import { CLI_FLAGS } from "./cli_flags.ts";
import type { FlagTable } from "./flags.ts";
import * as kinds from "./value_kinds.ts";

/** What the commands that manage a cluster take: which node they talk to. */
export const ADMIN_FLAGS = {
  host: { ...CLI_FLAGS.host, help: "address of any node" },
  port: CLI_FLAGS.port,
  password: CLI_FLAGS.password,
  user: CLI_FLAGS.user,
  json: {
    kind: kinds.toggle(),
    default: false,
    help: "answer in JSON",
    notInEnvironment: true,
  },
} as const satisfies FlagTable;
