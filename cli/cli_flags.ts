import type { FlagTable } from "./flags.ts";
import * as kinds from "./value_kinds.ts";

/** What `balsa cli` takes. Letters are those of redis-cli. */
export const CLI_FLAGS = {
  host: { kind: kinds.name("ADDRESS"), short: "h", default: "127.0.0.1", help: "server address" },
  port: { kind: kinds.integer("PORT", 1, 65_535), short: "p", default: 6379, help: "RESP port" },
  password: { kind: kinds.text("TEXT"), short: "a", help: "server password", secret: true },
  user: { kind: kinds.name("NAME"), help: "user name, with --password", notInEnvironment: true },
  db: {
    kind: kinds.integer("N", 0, 2 ** 31 - 1),
    short: "n",
    default: 0,
    help: "database number",
    notInEnvironment: true,
  },
  resp3: {
    kind: kinds.toggle(),
    short: "3",
    default: false,
    help: "speak RESP3",
    notInEnvironment: true,
  },
  stdin: {
    kind: kinds.toggle(),
    short: "x",
    default: false,
    help: "read the last argument from standard input",
    notInEnvironment: true,
  },
  raw: {
    kind: kinds.toggle(),
    default: false,
    help: "plain output, also on a terminal",
    notInEnvironment: true,
  },
  "no-raw": {
    kind: kinds.toggle(),
    default: false,
    help: "formatted output, also into a pipe",
    notInEnvironment: true,
  },
  history: {
    kind: kinds.text("FILE"),
    defaultText: "~/.balsa_history",
    help: 'where the prompt keeps its lines; "" = nowhere',
  },
} as const satisfies FlagTable;
