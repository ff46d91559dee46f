// Which jobs this worker answers for: waiting, running, or done with a result
// on its way. Their ids are the pings' list: while a result is undelivered, the
// platform must not think the job lost. Counts what waits, so that a worker whose
// platform takes no results stops taking jobs.
import type { Job } from "./contract.js";
import type { RunningJob } from "./running-job.js";

const undeliveredLimit = 256;
const undeliveredBytesLimit = 256 * 2 ** 20;
const stopMemoryMs = 60_000;

export class JobLedger {
  readonly waiting: Job[] = [];
  readonly running = new Map<string, RunningJob>();
  /** Bytes of results on their way, by job. */
  readonly #undelivered = new Map<string, number>();
  /** Stops of jobs that are not here, and when they came: the job may follow. */
  readonly #stopsAhead = new Map<string, number>();
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
    this.running.delete(id);
    this.#undelivered.set(id, bytes);
  }

  resultGone(id: string): void {
    this.#undelivered.delete(id);
    this.changed();
  }

  /** Tells who listens that jobs came or went. */
  changed(): void {
    const waiting = this.waiting.map((job) => job.id);
    this.#onChange([...waiting, ...this.running.keys(), ...this.#undelivered.keys()]);
  }

  /** Remembers a stop that came before its job. */
  expectStopped(id: string, nowMs: number): void {
    for (const [known, since] of this.#stopsAhead) {
      if (nowMs - since > stopMemoryMs) this.#stopsAhead.delete(known);
    }
    if (!this.#undelivered.has(id)) this.#stopsAhead.set(id, nowMs);
  }

  /** Whether a job was stopped before it came; forgets it. */
  wasStopped(id: string, nowMs: number): boolean {
    const since = this.#stopsAhead.get(id);
    this.#stopsAhead.delete(id);
    return since !== undefined && nowMs - since <= stopMemoryMs;
  }
}
