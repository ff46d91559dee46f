// Which jobs this worker answers for: waiting, running, or done with a result
// on its way. Their ids are the pings' list: while a result is undelivered, the
// platform must not think the job lost. Counts what waits, so that a worker whose
// platform takes no results stops taking jobs.
import type { Job } from "./contract.js";
import type { RunningJob } from "./running-job.js";

const undeliveredLimit = 256;
const undeliveredBytesLimit = 256 * 2 ** 20;
/** A stop overtakes its job by as much as the answer to a take is on its way. */
const stopMemoryMs = 10_000;
/** Ids of ended jobs that are kept, to know late stops by. */
const endedLimit = 10_000;

export class JobLedger {
  readonly waiting: Job[] = [];
  readonly running = new Map<string, RunningJob>();
  /** Bytes of results on their way, by job. */
  readonly #undelivered = new Map<string, number>();
  /** Jobs that came again while an earlier result of theirs is on its way, and when. */
  readonly #again = new Map<string, { readonly job: Job; readonly sinceMs: number }>();
  /** Stops of jobs that are not here, and when they came: the job may follow. */
  readonly #stopsAhead = new Map<string, number>();
  /** Jobs that ended here, oldest first. */
  readonly #ended = new Set<string>();
  readonly #onChange: (ids: readonly string[]) => void;

  constructor(onChange: (ids: readonly string[]) => void) {
    this.#onChange = onChange;
  }

  has(id: string): boolean {
    return this.running.has(id) || this.#undelivered.has(id) || this.waiting.some((job) => job.id === id);
  }

  /** Jobs that hold a slot or wait for one. */
  get occupied(): number {
    return this.running.size + this.waiting.length;
  }

  get undelivered(): number {
    return this.#undelivered.size;
  }

  /** Whether so many results are undelivered that no further job may be taken. */
  get full(): boolean {
    if (this.#undelivered.size >= undeliveredLimit) return true;
    let bytes = 0;
    for (const length of this.#undelivered.values()) bytes += length;
    return bytes >= undeliveredBytesLimit;
  }

  get idle(): boolean {
    return this.occupied + this.#undelivered.size === 0;
  }

  resultMade(id: string, bytes: number): void {
    this.#leave(id);
    this.#undelivered.set(id, bytes);
  }

  /** A job here was stopped by the platform, which wants no result of it. */
  stopped(id: string): void {
    this.#leave(id);
    this.changed();
  }

  #leave(id: string): void {
    this.running.delete(id);
    this.#ended.delete(id);
    this.#ended.add(id);
    const [oldest] = this.#ended;
    if (this.#ended.size > endedLimit && oldest !== undefined) this.#ended.delete(oldest);
  }

  /**
   * Keeps a job that comes again until the earlier result is there.
   * @returns false where that job waits or runs still: then its result answers both
   */
  comesAgain(job: Job, nowMs: number): boolean {
    if (!this.#undelivered.has(job.id)) return false;
    this.#again.set(job.id, { job, sinceMs: nowMs });
    return true;
  }

  /**
   * @param sentMs when the post began that arrived; undefined: none did
   * @returns the job that came again and that this post did not answer
   */
  resultGone(id: string, sentMs: number | undefined): Job | undefined {
    const again = this.#again.get(id);
    this.#undelivered.delete(id);
    this.#again.delete(id);
    this.changed();
    return again !== undefined && (sentMs ?? 0) < again.sinceMs ? again.job : undefined;
  }

  /** Tells who listens that jobs came or went. */
  changed(): void {
    const waiting = this.waiting.map((job) => job.id);
    this.#onChange([...waiting, ...this.running.keys(), ...this.#undelivered.keys()]);
  }

  /** Remembers a stop that came before its job; not that of a job which has ended, for it may come again. */
  expectStopped(id: string, nowMs: number): void {
    for (const [known, since] of this.#stopsAhead) {
      if (nowMs - since <= stopMemoryMs) break; // the oldest come first
      this.#stopsAhead.delete(known);
    }
    this.#again.delete(id);
    this.#stopsAhead.delete(id);
    if (!this.#ended.has(id)) this.#stopsAhead.set(id, nowMs);
  }

  /** Whether a job was stopped before it came; forgets it. */
  wasStopped(id: string, nowMs: number): boolean {
    const since = this.#stopsAhead.get(id);
    this.#stopsAhead.delete(id);
    return since !== undefined && nowMs - since <= stopMemoryMs;
  }
}
