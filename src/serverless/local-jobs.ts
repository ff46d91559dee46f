// The jobs of the local HTTP API: waiting, running, and those that ended lately.
// They run in the order they came, as many at once as there are slots.
import { Changes } from "./changes.js";
import type { WorkerConfig } from "./config.js";
import type { Job, WorkerOptions } from "./contract.js";
import { LocalOutlet } from "./local-outlet.js";
import type { Logger } from "./logger.js";
import type { DoneBody } from "./results.js";
import { RunningJob } from "./running-job.js";

export type LocalStatus = "IN_QUEUE" | "IN_PROGRESS" | "COMPLETED" | "FAILED" | "CANCELLED";

/** Ended jobs whose results can still be asked for, and the bytes of those results. */
const endedLimit = 1000;
const endedBytesLimit = 64 * 2 ** 20;
/** Jobs that wait, and the bytes of their requests. */
const waitingLimit = 10_000;
const waitingBytesLimit = 64 * 2 ** 20;
/** Streamed items of one job, which are kept until it is forgotten. */
const itemsBytesLimit = 64 * 2 ** 20;

/** One job of the API and what became of it so far. */
export class LocalJob {
  readonly changes = new Changes();
  readonly outlet = new LocalOutlet(() => this.changes.notify(), itemsBytesLimit);
  readonly createdMs = performance.now();
  startedMs: number | undefined;
  endedMs: number | undefined;
  status: LocalStatus = "IN_QUEUE";
  /** Streamed items that were given to a caller already. */
  given = 0;
  running: RunningJob | undefined;
  /** Who runs it. */
  workerId: string | undefined;
  /** As it was submitted; without its input once it has ended. */
  job: Job;
  /** Of its request. */
  readonly bytes: number;

  constructor(job: Job, bytes: number) {
    this.job = job;
    this.bytes = bytes;
  }

  get ended(): boolean {
    return this.endedMs !== undefined;
  }

  /** The result's body; undefined until there is one. */
  get result(): DoneBody | undefined {
    const json = this.outlet.resultJson;
    return json === undefined ? undefined : (JSON.parse(json) as DoneBody);
  }

  /** Resolves at its end or after the time. */
  async untilEnded(milliseconds = Number.POSITIVE_INFINITY): Promise<void> {
    const until = performance.now() + milliseconds;
    while (!this.ended && performance.now() < until) {
      await this.changes.next(Number.isFinite(until) ? until - performance.now() : undefined);
    }
  }

  end(status: LocalStatus): void {
    const { id, webhook } = this.job;
    this.status = status;
    this.endedMs = performance.now();
    this.running = undefined;
    this.job = { id, input: null, ...(webhook !== undefined && { webhook }) };
    this.changes.notify();
  }
}

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
  readonly #known = new Map<string, LocalJob>();
  readonly #changes = new Changes();
  #stopped = false;

  constructor(parts: LocalJobsOptions) {
    this.#parts = parts;
  }

  /** Jobs that wait or run. */
  get jobs(): number {
    return this.count("IN_QUEUE") + this.count("IN_PROGRESS");
  }

  get stopped(): boolean {
    return this.#stopped;
  }

  count(status: LocalStatus): number {
    return this.#with(status).length;
  }

  find(id: string): LocalJob | undefined {
    return this.#known.get(id);
  }

  /** Why no further job of so many bytes can wait now; undefined where it can. */
  refusal(bytes: number): string | undefined {
    const waiting = this.#with("IN_QUEUE");
    const sum = waiting.reduce((all, job) => all + job.bytes, bytes);
    if (waiting.length === 0 || (waiting.length < waitingLimit && sum <= waitingBytesLimit)) return undefined;
    const limits = `at most ${waitingLimit} jobs of ${waitingBytesLimit} bytes together may`;
    return `${waiting.length} jobs wait already, ${limits}; send this one of ${bytes} bytes again later`;
  }

  /** Starts the job, or lets it wait for a slot. @param bytes of its request */
  async submit(job: Job, bytes = 0): Promise<LocalJob> {
    const added = new LocalJob(job, bytes);
    this.#known.delete(job.id);
    this.#known.set(job.id, added);
    await this.#fill();
    return added;
  }

  cancel(job: LocalJob): void {
    if (job.ended) return;
    if (job.running === undefined) this.#ended(job, "CANCELLED");
    else job.running.stop();
  }

  /** Drops the jobs that wait. @returns how many those were */
  purge(): number {
    const waiting = this.#with("IN_QUEUE");
    for (const job of waiting) this.#ended(job, "CANCELLED");
    return waiting.length;
  }

  /** No further job is wanted; see drained(). */
  stop(): void {
    this.#stopped = true;
    this.#changes.notify();
  }

  async failAll(reason: string): Promise<void> {
    this.stop();
    this.purge();
    for (const job of this.#with("IN_PROGRESS")) job.running?.fail(reason);
    await this.drained();
  }

  /** Resolves once it was stopped and all jobs have ended. */
  async drained(): Promise<void> {
    while (!this.#stopped || this.jobs > 0) await this.#changes.next();
  }

  #with(status: LocalStatus): readonly LocalJob[] {
    return [...this.#known.values()].filter((job) => job.status === status);
  }

  async #fill(): Promise<void> {
    const limit = await this.#parts.limit();
    for (const job of this.#with("IN_QUEUE")) {
      if (this.count("IN_PROGRESS") >= limit) return;
      this.#start(job);
    }
  }

  #start(job: LocalJob): void {
    const { options, config, logger } = this.#parts;
    job.running = new RunningJob({ job: job.job, outbox: job.outlet, options, config, logger });
    job.status = "IN_PROGRESS";
    job.workerId = config.workerId;
    job.startedMs = performance.now();
    void job.running.ended.then(({ type, failed }) => {
      if (type === "stopped") this.#ended(job, "CANCELLED");
      else this.#ended(job, failed ? "FAILED" : "COMPLETED");
    });
    job.running.start();
  }

  #ended(job: LocalJob, status: LocalStatus): void {
    job.end(status);
    const { id } = job.job;
    this.#known.delete(id);
    this.#known.set(id, job); // those that ended are in the order of their ends
    this.#forgetOld();
    this.#changes.notify();
    void this.#fill();
    this.#parts.onEnd(job);
  }

  /** The job that ended last is kept whatever its size. */
  #forgetOld(): void {
    let count = 0;
    let bytes = 0;
    for (const [id, job] of [...this.#known].reverse()) {
      if (!job.ended) continue;
      count += 1;
      bytes += job.outlet.bytes;
      if (count > 1 && (count > endedLimit || bytes > endedBytesLimit)) this.#known.delete(id);
    }
  }
}
