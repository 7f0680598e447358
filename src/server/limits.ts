import type { Bytes } from "../base/bytes.ts";
import type { ConfigStore } from "../commands/config_store.ts";
import { type OutputLimit, parseOutputLimits } from "../commands/config_types.ts";
import { REQUEST_BYTES_MAX } from "../constants.ts";

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
  /** Whatever took as long is an event of LATENCY; Infinity: nothing. */
  latencyEventMs = Infinity;
  password: Bytes = "";
  /** Of what clients leave unread. */
  normalOutput: OutputLimit = { hardBytes: 0, softBytes: 0, softSeconds: 0 };
  listenerOutput: OutputLimit = this.normalOutput;
  /** INFO and LATENCY tell of how long commands take. */
  tracksLatency = true;
  latencyPercentiles: readonly number[] = [];
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
    const requestBytes = config.number("client-query-buffer-limit");
    this.requestBytesMax = Math.min(requestBytes, REQUEST_BYTES_MAX);
    this.slowLogUs = config.number("slowlog-log-slower-than");
    this.slowLogMax = config.number("slowlog-max-len");
    this.latencyEventMs = config.number("latency-monitor-threshold") || Infinity;
    const outputs = parseOutputLimits(config.text("client-output-buffer-limit"));
    this.normalOutput = outputs.get("normal") ?? this.normalOutput;
    this.listenerOutput = outputs.get("pubsub") ?? this.listenerOutput;
    this.tracksLatency = config.flag("latency-tracking");
    const percentiles = config.text("latency-tracking-info-percentiles");
    this.latencyPercentiles = percentiles === "" ? [] : percentiles.split(" ").map(Number);
    this.password = config.text("requirepass");
  }
}
