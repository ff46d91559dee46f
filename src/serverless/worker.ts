// The job loop: takes a job in the same tick a slot frees, never more than there
// are free slots, runs the handler, and answers for every job it took until its
// result is delivered. Knows the handler contract, never the engine.
import { type Random, sleep } from "../backoff.js";
import { Changes } from "./changes.js";
import { Concurrency } from "./concurrency.js";
import type { WorkerConfig } from "./config.js";
import type { Job, WorkerOptions } from "./contract.js";
import { Delivery, type Receipt } from "./delivery.js";
import { asksForEvents, failureEvents } from "./event-text.js";
import { watchForFreeze } from "./freeze-watch.js";
import { JobLedger } from "./job-ledger.js";
import { JobSource, type TakeOutcome } from "./job-source.js";
import type { Logger } from "./logger.js";
import { noMetrics, type WorkerMetrics, type WorkerState } from "./metrics.js";
import { Outbox, reasonOf } from "./outbox.js";
import { type JobEnd, RunningJob } from "./running-job.js";
import { StopSource } from "./stop-source.js";
import { Urls } from "./urls.js";
import { WireClient } from "./wire-client.js";
import { toWireJson } from "./wire-json.js";

export interface WorkerParts {
  readonly options: WorkerOptions;
  readonly config: WorkerConfig;
  readonly logger: Logger;
  readonly random?: Random;
  /** Told the ids of all jobs this worker answers for. */
  readonly onJobs?: (ids: readonly string[]) => void;
  readonly metrics?: () => WorkerMetrics;
}

/** Milliseconds results get when everything is told to fail at once. */
const lastWordsMs = 2000;
const modifierMs = 1000;

export class Worker {
  readonly #parts: WorkerParts;
  readonly #client = new WireClient();
  readonly #urls: Urls;
  readonly #delivery: Delivery;
  readonly #source: JobSource;
  readonly #stops: StopSource;
  readonly #ledger: JobLedger;
  readonly #concurrency: Concurrency;
  /** Aborts when no more jobs are to be taken. */
  readonly #leaving = new AbortController();
  /** Aborts the polls under way; replaced after a thaw. */
  #polls = new AbortController();
  readonly #changes = new Changes();
  #refreshed = false;
  #taking: Promise<void> = Promise.resolve();
  /** Why every job is to fail; undefined while none is. */
  #failing: string | undefined;

  constructor(parts: WorkerParts) {
    const { config, logger, options, random = Math.random } = parts;
    this.#parts = parts;
    this.#urls = new Urls(config);
    this.#delivery = new Delivery(this.#client, config, random);
    const sourceOptions = { client: this.#client, urls: this.#urls, config, logger, random };
    this.#source = new JobSource(sourceOptions);
    this.#stops = new StopSource(sourceOptions);
    this.#ledger = new JobLedger(parts.onJobs ?? (() => {}));
    this.#concurrency = new Concurrency(options.concurrencyModifier, logger);
  }

  /** What it is doing now. */
  get state(): WorkerState {
    const { running, waiting, undelivered } = this.#ledger;
    return { running: running.size, waiting: waiting.length, undelivered };
  }

  get #metrics(): WorkerMetrics {
    return this.#parts.metrics?.() ?? noMetrics;
  }

  /** Jobs it answers for: waiting, running, or with an undelivered result. */
  get jobs(): number {
    return this.#ledger.occupied + this.#ledger.undelivered;
  }

  /** Takes and runs jobs until stopped; resolves when the last result is delivered. */
  async run(): Promise<void> {
    const unwatch = watchForFreeze(() => this.#thaw());
    const stopping = this.#stopLoop();
    this.#taking = this.#takeLoop();
    await this.#taking;
    await stopping;
    await this.#drained();
    unwatch();
    this.#client.close();
  }

  /** Takes no more jobs; those it has are finished. */
  stop(): void {
    if (this.#leaving.signal.aborted) return;
    this.#leaving.abort();
    this.#polls.abort();
    const { shutdownGraceMs } = this.#parts.config;
    if (shutdownGraceMs === undefined) return;
    setTimeout(() => void this.failAll("worker shutting down"), shutdownGraceMs).unref();
  }

  /** Ends every job with an error; resolves when that is posted, or after two seconds. */
  async failAll(reason: string): Promise<void> {
    this.#failing = reason;
    this.stop();
    for (const job of this.#ledger.waiting.splice(0)) this.#refuse(job, reason);
    for (const job of [...this.#ledger.running.values()]) job.fail(reason);
    // A take that is given up may still bring jobs, and they too are answered.
    await Promise.race([this.#taking.then(() => this.#drained()), sleep(lastWordsMs)]);
  }

  async #takeLoop(): Promise<void> {
    while (!this.#leaving.signal.aborted) {
      const limit = await this.#concurrency.next(this.#leaving.signal);
      if (this.#leaving.signal.aborted) break;
      this.#startWaiting(); // the limit may have grown
      const free = limit - this.#ledger.occupied;
      if (free <= 0 || this.#ledger.full) {
        await this.#slotFreed();
        continue;
      }
      const outcome = await this.#source.take(free, this.#ledger.occupied > 0, this.#polls.signal);
      this.#accept(outcome); // also when stopped meanwhile: the platform gave it to us
      if (outcome.pauseMs > 0) await sleep(outcome.pauseMs, this.#polls.signal);
    }
  }

  async #stopLoop(): Promise<void> {
    while (!this.#leaving.signal.aborted) {
      const { ids, pauseMs } = await this.#stops.poll(this.#polls.signal);
      for (const id of ids) this.#stopJob(id);
      if (pauseMs === undefined) return;
      if (pauseMs > 0) await sleep(pauseMs, this.#polls.signal);
    }
  }

  #thaw(): void {
    this.#parts.logger.debug("The process did not run for a while; asking for jobs afresh.");
    this.#client.dropIdleSockets();
    if (this.#leaving.signal.aborted) return;
    const stale = this.#polls;
    this.#polls = new AbortController();
    stale.abort();
  }

  #accept(outcome: TakeOutcome): void {
    if (outcome.failed) this.#metrics.takeFailed();
    this.#metrics.taken(outcome.jobs.length + outcome.broken.length);
    for (const id of outcome.broken) {
      if (this.#ledger.has(id)) continue;
      this.#refuse({ id, input: null }, "Job has missing field(s): input.");
    }
    for (const job of outcome.jobs) this.#acceptJob(job);
    this.#ledger.changed(); // before a handler has a chance to block this thread
    this.#startWaiting();
  }

  #acceptJob(job: Job): void {
    const { logger } = this.#parts;
    if (this.#ledger.has(job.id)) {
      const kept = this.#ledger.comesAgain(job, performance.now());
      const then = kept ? "runs when its earlier result is delivered" : "is dropped";
      logger.within(job, () => logger.warn(`This job is here already, its second delivery ${then}.`));
    } else if (this.#ledger.wasStopped(job.id, performance.now())) {
      logger.within(job, () => logger.info("Stopped before it was taken."));
      this.#answerStopped(job);
    } else if (this.#failing !== undefined) {
      this.#refuse(job, this.#failing);
    } else {
      this.#ledger.waiting.push(job);
    }
  }

  #startWaiting(): void {
    const { logger } = this.#parts;
    const before = this.#ledger.running.size;
    while (this.#ledger.running.size < this.#concurrency.current) {
      const job = this.#ledger.waiting.shift();
      if (job === undefined) break;
      this.#startJob(job);
    }
    if (this.#ledger.running.size > before) logger.debug(`Jobs in progress: ${this.#ledger.running.size}`);
    if (this.#ledger.waiting.length > 0) logger.debug(`Jobs in queue: ${this.#ledger.waiting.length}`);
  }

  #startJob(job: Job): void {
    const { options, config, logger } = this.#parts;
    const outbox = this.#outbox(job.id);
    const running = new RunningJob({ job, outbox, options, config, logger });
    this.#ledger.running.set(job.id, running);
    void running.ended.then((end) => this.#jobEnded(job, end));
    running.start();
  }

  #outbox(jobId: string): Outbox {
    const { options, config, logger } = this.#parts;
    return new Outbox({
      jobId,
      delivery: this.#delivery,
      urls: this.#urls,
      logger,
      deliveryBudgetMs: config.deliveryBudgetMs,
      keepItems: options.returnAggregateStream,
    });
  }

  #jobEnded(job: Job, end: JobEnd): void {
    this.#metrics.ended(
      end.type === "stopped" ? "stopped" : end.failed ? "failed" : "completed",
      end.seconds,
    );
    if (end.type === "done") {
      this.#ledger.resultMade(job.id, end.bytes);
      void end.receipt.then((receipt) => this.#delivered(job, receipt));
      if (this.#parts.options.refreshWorker) this.#refresh();
    } else {
      this.#ledger.stopped(job.id);
    }
    this.#startWaiting();
    this.#changes.notify();
  }

  #delivered(job: Job, receipt: Receipt): void {
    const { logger } = this.#parts;
    if (receipt.type !== "delivered") {
      this.#metrics.resultLost();
      logger.within(job, () => logger.error(`Failed to return job results. | ${reasonOf(receipt)}`));
    }
    const sentMs = receipt.type === "delivered" ? receipt.sentMs : undefined;
    const again = this.#ledger.resultGone(job.id, sentMs);
    if (again !== undefined) {
      this.#acceptJob(again);
      this.#ledger.changed();
      this.#startWaiting();
    }
    this.#changes.notify();
  }

  #refresh(): void {
    if (this.#refreshed) return;
    this.#refreshed = true;
    this.#parts.logger.info("Leaving after this job, as refreshWorker asks.");
    this.stop();
  }

  /** Fails a job that never ran. */
  #refuse(job: Job, reason: string): void {
    void this.#postError(job, reason).then((receipt) => this.#delivered(job, receipt));
  }

  /** Answers a job whose stop came before it; the platform may have ended it already. */
  #answerStopped(job: Job): void {
    const reason = "The job was cancelled: the platform stopped it before this worker had taken it.";
    void this.#postError(job, reason).then((receipt) =>
      this.#delivered(job, receipt.type === "refused" ? { type: "delivered" } : receipt),
    );
  }

  #postError(job: Job, error: string): Promise<Receipt> {
    const body = toWireJson({ error });
    this.#ledger.resultMade(job.id, body.length);
    return this.#outbox(job.id).finish(body, asksForEvents(job.input) ? failureEvents(error) : undefined);
  }

  #stopJob(id: string): void {
    const running = this.#ledger.running.get(id);
    const waiting = this.#ledger.waiting.findIndex((job) => job.id === id);
    if (running !== undefined) running.stop();
    else if (waiting >= 0) {
      this.#ledger.waiting.splice(waiting, 1);
      this.#ledger.stopped(id);
    } else this.#ledger.expectStopped(id, performance.now());
    this.#changes.notify();
  }

  /** Resolves when a job or a result has gone, or when the worker leaves. */
  #slotFreed(): Promise<void> {
    // A modifier may widen the limit while all slots are busy.
    const waitMs = this.#concurrency.fixed ? undefined : modifierMs;
    return this.#changes.next(waitMs, this.#leaving.signal);
  }

  async #drained(): Promise<void> {
    while (!this.#ledger.idle) await this.#changes.next();
  }
}
