import { cleanupAll } from "../system/harness.ts";
import { commandsMain } from "./command_list.ts";
import { differentialMain } from "./differential.ts";
import { suiteMain } from "./suite/suite.ts";

const USAGE = `bun run compat                           the suite, then the differential run
bun run compat suite [--files F,…]       Redis's own tests: [--on node,follower] [--fast]
                                         [--suite DIR: its source tree, else Debian's is fetched]
bun run compat differential [--seed N]   the same random commands to Balsa and to redis-server:
                                         [--commands N] [--groups G,…] [--rounds N] [--port P]
bun run compat commands [--write]        each command of Redis 7.2, and how far it is offered
`;

async function main([part, ...args]: readonly string[]): Promise<number> {
  switch (part) {
    case undefined:
      return Math.max(await suiteMain([]), await differentialMain([]));
    case "suite":
      return await suiteMain(args);
    case "differential":
      return await differentialMain(args);
    case "commands":
      return await commandsMain(args);
    default:
      console.log(USAGE);
      return part === "--help" ? 0 : 2;
  }
}

const code = await main(process.argv.slice(2));
cleanupAll();
process.exit(code);
