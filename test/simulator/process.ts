import type { Clock, Timer } from "../../src/base/clock.ts";
import type { Scheduler } from "./scheduler.ts";
import type { SimSocket } from "./sim_net.ts";

/** Ends whatever a process is doing at the moment it dies. */
export class ProcessDied extends Error {
  override name = "ProcessDied";
}

/** How far off monotonic clocks run where no leases need hold. */
export const DRIFT_MAX = 0.3;

/** How a machine's clocks run. */
export interface ClockRules {
  /** Of the monotonic clock, against true time. */
  rate: number;
  /** Added to the wall clock, milliseconds. */
  wallOffsetMs: number;
}

export interface ProcessOptions {
  readonly host: string;
  readonly scheduler: Scheduler;
  readonly clockRules: ClockRules;
  /** A number in [0, 1). */
  readonly random: () => number;
  /** Called before something happens in it; the world looks at it afterwards. */
  readonly entered: (process: Process) => void;
  readonly threw: (process: Process, error: unknown) => void;
  readonly mix: (value: number) => void;
}

/** 2026, in Unix milliseconds. */
const EPOCH_MS = 1_767_225_600_000;
const TIMER_JITTER_MS = 0.5;

/** One run of a node's process: all that happens in it goes through `enter`. */
export class Process {
  isAlive = true;
  readonly host: string;
  readonly sockets = new Set<SimSocket>();
  /** What the work of this moment has taken so far. */
  lagMs = 0;
  readonly clock: Clock;
  readonly #options: ProcessOptions;
  readonly #startMs: number;
  /** It does nothing before: stopped, or waiting for its disk. */
  #blockedUntilMs = 0;
  readonly #waiting: (() => void)[] = [];
  /** Timers among it, where what others have sent goes before them. */
  readonly #waitingTimers: (() => void)[];

  constructor(options: ProcessOptions) {
    this.#options = options;
    this.host = options.host;
    this.#startMs = options.scheduler.nowMs;
    this.#waitingTimers = options.random() < 0.5 ? [] : this.#waiting;
    this.clock = {
      monotonicMs: () => this.#monotonicMs(),
      wallMs: () => Math.floor(this.#wallMs()),
      wallUs: () => Math.floor(this.#wallMs() * 1000),
      after: (delayMs, run) => this.#after(delayMs, run),
    };
  }

  /** When what is sent now leaves. */
  get sendMs(): number {
    return this.#options.scheduler.nowMs + this.lagMs;
  }

  get isBlocked(): boolean {
    return this.#blockedUntilMs > this.#options.scheduler.nowMs;
  }

  /** Something is there that it has not taken. */
  get isBehind(): boolean {
    return this.isBlocked || this.#waiting.length > 0 || this.#waitingTimers.length > 0;
  }

  /** SIGSTOP, and SIGCONT after a while. */
  block(untilMs: number): void {
    this.#blockedUntilMs = Math.max(this.#blockedUntilMs, untilMs);
    this.#options.scheduler.at(this.#blockedUntilMs, () => this.#goOn());
  }

  unblock(): void {
    this.#blockedUntilMs = 0;
    this.#goOn();
  }

  /** Has the process do something: now, or when it runs again. */
  enter(run: () => void, isTimer = false): void {
    if (!this.isAlive) return;
    if (this.isBehind) {
      (isTimer ? this.#waitingTimers : this.#waiting).push(run);
      return;
    }
    this.#run(run);
  }

  mix(value: number): void {
    this.#options.mix(value);
  }

  /** `isSilent`: with its machine, so that its peers are not told. */
  die(isSilent: boolean): void {
    this.isAlive = false;
    this.#waiting.length = this.#waitingTimers.length = 0;
    for (const socket of [...this.sockets]) socket.died(isSilent);
    this.sockets.clear();
  }

  /** The end of what happened: the time that it took keeps the process busy. */
  settle(): void {
    if (this.lagMs > 0) this.block(this.#options.scheduler.nowMs + this.lagMs);
    this.lagMs = 0;
  }

  #run(run: () => void): void {
    this.#options.entered(this);
    try {
      run();
    } catch (error) {
      this.#options.threw(this, error);
    }
  }

  /** One after the other: the world looks at the node after each. */
  #goOn(): void {
    if (!this.isAlive || this.isBlocked) return;
    const next = this.#waiting.shift() ?? this.#waitingTimers.shift();
    if (next === undefined) return;
    this.#run(next);
    this.#options.scheduler.after(0, () => this.#goOn());
  }

  #monotonicMs(): number {
    const { scheduler, clockRules } = this.#options;
    const nowMs = scheduler.nowMs + this.lagMs;
    return 1000 + (nowMs - this.#startMs) * clockRules.rate;
  }

  #wallMs(): number {
    const { scheduler, clockRules } = this.#options;
    return EPOCH_MS + scheduler.nowMs + this.lagMs + clockRules.wallOffsetMs;
  }

  #after(delayMs: number, run: () => void): Timer {
    const { scheduler, clockRules, random } = this.#options;
    if (!this.isAlive) return { cancel: () => {} };
    let isCancelled = false;
    const realMs = Math.max(0, delayMs) / clockRules.rate + random() * TIMER_JITTER_MS;
    const happening = scheduler.at(this.sendMs + realMs, () => {
      this.enter(() => {
        if (!isCancelled) run();
      }, true);
    });
    return {
      cancel: () => {
        isCancelled = true;
        happening.run = undefined;
      },
    };
  }
}
