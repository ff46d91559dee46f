// Takes jobs from the platform by long polls: one call is one poll, and says
// which jobs came, which came broken, and how long to wait before the next. A
// 400 is no error here: the platform answers so around a thaw.
import { Backoff, type Random } from "../backoff.js";
import type { WorkerConfig } from "./config.js";
import type { Job } from "./contract.js";
import type { Logger } from "./logger.js";
import type { Urls } from "./urls.js";
import { type WireClient, WireFailure, type WireResponse } from "./wire-client.js";

export interface TakeOutcome {
  readonly jobs: readonly Job[];
  /** Ids of jobs without an input: they must fail rather than be lost. */
  readonly broken: readonly string[];
  /** Milliseconds to wait before the next poll. */
  readonly pauseMs: number;
  /** The platform could not be reached, or refused. */
  readonly failed?: boolean;
}

export interface SourceOptions {
  readonly client: WireClient;
  readonly urls: Urls;
  readonly config: WorkerConfig;
  readonly logger: Logger;
  readonly random: Random;
}

/** After an abort an answer on its way may still come: its job would be lost. */
const abortGraceMs = 100;
const batchLimit = 64;
const quickMs = 100;
const quickPauseMs = 250;
const tooManyPauseMs = 5000;
const nothing: TakeOutcome = { jobs: [], broken: [], pauseMs: 0 };
const lasting: ReadonlySet<number> = new Set([401, 403, 404]);

/** Headers of every poll. */
export function pollHeaders(config: WorkerConfig): Readonly<Record<string, string>> {
  return {
    "Content-Type": "application/json",
    Authorization: config.apiKey,
    "User-Agent": config.userAgent,
    "Accept-Encoding": "gzip, deflate",
    Accept: "*/*",
  };
}

export class JobSource {
  readonly #options: SourceOptions;
  readonly #backoff: Backoff;
  readonly #slowBackoff: Backoff;
  #batches = true;
  #quickAnswers = 0;

  constructor(options: SourceOptions) {
    this.#options = options;
    this.#backoff = new Backoff(100, 5000, options.random);
    this.#slowBackoff = new Backoff(100, 10_000, options.random);
  }

  /**
   * One poll for up to `free` jobs; never rejects.
   * @param inProgress whether this worker has jobs already
   */
  async take(free: number, inProgress: boolean, signal: AbortSignal): Promise<TakeOutcome> {
    const { client, urls, config } = this.#options;
    const count = this.#batches ? Math.min(free, batchLimit) : 1;
    const started = performance.now();
    const answer = await client
      .request({
        method: "GET",
        url: urls.take(count, inProgress),
        headers: pollHeaders(config),
        timeoutMs: config.pollMs,
        signal,
        abortGraceMs,
      })
      .catch((failure: WireFailure) => failure);
    if (answer instanceof WireFailure) return this.#failed(answer);
    return this.#answered(answer, count, performance.now() - started);
  }

  #failed(failure: WireFailure): TakeOutcome {
    if (failure.kind === "aborted") return nothing;
    if (failure.kind === "timeout") {
      this.#options.logger.debug("Job request timed out, asking again.");
      return nothing;
    }
    this.#options.logger.error(`Failed to get job. | ${failure.message}`);
    return { ...nothing, failed: true, pauseMs: failure.progress.reusedSocket ? 0 : this.#backoff.next() };
  }

  #answered(answer: WireResponse, count: number, tookMs: number): TakeOutcome {
    const { logger } = this.#options;
    switch (answer.status) {
      case 200:
        return this.#jobs(answer);
      case 204:
        return this.#none(tookMs);
      case 400:
        logger.debug("No job (400), as is normal around a thaw.");
        return { ...nothing, pauseMs: this.#backoff.next(1000) };
      case 429:
        logger.debug("Too many requests for jobs.");
        return { ...nothing, pauseMs: Math.max(answer.retryAfterMs ?? tooManyPauseMs, quickPauseMs) };
      default:
        return this.#refused(answer.status, count);
    }
  }

  #refused(status: number, count: number): TakeOutcome {
    const { logger } = this.#options;
    if (status === 404 && count > 1) {
      this.#batches = false;
      logger.warn("The platform has no job-take-batch, jobs are taken one by one.");
      return nothing;
    }
    if (lasting.has(status)) {
      logger.warnOnce(`Failed to get job. | status ${status}; asking again at most every 10 s`);
      return { ...nothing, failed: true, pauseMs: this.#slowBackoff.next() };
    }
    logger.error(`Failed to get job. | status ${status}`);
    return { ...nothing, failed: true, pauseMs: this.#backoff.next() };
  }

  #none(tookMs: number): TakeOutcome {
    const quick = tookMs < quickMs ? this.#quickAnswers + 1 : 0;
    this.#settled();
    this.#quickAnswers = quick;
    return { ...nothing, pauseMs: this.#quickAnswers >= 3 ? quickPauseMs : 0 };
  }

  #jobs(answer: WireResponse): TakeOutcome {
    const body = parse(answer);
    if (typeof body !== "object" || body === null) {
      this.#options.logger.debug("The answer to job-take is no job, ignored.");
      return { ...nothing, pauseMs: this.#backoff.next(1000) };
    }
    const jobs: Job[] = [];
    const broken: string[] = [];
    for (const element of Array.isArray(body) ? body : [body]) this.#sort(element, jobs, broken);
    if (jobs.length + broken.length === 0) return { jobs, broken, pauseMs: this.#backoff.next(1000) };
    this.#settled();
    return { jobs, broken, pauseMs: 0 };
  }

  #sort(element: unknown, jobs: Job[], broken: string[]): void {
    const fields = (typeof element === "object" && element !== null ? element : {}) as Readonly<
      Record<string, unknown>
    >;
    const id = typeof fields.id === "number" ? String(fields.id) : fields.id;
    const complete = "input" in fields;
    if (typeof id !== "string" || id === "" || !complete) {
      this.#options.logger.error("Failed to get job. | Job has missing field(s): id or input.");
    }
    if (typeof id !== "string" || id === "") return;
    if (complete) jobs.push({ ...fields, id, input: fields.input });
    else broken.push(id);
  }

  #settled(): void {
    this.#backoff.reset();
    this.#slowBackoff.reset();
    this.#quickAnswers = 0;
  }
}

function parse(answer: WireResponse): unknown {
  // Proxies change the content type; a job in text that is JSON would be nobody's.
  try {
    return JSON.parse(answer.body.replace(/^\ufeff/, ""));
  } catch {
    return undefined;
  }
}
