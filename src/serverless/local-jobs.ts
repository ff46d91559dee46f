// The jobs of a local HTTP API: waiting, running, and those that ended lately.
// They run in the order they came, as many at once as there are slots. Where there is a
// store, jobs with times are in it, too: each step of theirs is there before it is seen.
import { messageOfThrown } from "../thrown.js";
import { Changes } from "./changes.js";
import type { WorkerConfig } from "./config.js";
import type { Job, WorkerOptions } from "./contract.js";
import { acceptedJob, jobEnding, restoredJob } from "./job-records.js";
import type { JobStore, StoredJob } from "./job-store.js";
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
  /** Keeps jobs beyond this process. */
  readonly store?: JobStore | undefined;
  /** How many processes may die while they run one job until it is given up. Default: any number. */
  readonly mostDeaths?: number | undefined;
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
  /** Those that the store is to have before they wait, by id. */
  readonly #accepting = new Map<string, LocalJob>();
  /** How many ends the store is to have before they are seen. */
  #endings = 0;
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

  /** Jobs that wait or run; once it was stopped without those that are left to the store. */
  get jobs(): number {
    const waiting = [...this.#waiting].filter((job) => !(this.#stopped && job.isStored));
    return waiting.length + this.#running.size + this.#accepting.size + this.#endings;
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
    const count = this.#waiting.size + this.#accepting.size;
    if (count === 0) return undefined;
    if (count < waitingLimit && this.#waitingBytes + bytes <= waitingBytesLimit) return undefined;
    const limits = `at most ${waitingLimit} jobs of ${waitingBytesLimit} bytes together may`;
    return `${count} jobs wait already, ${limits}; send this one of ${bytes} bytes again later`;
  }

  /**
   * Starts the job, or lets it wait for a slot.
   * @param bytes of its request
   * @param request its body as JSON text, for a store; undefined: nobody could ask for it in another process
   * @throws StoreFailure: it was not accepted
   */
  async submit(job: Job, bytes = 0, times?: JobTimes, request?: string): Promise<LocalJob> {
    const made = new LocalJob(job, bytes, times);
    const { store } = this.#parts;
    const { webhook } = job;
    if (store !== undefined && request !== undefined)
      await this.#accepted(made, store.accept(acceptedJob(made, request), webhook));
    return this.#add(made);
  }

  /** Whether a job went wrong and is not being run again already. */
  canRetry(job: LocalJob): boolean {
    return job.canRunAgain && this.#known.get(job.job.id) === job && !this.#accepting.has(job.job.id);
  }

  /** Runs a job that went wrong again, under its id. @throws StoreFailure; Error where canRetry() is false */
  async retry(job: LocalJob): Promise<LocalJob> {
    const { id } = job.job;
    const { store } = this.#parts;
    if (!this.canRetry(job)) throw new Error(`job ${id} cannot be run again`);
    const again = job.again();
    if (store !== undefined && job.isStored) await this.#accepted(again, store.again(id));
    this.#retried += 1;
    return this.#add(again);
  }

  /** The job in the store where it is not here any more. @throws StoreFailure */
  async recall(id: string): Promise<LocalJob | undefined> {
    const known = this.#known.get(id);
    if (known !== undefined || this.#parts.store === undefined) return known;
    const stored = await this.#parts.store.find(id);
    if (stored?.endedAt === undefined || stored.deleteAt <= Date.now()) return this.#known.get(id);
    return this.#known.get(id) ?? this.#remember(restoredJob(stored));
  }

  /** Lets jobs wait that another process had accepted, in this order; one that too many processes died of fails. */
  restore(unfinished: readonly StoredJob[]): void {
    for (const stored of unfinished) {
      const job = restoredJob(stored);
      this.#wait(job);
      if (job.deaths >= this.#mostDeaths) this.#giveUp(job);
      else if (job.retries > 0) this.#retried += 1;
    }
  }

  get #mostDeaths(): number {
    return this.#parts.mostDeaths ?? Number.POSITIVE_INFINITY;
  }

  #giveUp(job: LocalJob): void {
    const { logger } = this.#parts;
    const times = job.deaths === 1 ? "once" : `${job.deaths} times`;
    const reason =
      `the server's process ended ${times} while it ran this job, which is not begun again by itself; ` +
      `if the job was not the cause, POST /retry/${job.job.id} runs it once more`;
    logger.within(job.job, () => logger.error(`Given up: ${reason}.`));
    this.#end(job, "FAILED", reason);
  }

  /** Before its last start it runs alone, so that jobs which merely ran beside the cause are not given up with it. */
  #runsAlone(job: LocalJob): boolean {
    return job.deaths > 0 && job.deaths + 1 >= this.#mostDeaths;
  }

  /** Deletes the job after this time, whatever it does then. @throws StoreFailure */
  async keepFor(job: LocalJob, milliseconds: number): Promise<void> {
    if (job.isStored) await this.#parts.store?.keepUntil(job.job.id, Date.now() + milliseconds);
    job.keepFor(milliseconds, () => this.#delete(job));
  }

  /** A caller has had the job's next items. */
  gave(job: LocalJob): void {
    if (job.isStored && job.ended) this.#parts.store?.gave(job.job.id, job.given);
  }

  /** Starts jobs that wait as far as there is room; to be called when the limit has grown. */
  async fill(): Promise<void> {
    const limit = await this.#parts.limit();
    for (const job of this.#waiting) {
      if (this.#running.size >= limit) return;
      if (this.#stopped && job.isStored) continue;
      const lonely = [job, ...this.#running].some((each) => this.#runsAlone(each));
      if (lonely && this.#running.size > 0) return;
      this.#start(job);
    }
  }

  cancel(job: LocalJob): void {
    if (job.isEnding) return;
    if (job.running === undefined) this.#end(job, "CANCELLED");
    else job.running.stop();
  }

  /** Drops the jobs that wait. @returns those, which end at once or when the store has their ends */
  purge(): readonly LocalJob[] {
    const waiting = [...this.#waiting];
    for (const job of waiting) this.#end(job, "CANCELLED");
    return waiting;
  }

  /** No further job is wanted; see drained(). Those that wait in a store are left to the next process. */
  stop(): void {
    this.#stopped = true;
    this.#changes.notify();
  }

  /** Ends all jobs; those in a store are left to the next process, which runs them again. */
  async failAll(reason: string): Promise<void> {
    this.stop();
    for (const job of [...this.#waiting]) {
      if (job.isStored) job.suspend();
      else this.#end(job, "CANCELLED", reason);
    }
    for (const job of this.#running) {
      if (!job.isStored) job.running?.fail(reason);
      else {
        job.suspend();
        job.running?.stop();
      }
    }
    await this.drained();
  }

  /** Resolves once it was stopped and all jobs have ended. */
  async drained(): Promise<void> {
    while (!this.#stopped || this.jobs > 0) await this.#changes.next();
  }

  /** Waits until the store has the job. @throws StoreFailure */
  async #accepted(job: LocalJob, written: Promise<void>): Promise<void> {
    this.#accepting.set(job.job.id, job);
    this.#waitingBytes += job.bytes;
    try {
      await written;
      job.isStored = true;
    } finally {
      this.#accepting.delete(job.job.id);
      this.#waitingBytes -= job.bytes;
      this.#changes.notify();
    }
  }

  async #add(job: LocalJob): Promise<LocalJob> {
    const before = this.#known.get(job.job.id);
    if (before?.isStored) this.#forget(before);
    else if (before !== undefined) this.#delete(before);
    this.#wait(job);
    await this.fill();
    return job;
  }

  #wait(job: LocalJob): void {
    this.#known.set(job.job.id, job);
    this.#waiting.add(job);
    this.#waitingBytes += job.bytes;
    job.keep(() => this.#delete(job));
  }

  #leaveQueue(job: LocalJob): void {
    if (this.#waiting.delete(job)) this.#waitingBytes -= job.bytes;
  }

  #start(job: LocalJob): void {
    this.#leaveQueue(job);
    this.#running.add(job);
    if (job.isStored) void this.#startStored(job);
    else this.#run(job);
  }

  /** Its beginning is in the store before its handler runs: what could have had an effect shows as retry. */
  async #startStored(job: LocalJob): Promise<void> {
    const { store, config, logger } = this.#parts;
    const { id } = job.job;
    await store?.started(id, config.workerId).catch((thrown: unknown) => {
      logger.within(job.job, () => logger.error(`Its beginning is not stored: ${messageOfThrown(thrown)}`));
    });
    if (!job.isEnding && !job.isSuspended) return this.#run(job);
    this.#running.delete(job);
    this.#changes.notify();
    void this.fill();
  }

  #run(job: LocalJob): void {
    const { options, config, logger } = this.#parts;
    const running = new RunningJob({ job: job.job, outbox: job.outlet, options, config, logger });
    job.start(running, config.workerId, () => {
      logger.within(job.job, () => logger.warn("It ran for longer than its executionTimeout."));
      running.stop();
    });
    void running.ended.then(({ type, failed }) => {
      this.#running.delete(job);
      if (job.isSuspended && type === "stopped") return this.#changes.notify();
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
    if (job.isEnding) return;
    job.isEnding = true;
    const { store } = this.#parts;
    if (store === undefined || !job.isStored || job.isDeleted) this.#settle(job, status, reason);
    else void this.#endStored(store, job, status, reason);
  }

  /** An end that cannot be stored is seen nevertheless; another process would run the job again. */
  async #endStored(store: JobStore, job: LocalJob, status: LocalStatus, reason?: string): Promise<void> {
    const { logger } = this.#parts;
    const endedMs = performance.now();
    this.#endings += 1;
    await store.ended(job.job.id, jobEnding(job, status, endedMs, reason)).catch((thrown: unknown) => {
      logger.within(job.job, () => logger.error(`Its end is not stored: ${messageOfThrown(thrown)}`));
    });
    this.#endings -= 1;
    this.#settle(job, status, reason, endedMs);
  }

  #settle(job: LocalJob, status: LocalStatus, reason?: string, endedMs?: number): void {
    job.end(status, reason, endedMs);
    this.#ends.set(status, this.total(status) + 1);
    if (!job.isDeleted) this.#remember(job);
    this.#changes.notify();
    if (!job.isDeleted) this.#tellEnd(job);
  }

  /** Keeps a job that has ended. */
  #remember(job: LocalJob): LocalJob {
    this.#known.set(job.job.id, job);
    this.#ended.add(job);
    this.#endedBytes += job.keptBytes;
    job.keep(() => this.#delete(job));
    this.#deleteOld();
    return job;
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
    this.#forget(job);
    if (job.isStored) this.#parts.store?.remove(job.job.id);
    this.cancel(job);
  }

  /** It is no longer here; it may be in the store. */
  #forget(job: LocalJob): void {
    job.forget();
    this.#known.delete(job.job.id);
    if (this.#ended.delete(job)) this.#endedBytes -= job.keptBytes;
  }

  /** The job that ended last is kept whatever its size. Those in a store stay there until their time is over. */
  #deleteOld(): void {
    for (const job of this.#ended) {
      if (this.#ended.size === 1) return;
      if (this.#ended.size <= endedLimit && this.#endedBytes <= endedBytesLimit) return;
      if (job.isStored) this.#forget(job);
      else this.#delete(job);
    }
  }
}
