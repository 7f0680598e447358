import type { Logger } from "../base/log.ts";
import type { RunningServer, ServeConfig } from "./config.ts";

/** Placeholder until the server is merged. */
export function startServer(config: ServeConfig, logger: Logger): Promise<RunningServer> {
  logger.debug("starting", { port: config.port });
  return Promise.reject(new Error("No server yet"));
}
