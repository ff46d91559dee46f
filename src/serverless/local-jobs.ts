// The jobs of a local HTTP API: waiting, running, and those that ended lately.
// They run in the order they came, as many at once as there are slots.
import { messageOfThrown } from "../thrown.js";
import { Changes } from "./changes.js";
import type { WorkerConfig } from "./config.js";
import type { Job, WorkerOptions } from "./contract.js";
import { type JobTimes, LocalJob, type LocalStatus } from "./local-job.js";
import type { Logger } from "./logger.js";
import { RunningJob } from "./running-job.js";

/** Ended jobs whose results can still be asked for, and the bytes of those results. */
const endedLimit = 1000;
const endedBytesLimit = 64 * 2 ** 20;
/** Jobs that wait, and the bytes of their requests. */
const waitingLimit = 10_000;
const waitingBytesLimit = 64 * 2 ** 20;

export interface LocalJobsOptions {
  readonly options: WorkerOptions;
  readonly config: WorkerConfig;
  readonly logger: Logger;
  /** How many may run at once from now on; never rejects. */
  readonly limit: () => Promise<number>;
  /** Told of each job that ended by itself. */
  readonly onEnd: (job: LocalJob) => void;
}

export class LocalJobs {
  readonly #parts: LocalJobsOptions;
  /** All that can be asked for. */
  readonly #known = new Map<string, LocalJob>();
  /** In the order they came. */
  readonly #waiting = new Set<LocalJob>();
  readonly #running = new Set<LocalJob>();
  /** Of the known ones, in the order of their ends. */
  readonly #ended = new Set<LocalJob>();
  #waitingBytes = 0;
  #endedBytes = 0;
  readonly #changes = new Changes();
  /** Ends since the start, by status. */
  readonly #ends = new Map<LocalStatus, number>();
  #retried = 0;
  #stopped = false;

  constructor(parts: LocalJobsOptions) {
    this.#parts = parts;
  }

  /** Jobs that wait or run. */
  get jobs(): number {
    return this.#waiting.size + this.#running.size;
  }

  get stopped(): boolean {
    return this.#stopped;
  }

  count(status: LocalStatus): number {
    if (status === "IN_QUEUE") return this.#waiting.size;
    if (status === "IN_PROGRESS") return this.#running.size;
    return [...this.#ended].filter((job) => job.status === status).length;
  }

  /** Jobs that ended so since the start, deleted ones too. */
  total(status: LocalStatus): number {
    return this.#ends.get(status) ?? 0;
  }

  /** How many times a job was run again. */
  get retried(): number {
    return this.#retried;
  }

  find(id: string): LocalJob | undefined {
    return this.#known.get(id);
  }

  /** Why no further job of so many bytes can wait now; undefined where it can. */
  refusal(bytes: number): string | undefined {
    const count = this.#waiting.size;
    if (count === 0) return undefined;
    if (count < waitingLimit && this.#waitingBytes + bytes <= waitingBytesLimit) return undefined;
    const limits = `at most ${waitingLimit} jobs of ${waitingBytesLimit} bytes together may`;
    return `${count} jobs wait already, ${limits}; send this one of ${bytes} bytes again later`;
  }

  /** Starts the job, or lets it wait for a slot. @param bytes of its request */
  async submit(job: Job, bytes = 0, times?: JobTimes): Promise<LocalJob> {
    return this.#add(new LocalJob(job, bytes, times));
  }

  /** Runs a job that went wrong again, under its id. @throws Error where its canRunAgain is false */
  async retry(job: LocalJob): Promise<LocalJob> {
    if (!job.canRunAgain) throw new Error(`job ${job.job.id} cannot be run again`);
    this.#retried += 1;
    return this.#add(job.again());
  }

  /** Deletes the job after this time, whatever it does then. */
  keepFor(job: LocalJob, milliseconds: number): void {
    job.keepFor(milliseconds, () => this.#delete(job));
  }

  /** Starts jobs that wait as far as there is room; to be called when the limit has grown. */
  async fill(): Promise<void> {
    const limit = await this.#parts.limit();
    for (const job of this.#waiting) {
      if (this.#running.size >= limit) return;
      this.#start(job);
    }
  }

  cancel(job: LocalJob): void {
    if (job.ended) return;
    if (job.running === undefined) this.#end(job, "CANCELLED");
    else job.running.stop();
  }

  /** Drops the jobs that wait. @returns how many those were */
  purge(): number {
    const waiting = [...this.#waiting];
    for (const job of waiting) this.#end(job, "CANCELLED");
    return waiting.length;
  }

  /** No further job is wanted; see drained(). */
  stop(): void {
    this.#stopped = true;
    this.#changes.notify();
  }

  async failAll(reason: string): Promise<void> {
    this.stop();
    for (const job of [...this.#waiting]) this.#end(job, "CANCELLED", reason);
    for (const job of this.#running) job.running?.fail(reason);
    await this.drained();
  }

  /** Resolves once it was stopped and all jobs have ended. */
  async drained(): Promise<void> {
    while (!this.#stopped || this.jobs > 0) await this.#changes.next();
  }

  async #add(job: LocalJob): Promise<LocalJob> {
    const before = this.#known.get(job.job.id);
    if (before !== undefined) this.#delete(before);
    this.#known.set(job.job.id, job);
    this.#waiting.add(job);
    this.#waitingBytes += job.bytes;
    job.keep(() => this.#delete(job));
    await this.fill();
    return job;
  }

  #leaveQueue(job: LocalJob): void {
    if (this.#waiting.delete(job)) this.#waitingBytes -= job.bytes;
  }

  #start(job: LocalJob): void {
    const { options, config, logger } = this.#parts;
    const running = new RunningJob({ job: job.job, outbox: job.outlet, options, config, logger });
    this.#leaveQueue(job);
    this.#running.add(job);
    job.start(running, config.workerId, () => {
      logger.within(job.job, () => logger.warn("It ran for longer than its executionTimeout."));
      running.stop();
    });
    void running.ended.then(({ type, failed }) => {
      this.#running.delete(job);
      try {
        if (type === "stopped") this.#end(job, job.isOverdue ? "TIMED_OUT" : "CANCELLED");
        else this.#end(job, failed ? "FAILED" : "COMPLETED");
      } finally {
        void this.fill();
      }
    });
    running.start();
  }

  /** @param reason why it has no result of its own */
  #end(job: LocalJob, status: LocalStatus, reason?: string): void {
    this.#leaveQueue(job);
    job.end(status, reason);
    this.#ends.set(status, this.total(status) + 1);
    if (!job.isDeleted) {
      this.#ended.add(job);
      this.#endedBytes += job.keptBytes;
      job.keep(() => this.#delete(job));
      this.#deleteOld();
    }
    this.#changes.notify();
    if (!job.isDeleted) this.#tellEnd(job);
  }

  /** What its listener throws costs no other job anything. */
  #tellEnd(job: LocalJob): void {
    const { onEnd, logger } = this.#parts;
    try {
      onEnd(job);
    } catch (thrown) {
      logger.within(job.job, () => logger.error(`Nobody was told of its end: ${messageOfThrown(thrown)}`));
    }
  }

  /** A job that has not ended is stopped, and nobody is told. */
  #delete(job: LocalJob): void {
    job.forget();
    this.#known.delete(job.job.id);
    if (this.#ended.delete(job)) this.#endedBytes -= job.keptBytes;
    this.cancel(job);
  }

  /** The job that ended last is kept whatever its size. */
  #deleteOld(): void {
    for (const job of this.#ended) {
      if (this.#ended.size === 1) return;
      if (this.#ended.size <= endedLimit && this.#endedBytes <= endedBytesLimit) return;
      this.#delete(job);
    }
  }
}
