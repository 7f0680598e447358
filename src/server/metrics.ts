import { TICK_MS } from "../constants.ts";
import { Histogram, TIME_BOUNDS_MS } from "../base/histogram.ts";
import type { Command, RunnableCommand } from "../commands/command.ts";
import { CalledErrorReply, ErrorReply, type Reply } from "../resp/reply.ts";

/** Figures of one command, as INFO commandstats has them. */
export interface CommandFigures {
  calls: number;
  /** Run time, milliseconds. */
  totalMs: number;
  /** Refused before it ran. */
  rejected: number;
  /** Ran and answered an error. */
  failed: number;
  /** From the arrival of a request to its reply, milliseconds. */
  readonly latencyMs: Histogram;
  /** It runs a script, in whose reply any error counts. */
  readonly isScript: boolean;
}

const SCRIPT = /^(eval|evalsha|fcall)(_ro)?$/;
/** An error without a code word within so many bytes counts as ERR, as in Redis. */
const CODE_BYTES_MAX = 30;

/** Counters of this node since its start or the last CONFIG RESETSTAT. */
export class Metrics {
  connectionsReceived = 0;
  connectionsRejected = 0;
  commandsProcessed = 0;
  errorReplies = 0;
  bytesIn = 0;
  bytesOut = 0;
  /** Large collections that were freed before the last reset. */
  freedBefore = 0;
  /** Over the last whole second or so. */
  operationsPerSecond = 0;
  /** The longest time by which a tick of the loop came late, milliseconds. */
  loopLateMsMax = 0;
  #tickMs: number | undefined;
  #sampledAtMs = 0;
  #sampledCommands = 0;
  readonly #commands = new Map<string, CommandFigures>();
  readonly #errors = new Map<string, number>();

  /** By the full name of the command. */
  get commands(): ReadonlyMap<string, CommandFigures> {
    return this.#commands;
  }

  /** How often an error of each code (ERR, WRONGTYPE, …) was answered. */
  get errors(): ReadonlyMap<string, number> {
    return this.#errors;
  }

  /** Updates the rate and the lateness of ticks; `nowMs` on a monotonic clock. */
  sample(nowMs: number): void {
    const lateMs = nowMs - (this.#tickMs ?? nowMs) - TICK_MS;
    if (lateMs > this.loopLateMsMax) this.loopLateMsMax = lateMs;
    this.#tickMs = nowMs;
    const passedMs = nowMs - this.#sampledAtMs;
    if (passedMs < 1000) return;
    const commands = this.commandsProcessed - this.#sampledCommands;
    this.operationsPerSecond = Math.round(commands * 1000 / passedMs);
    this.#sampledAtMs = nowMs;
    this.#sampledCommands = this.commandsProcessed;
  }

  /** Counts a command that ran and its reply: how long it ran, and how long its client waited. */
  countCall(
    command: RunnableCommand,
    durationMs: number,
    reply: Reply,
    latencyMs = durationMs,
  ): void {
    const figures = this.#figures(command);
    figures.calls++;
    figures.totalMs += durationMs;
    figures.latencyMs.observe(latencyMs);
    this.commandsProcessed++;
    if (reply instanceof ErrorReply) {
      figures.failed++;
      if (!(reply instanceof CalledErrorReply)) this.#countError(reply);
    } else if (figures.isScript && Array.isArray(reply)) {
      const errors = this.errorReplies;
      this.#countNested(figures, reply);
      if (this.errorReplies > errors) figures.failed++;
    }
  }

  /** Counts the errors in an array that a script has returned; in Redis each called one fails it. */
  #countNested(figures: CommandFigures, replies: readonly Reply[]): void {
    for (const reply of replies) {
      if (Array.isArray(reply)) this.#countNested(figures, reply);
      else if (reply instanceof CalledErrorReply) figures.failed++;
      else if (reply instanceof ErrorReply) this.#countError(reply);
    }
  }

  /** Counts a request that was refused before it ran. */
  countRejected(command: Command | undefined, reply: ErrorReply): void {
    if (command !== undefined) this.#figures(command).rejected++;
    this.#countError(reply);
  }

  reset(): void {
    this.loopLateMsMax = 0;
    this.connectionsReceived = 0;
    this.connectionsRejected = 0;
    this.commandsProcessed = 0;
    this.errorReplies = 0;
    this.bytesIn = 0;
    this.bytesOut = 0;
    this.#sampledCommands = 0;
    this.#commands.clear();
    this.#errors.clear();
  }

  #countError(reply: ErrorReply): void {
    this.errorReplies++;
    const space = reply.text.indexOf(" ");
    const code = space < 0 || space > CODE_BYTES_MAX ? "ERR" : reply.text.slice(0, space);
    this.#errors.set(code, (this.#errors.get(code) ?? 0) + 1);
  }

  #figures({ name }: Command): CommandFigures {
    let figures = this.#commands.get(name);
    if (figures === undefined) {
      const latencyMs = new Histogram(TIME_BOUNDS_MS);
      const isScript = SCRIPT.test(name);
      figures = { calls: 0, totalMs: 0, rejected: 0, failed: 0, latencyMs, isScript };
      this.#commands.set(name, figures);
    }
    return figures;
  }
}
