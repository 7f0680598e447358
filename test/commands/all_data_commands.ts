import type { Command } from "../../src/commands/command.ts";
import { bitfieldCommands } from "../../src/commands/bitfield.ts";
import { bitmapCommands } from "../../src/commands/bitmap.ts";
import { expireCommands } from "../../src/commands/expire.ts";
import { keyspaceCommands } from "../../src/commands/keyspace.ts";
import { lcsCommands } from "../../src/commands/lcs.ts";
import { memoryUsage, objectCommands } from "../../src/commands/object.ts";
import { scanCommands } from "../../src/commands/scan.ts";
import { stringCommands } from "../../src/commands/string.ts";
import { stringNumberCommands } from "../../src/commands/string_number.ts";
import { stringRangeCommands } from "../../src/commands/string_range.ts";

const memoryCommand: Command = {
  name: "memory",
  arity: -2,
  path: "container",
  subcommands: new Map([["usage", memoryUsage]]),
};

/** Every command that is compared with redis-server. */
export const allDataCommands: readonly Command[] = [
  ...stringCommands,
  ...stringNumberCommands,
  ...stringRangeCommands,
  ...lcsCommands,
  ...keyspaceCommands,
  ...scanCommands,
  ...expireCommands,
  ...objectCommands,
  ...bitmapCommands,
  ...bitfieldCommands,
  memoryCommand,
];
