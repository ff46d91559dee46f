// One job of a local HTTP API and what became of it so far: where it is in its life, how
// long it may run, and until when it can be asked for. The queue is local-jobs.ts's.
import { Changes } from "./changes.js";
import type { Job } from "./contract.js";
import { LocalOutlet } from "./local-outlet.js";
import type { DoneBody } from "./results.js";
import type { RunningJob } from "./running-job.js";
import { toWireJson } from "./wire-json.js";

export type LocalStatus = "IN_QUEUE" | "IN_PROGRESS" | "COMPLETED" | "FAILED" | "CANCELLED" | "TIMED_OUT";

/** How long a job may take, and how long it is kept. */
export interface JobTimes {
  /** Milliseconds it may run; then it is TIMED_OUT. */
  readonly executionMs: number;
  /** Milliseconds from its submission to its deletion, whatever it does then. */
  readonly ttlMs: number;
  /** Milliseconds from its end to its deletion. */
  readonly keptMs: number;
}

/** What a job has behind it when it is made. */
export interface JobPast {
  readonly retries: number;
  readonly deaths?: number;
  /** By performance.now(); default: now. */
  readonly createdMs?: number;
  /** When it is deleted at the latest, by performance.now(). */
  readonly deletedMs: number;
  /** Milliseconds from its end to its deletion at the latest. */
  readonly keptMs: number;
}

/** Streamed items of one job, which are kept until it is deleted. */
const itemsBytesLimit = 64 * 2 ** 20;
/** Node's timers end at once where they are to wait for longer. */
const longestMs = 2 ** 31 - 1;
/** The last field of a result's body, which tells the platform to end the worker: there is none here. */
const stopPod = '"stopPod":true}';

export class LocalJob {
  readonly changes = new Changes();
  readonly outlet = new LocalOutlet(() => this.changes.notify(), itemsBytesLimit);
  readonly createdMs: number;
  startedMs: number | undefined;
  endedMs: number | undefined;
  status: LocalStatus = "IN_QUEUE";
  /** Streamed items that were given to a caller already. */
  given = 0;
  running: RunningJob | undefined;
  /** Who runs it. */
  workerId: string | undefined;
  /** As it was submitted; without its input once it has ended, unless it can be run again. */
  job: Job;
  /** Bytes of its request. */
  readonly bytes: number;
  /** Undefined: it may take any time, and cannot be run again. */
  readonly times: JobTimes | undefined;
  /** How many times it was begun before. */
  readonly retries: number;
  /** How many processes died while they ran it. */
  readonly deaths: number;
  /** Whether it ran for longer than it may. */
  isOverdue = false;
  /** Whether nobody can ask for it any more. */
  isDeleted = false;
  /** Whether it is in a store, which another process can take it up from. */
  isStored = false;
  /** Whether its end is decided, and is perhaps not in the store yet. */
  isEnding = false;
  /** Whether it is left to the process that takes it up from the store. */
  isSuspended = false;
  /** Why it ended without being run. */
  #reason: string | undefined;
  /** When it is deleted at the latest, by performance.now(). */
  #deletedMs: number;
  /** Milliseconds from its end to its deletion at the latest. */
  #keptMs: number;
  #overdue: NodeJS.Timeout | undefined;
  #deletion: NodeJS.Timeout | undefined;

  constructor(job: Job, bytes: number, times?: JobTimes, past?: JobPast) {
    const now = performance.now();
    this.job = job;
    this.bytes = bytes;
    this.times = times;
    this.retries = past?.retries ?? 0;
    this.deaths = past?.deaths ?? 0;
    this.createdMs = past?.createdMs ?? now;
    this.#deletedMs = past?.deletedMs ?? now + (times?.ttlMs ?? Number.POSITIVE_INFINITY);
    this.#keptMs = past?.keptMs ?? times?.keptMs ?? Number.POSITIVE_INFINITY;
  }

  /** The same job, to be run once more. */
  again(): LocalJob {
    const past = { retries: this.retries + 1, deletedMs: this.#deletedMs, keptMs: this.#keptMs };
    return new LocalJob(this.job, this.bytes, this.times, past);
  }

  /** When it is deleted, by performance.now(). @param endedMs its end */
  deletedMs(endedMs?: number): number {
    return endedMs === undefined ? this.#deletedMs : Math.min(this.#deletedMs, endedMs + this.#keptMs);
  }

  get ended(): boolean {
    return this.endedMs !== undefined;
  }

  /** Whether it went wrong and its input is still here. */
  get canRunAgain(): boolean {
    return this.times !== undefined && (this.status === "FAILED" || this.status === "TIMED_OUT");
  }

  /** Bytes of what is kept after its end. */
  get keptBytes(): number {
    return this.outlet.bytes + (this.canRunAgain ? this.bytes : 0);
  }

  /** The result's body; undefined until there is one. */
  get result(): DoneBody | undefined {
    const json = this.resultJson;
    return json === undefined ? undefined : (JSON.parse(json) as DoneBody);
  }

  /** The same as JSON text. */
  get resultJson(): string | undefined {
    if (this.isOverdue) {
      const error = `the job ran for longer than its executionTimeout of ${this.times?.executionMs} ms`;
      return toWireJson({ error });
    }
    if (this.#reason !== undefined) return toWireJson({ error: this.#reason });
    const json = this.outlet.resultJson;
    if (!json?.endsWith(stopPod)) return json;
    const before = json.slice(0, -stopPod.length);
    return before === "{" ? "{}" : `${before.slice(0, -1)}}`;
  }

  /** Resolves at its end, after the time or when the signal aborts. */
  async untilEnded(milliseconds = Number.POSITIVE_INFINITY, signal?: AbortSignal): Promise<void> {
    const until = performance.now() + milliseconds;
    const signals = signal === undefined ? [] : [signal];
    while (!this.ended && !this.isSuspended && performance.now() < until && !signal?.aborted) {
      await this.changes.next(Number.isFinite(until) ? until - performance.now() : undefined, ...signals);
    }
  }

  /** It runs from now on. @param onOverdue told once, where it runs for longer than it may */
  start(running: RunningJob, workerId: string, onOverdue: () => void): void {
    this.running = running;
    this.workerId = workerId;
    this.status = "IN_PROGRESS";
    this.startedMs = performance.now();
    if (this.times === undefined) return;
    this.#overdue = timer(this.times.executionMs, () => {
      this.isOverdue = true;
      onOverdue();
    });
  }

  /** @param reason why it has no result of its own @param endedMs by performance.now() */
  end(status: LocalStatus, reason?: string, endedMs = performance.now()): void {
    const { id, webhook } = this.job;
    clearTimeout(this.#overdue);
    this.#reason = reason;
    this.status = status;
    this.endedMs = endedMs;
    this.running = undefined;
    if (!this.canRunAgain) this.job = { id, input: null, ...(webhook !== undefined && { webhook }) };
    this.changes.notify();
  }

  /** It is not run any more here, and whoever waits for its end is told where it stands. */
  suspend(): void {
    clearTimeout(this.#overdue);
    this.isSuspended = true;
    this.changes.notify();
  }

  /** To be deleted after this time, ended or not, in place of what was said before. */
  keepFor(milliseconds: number, onDelete: () => void): void {
    this.#deletedMs = performance.now() + milliseconds;
    this.#keptMs = Number.POSITIVE_INFINITY;
    this.#awaitDeletion(milliseconds, onDelete);
  }

  /** Starts the clock of its deletion; to be called at its submission and at its end. */
  keep(onDelete: () => void): void {
    if (this.times === undefined) return;
    this.#awaitDeletion(this.deletedMs(this.endedMs) - performance.now(), onDelete);
  }

  #awaitDeletion(milliseconds: number, onDelete: () => void): void {
    clearTimeout(this.#deletion);
    this.#deletion = timer(milliseconds, onDelete);
  }

  /** It is not kept any more. */
  forget(): void {
    this.isDeleted = true;
    clearTimeout(this.#deletion);
  }
}

function timer(milliseconds: number, onEnd: () => void): NodeJS.Timeout {
  return setTimeout(onEnd, Math.min(milliseconds, longestMs)).unref();
}
