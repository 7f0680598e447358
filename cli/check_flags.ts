import { CLI_FLAGS } from "./cli_flags.ts";
import type { FlagTable } from "./flags.ts";
import * as kinds from "./value_kinds.ts";

const own = { notInEnvironment: true };

/** What `balsa check` takes. */
export const CHECK_FLAGS = {
  addr: {
    ...own,
    kind: kinds.addresses("HOST:PORT[,…]", 6379),
    default: ["127.0.0.1:6379"],
    help: "RESP addresses of the store, the more of its nodes the better",
  },
  seconds: { ...own, kind: kinds.integer("N", 1, 86_400), default: 10, help: "how long" },
  clients: { ...own, kind: kinds.integer("N", 1, 1000), default: 12, help: "clients at a time" },
  timeout: {
    ...own,
    kind: kinds.duration(10),
    default: 3000,
    defaultText: "3s",
    help: "without a reply for so long the outcome is unknown",
  },
  seed: {
    ...own,
    kind: kinds.integer("N", 0, 2 ** 32 - 1),
    defaultText: "by chance",
    help: "which commands are sent",
  },
  password: CLI_FLAGS.password,
  user: CLI_FLAGS.user,
  json: { ...own, kind: kinds.toggle(), default: false, help: "answer in JSON" },
} as const satisfies FlagTable;
