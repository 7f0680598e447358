import { localContainer } from "./define_local.ts";
import { helpReply } from "./help.ts";

const HELP_LINES = [
  "LIST",
  "    Return a list of loaded modules.",
];

/** The command MODULE: clients ask which modules there are, and there are none. */
export const moduleCommand = localContainer("module", [
  ["list", 2, () => []],
  ["help", 2, () => helpReply("MODULE", HELP_LINES)],
]);
