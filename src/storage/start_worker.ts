import { URL } from "node:url";
import { Worker } from "node:worker_threads";
import { isBunExecutable } from "../runtime/self_command.ts";

/**
 * Starts one of this folder's workers, which compile.sh packs beside the program. In an executable
 * that Bun made they are found by their path in the repository, elsewhere beside this file.
 */
export function startWorker(name: `${string}_worker.ts`, workerData: unknown): Worker {
  const place = isBunExecutable() ? `./src/storage/${name}` : new URL(`./${name}`, import.meta.url);
  return new Worker(place, { workerData });
}
