// Tells the webhooks of local jobs how their jobs ended: what /status says, for every
// end. A webhook that does not answer with success is told twice more, as the
// platform does; then the log says so.
import { sleep } from "../backoff.js";
import { view } from "./local-api.js";
import type { LocalJob } from "./local-job.js";
import type { Logger } from "./logger.js";
import { postJson } from "./webhook-post.js";
import { toWireJson } from "./wire-json.js";

const attempts = 3;
const betweenMs = 10_000;
const attemptMs = 10_000;
/** Of bodies that wait for another attempt. */
const waitingBytesLimit = 64 * 2 ** 20;

export class Webhooks {
  readonly #logger: Logger;
  readonly #pauseMs: number;
  readonly #bytesLimit: number;
  readonly #allowsPrivate: boolean;
  readonly #leaving = new AbortController();
  readonly #underWay = new Set<Promise<void>>();
  #bytes = 0;

  /** @param allowsPrivate whether a webhook may be on this machine or in its network */
  constructor(logger: Logger, pauseMs = betweenMs, bytesLimit = waitingBytesLimit, allowsPrivate = true) {
    this.#logger = logger;
    this.#allowsPrivate = allowsPrivate;
    this.#pauseMs = pauseMs;
    this.#bytesLimit = bytesLimit;
  }

  /** Tells the webhook of a job that has ended, where it has one. */
  tell(job: LocalJob): void {
    const { webhook } = job.job;
    if (typeof webhook !== "string" || webhook === "") return;
    const body = toWireJson(view(job));
    const bytes = Buffer.byteLength(body);
    this.#bytes += bytes;
    const told = this.#post(webhook, job.job.id, body).finally(() => {
      this.#bytes -= bytes;
      this.#underWay.delete(told);
    });
    this.#underWay.add(told);
  }

  /** Makes no more pauses. Resolves when all were told or given up. */
  async settled(): Promise<void> {
    this.#leaving.abort();
    await Promise.all(this.#underWay);
  }

  /** Never rejects. */
  async #post(url: string, jobId: string, body: string): Promise<void> {
    const options = { allowsPrivate: this.#allowsPrivate, timeoutMs: attemptMs };
    for (let attempt = 1; ; attempt += 1) {
      const posted = await postJson(url, body, options);
      if (posted.type === "ok") return;
      if (posted.type === "refused" || attempt === attempts || this.#bytes > this.#bytesLimit) {
        this.#logger.warn(
          `The webhook of job ${jobId} was not told: ${posted.reason}, at attempt ${attempt} of ${attempts}.`,
        );
        return;
      }
      await sleep(this.#pauseMs, this.#leaving.signal);
    }
  }
}
