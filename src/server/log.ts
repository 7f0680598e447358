import { writeSync } from "node:fs";
import { configureSync, getLogger, type LogRecord } from "@logtape/logtape";
import type { LogFields, Logger } from "../base/log.ts";
import type { LogFormat, LogLevel } from "./config.ts";

export interface LogOptions {
  readonly level: LogLevel;
  readonly format: LogFormat;
  /** Takes one line without its end; default: standard error. */
  readonly write?: (line: string) => void;
}

/**
 * The logger of this process, by LogTape (the one logging library that runs unchanged on the three
 * runtimes and in compiled binaries). A second call replaces the first one's options.
 */
export function createLogger(options: LogOptions): Logger {
  const write = options.write ?? writeStandardError;
  const format = options.format === "json" ? jsonLine : textLine;
  configureSync({
    reset: true,
    sinks: { lines: (record) => write(format(record)) },
    loggers: [
      { category: "balsa", sinks: ["lines"], lowestLevel: lowestLevel(options.level) },
      { category: ["logtape", "meta"], sinks: ["lines"], lowestLevel: "error" },
    ],
  });
  const logger = getLogger("balsa");
  // Braces are LogTape's placeholders; a message of ours is plain text.
  const plain = (message: string) => message.replace(/[{}]/g, "$&$&");
  return {
    debug: (message, fields) => logger.debug(plain(message), fields),
    info: (message, fields) => logger.info(plain(message), fields),
    warn: (message, fields) => logger.warn(plain(message), fields),
    error: (message, fields) => logger.error(plain(message), fields),
  };
}

/** At once, so that the last line before an exit is not lost; console.error would add colour. */
function writeStandardError(line: string): void {
  try {
    writeSync(2, line + "\n");
  } catch {
    // Nobody reads, or not fast enough: a node does not stop over its log.
  }
}

function lowestLevel(level: LogLevel) {
  return level === "warn" ? "warning" : level;
}

function levelName(record: LogRecord): string {
  return record.level === "warning" ? "warn" : record.level;
}

/** `{"time":"…","level":"info","message":"…","port":6379}` */
function jsonLine(record: LogRecord): string {
  return formatJsonLine(levelName(record), record.message.join(""), {
    ...record.properties as LogFields,
  }, record.timestamp);
}

/** One line of the JSON format; `time` is the clock in ms. */
export function formatJsonLine(
  level: string,
  message: string,
  fields: LogFields,
  timeMs: number,
): string {
  return JSON.stringify({ time: new Date(timeMs).toISOString(), level, message, ...fields });
}

/** `2026-01-31T12:00:00.000Z info  became leader term=3` */
function textLine(record: LogRecord): string {
  const time = new Date(record.timestamp).toISOString();
  let line = `${time} ${levelName(record).padEnd(5)} ${oneLine(record.message.join(""))}`;
  for (const [name, value] of Object.entries(record.properties as LogFields)) {
    if (value !== undefined) line += ` ${name}=${fieldText(value)}`;
  }
  return line;
}

function fieldText(value: string | number | boolean | null): string {
  const text = String(value);
  return typeof value === "string" && !/^[\w.:\/@%+-]+$/.test(text) ? JSON.stringify(text) : text;
}

/** A line stays a line, whatever a message quotes. */
function oneLine(text: string): string {
  // deno-lint-ignore no-control-regex -- control characters are what is replaced.
  return text.replace(/[\x00-\x1f\x7f]/g, (char) => JSON.stringify(char).slice(1, -1));
}
