import type { Bytes } from "../base/bytes.ts";
import type { ConfigStore } from "../commands/config_store.ts";

/** The configuration parameters that the server and its listeners act on, as plain numbers. */
export class Limits {
  clientsMax = 0;
  /** A silent connection is closed after this; 0 never. */
  idleTimeoutMs = 0;
  bulkBytesMax = 0;
  /** Bytes of one unfinished request. */
  requestBytesMax = 0;
  /** Commands that took as long are kept in the slow log; negative: none. */
  slowLogUs = 0;
  slowLogMax = 0;
  password: Bytes = "";
  readonly #config: ConfigStore;

  /** Follows `config` from now on. */
  constructor(config: ConfigStore) {
    this.#config = config;
    this.#update();
    config.onChange(() => this.#update());
  }

  #update(): void {
    const config = this.#config;
    this.clientsMax = config.number("maxclients");
    this.idleTimeoutMs = config.number("timeout") * 1000;
    this.bulkBytesMax = config.number("proto-max-bulk-len");
    this.requestBytesMax = config.number("client-query-buffer-limit");
    this.slowLogUs = config.number("slowlog-log-slower-than");
    this.slowLogMax = config.number("slowlog-max-len");
    this.password = config.text("requirepass");
  }
}
