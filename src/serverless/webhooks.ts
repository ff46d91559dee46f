// Tells the webhooks of local jobs how their jobs ended: what /status says, for every
// end. A webhook that does not answer with success is told twice more, as the
// platform does; then the log says so. A purge ends thousands of jobs at once: a few are told
// at a time, and what waits is bounded.
import { sleep } from "../backoff.js";
import { jobJson } from "./job-view.js";
import type { LocalJob } from "./local-job.js";
import type { Logger } from "./logger.js";
import { type Posted, postJson } from "./webhook-post.js";

const attempts = 3;
const betweenMs = 10_000;
const attemptMs = 10_000;
const postsAtOnce = 32;
/** Of bodies that wait for their turn or for another attempt. */
const waitingBytesLimit = 64 * 2 ** 20;
/** Milliseconds from settled() in which further attempts begin. */
const leavingMs = attempts * attemptMs;

export class Webhooks {
  readonly #logger: Logger;
  readonly #pauseMs: number;
  readonly #bytesLimit: number;
  readonly #allowsPrivate: boolean;
  readonly #leavingMs: number;
  readonly #leaving = new AbortController();
  readonly #underWay = new Set<Promise<boolean>>();
  /** Those that wait for their turn to post, in the order they came. */
  readonly #queue = new Set<() => void>();
  #posting = 0;
  #bytes = 0;
  /** After it no attempt begins, by performance.now(). */
  #lastMs = Number.POSITIVE_INFINITY;

  /** @param allowsPrivate whether a webhook may be on this machine or in its network */
  constructor(
    logger: Logger,
    pauseMs = betweenMs,
    bytesLimit = waitingBytesLimit,
    allowsPrivate = true,
    lastAttemptsMs = leavingMs,
  ) {
    this.#logger = logger;
    this.#allowsPrivate = allowsPrivate;
    this.#pauseMs = pauseMs;
    this.#bytesLimit = bytesLimit;
    this.#leavingMs = lastAttemptsMs;
  }

  /**
   * Tells the webhook of a job that has ended, where it has one. Never rejects.
   * @returns whether nothing is owed any more: it was told, or is given up
   */
  async tell(job: LocalJob): Promise<boolean> {
    const { webhook, id } = job.job;
    if (typeof webhook !== "string" || webhook === "") return true;
    const body = jobJson(job);
    const bytes = Buffer.byteLength(body);
    if (this.#posting >= postsAtOnce && this.#bytes + bytes > this.#bytesLimit) {
      const limit = `at most ${this.#bytesLimit} may`;
      this.#warn(id, `${this.#bytes} bytes of results wait for their webhooks already, ${limit}`);
      return false;
    }
    this.#bytes += bytes;
    const told = this.#post(webhook, id, body).finally(() => {
      this.#bytes -= bytes;
      this.#underWay.delete(told);
    });
    this.#underWay.add(told);
    return told;
  }

  /** Makes no more pauses. Resolves when all were told or given up. */
  async settled(): Promise<void> {
    this.#lastMs = performance.now() + this.#leavingMs;
    this.#leaving.abort();
    await Promise.all(this.#underWay);
  }

  /** Never rejects. @returns false: the server ends, and another one may tell it */
  async #post(url: string, jobId: string, body: string): Promise<boolean> {
    for (let attempt = 1; ; attempt += 1) {
      const posted = await this.#attempt(url, body);
      if (posted.type === "ok") return true;
      if (posted.type === "refused" || attempt === attempts || this.#bytes > this.#bytesLimit) {
        this.#warn(jobId, `${posted.reason}, at attempt ${attempt} of ${attempts}`);
        return performance.now() < this.#lastMs;
      }
      await sleep(this.#pauseMs, this.#leaving.signal);
    }
  }

  /** One attempt, when its turn comes. */
  async #attempt(url: string, body: string): Promise<Posted> {
    if (this.#posting >= postsAtOnce) await new Promise<void>((resolve) => this.#queue.add(resolve));
    else this.#posting += 1;
    try {
      if (performance.now() >= this.#lastMs) return { type: "refused", reason: "the server ends" };
      return await postJson(url, body, { allowsPrivate: this.#allowsPrivate, timeoutMs: attemptMs });
    } finally {
      this.#passTurn();
    }
  }

  #passTurn(): void {
    const [next] = this.#queue;
    if (next === undefined) this.#posting -= 1;
    else {
      this.#queue.delete(next);
      next();
    }
  }

  #warn(jobId: string, reason: string): void {
    this.#logger.warn(`The webhook of job ${jobId} was not told: ${reason}.`);
  }
}
