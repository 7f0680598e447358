import { readFileSync } from "node:fs";
import process from "node:process";
import type { ServeConfig } from "../src/server/config.ts";
import { flagHelp, parseCommandLine } from "./flags.ts";
import { listenerLines, READY_TEXT } from "./serve_banner.ts";
import { serveConfig } from "./serve_config.ts";
import { SERVE_FLAGS } from "./serve_flags.ts";
import { toldToStop } from "./stop_signals.ts";
import { UsageError } from "./usage_error.ts";

/** `balsa serve`: runs a node until it is told to stop. Returns the exit code. */
export async function serve(args: readonly string[]): Promise<number> {
  const { settings, positionals, help } = parseCommandLine(SERVE_FLAGS, {
    args,
    environment: process.env,
    readFile: (path) => readFileSync(path, "utf8"),
  });
  if (help) {
    console.log(serveHelp());
    return 0;
  }
  if (positionals.length > 0) throw new UsageError(`serve takes flags only: ${positionals[0]}`);
  return await run(serveConfig(settings));
}

/** The text of `balsa serve --help`. */
export function serveHelp(): string {
  return [
    "Usage: balsa [serve] [FLAGS]",
    "",
    "Runs a node.",
    "",
    flagHelp(SERVE_FLAGS),
    "",
    "Each flag is also an environment name (--http-port: BALSA_HTTP_PORT) and a key of the file",
    'given with --config (JSON: {"http-port": 8080}). A flag wins over the environment, the',
    "environment over the file.",
  ].join("\n");
}

async function run(config: ServeConfig): Promise<number> {
  const [{ createLogger }, { configToJoin, startServer }] = await Promise.all([
    import("../src/server/log.ts"),
    import("../src/node/start.ts"),
  ]);
  const logger = createLogger({ level: config.logLevel, format: config.logFormat });
  const crash = (error: unknown) => {
    logger.error("stopped by an error nobody caught", { error: describeError(error) });
    process.exit(1);
  };
  process.on("uncaughtException", crash);
  process.on("unhandledRejection", crash);

  const signalled = toldToStop();
  try {
    let server = await startServer(config, logger);
    const stopping = signalled.then((reason) => {
      logger.info("stopping", { reason });
      return server.stop();
    });
    const stopped = Promise.race([server.stopped, stopping]);
    for (const line of listenerLines(config, server)) console.log(line);
    const serves = await Promise.race([server.ready.then(() => true), stopped.then(() => false)]);
    if (serves) console.log(READY_TEXT);
    await stopped;
    while (server.joins.length > 0) {
      logger.info("beginning anew, to join a cluster", { join: server.joins.join(",") });
      server = await startServer(configToJoin(config, server), logger);
      await Promise.race([server.stopped, signalled.then(() => server.stop())]);
    }
    logger.info("stopped");
    return 0;
  } catch (error) {
    logger.error(describeStartError(error), errorFields(error));
    return 1;
  }
}

function describeError(error: unknown): string {
  return error instanceof Error ? error.stack ?? error.message : String(error);
}

function describeStartError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const inUse = "code" in error && error.code === "EADDRINUSE";
  const hint = "--port, --http-port and --peer-port choose others";
  return inUse ? `${error.message} (${hint})` : error.message;
}

function errorFields(error: unknown) {
  return error instanceof Error && "code" in error ? { code: String(error.code) } : undefined;
}
