import type { Logger } from "../base/log.ts";
import { loadCatalog } from "../commands/acl_catalog.ts";
import { commands } from "../commands/table.ts";
import type { RunningServer, ServeConfig } from "../server/config.ts";
import { openNodeStorage } from "../server/node_storage.ts";
import { clearDataDirectory } from "../storage/data_directory.ts";
import { loadSqlite } from "../storage/sqlite.ts";
import { Node } from "./node.ts";

/** Memory for recent entries of the log, beside the cache for values. */
const LOG_CACHE_SHARE = 1 / 4;

/**
 * Starts a node: opens its data directory, recovers, listens. Rejects with one clear line when it
 * cannot; nothing stays open then.
 */
export async function startServer(config: ServeConfig, logger: Logger): Promise<RunningServer> {
  const driver = await loadSqlite(config.sqliteDriver === "auto" ? undefined : config.sqliteDriver);
  const { dataDirectory: path, cacheBytes, changesBytes, logWriter } = config;
  const logCacheBytes = cacheBytes * LOG_CACHE_SHARE;
  const options = { path, cacheBytes, changesBytes, logWriter, logCacheBytes };
  const storage = openNodeStorage(driver, options);
  // Rules of users are checked as commands are applied: no time to load anything then.
  await loadCatalog(commands);
  const node = new Node(config, logger, driver, storage);
  try {
    await node.start();
  } catch (error) {
    await node.stop();
    throw error;
  }
  return node;
}

/** What to start with when a node has stopped to join a cluster: its directory is empty now. */
export function configToJoin(config: ServeConfig, stopped: RunningServer): ServeConfig {
  clearDataDirectory(config.dataDirectory);
  const { respAddress, httpAddress, peerAddress, joins } = stopped;
  return {
    ...config,
    port: respAddress.port,
    httpPort: httpAddress?.port ?? "off",
    peerPort: peerAddress.port,
    join: joins,
    bootstrapExpect: 0,
  };
}
