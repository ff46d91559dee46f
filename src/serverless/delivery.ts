// Sends what is said of a job to the platform, again and again until it is
// there, refused, or its time is over. Holds no order: that is the outbox's.
import { Backoff, type Random, sleep } from "./backoff.js";
import type { WorkerConfig } from "./config.js";
import { type WireClient, WireFailure, type WireResponse } from "./wire-client.js";

export interface Parcel {
  readonly url: string;
  readonly jobId: string;
  /** JSON text. */
  readonly body: string;
  /** Milliseconds from now in which it is sent again; 0: one attempt only. */
  readonly budgetMs: number;
  /** Milliseconds one attempt may take. */
  readonly attemptMs?: number;
  readonly signal: AbortSignal;
}

/** What became of a parcel. */
export type Receipt =
  | { readonly type: "delivered" }
  /** The platform does not want it; sending it again cannot help. */
  | { readonly type: "refused"; readonly status: number }
  | { readonly type: "undelivered"; readonly reason: string }
  | { readonly type: "aborted" };

const attemptMs = 30_000;
const firstPauseMs = 250;
const lastPauseMs = 8000;
const retried: ReadonlySet<number> = new Set([408, 425, 429]);

export class Delivery {
  readonly #client: WireClient;
  readonly #config: WorkerConfig;
  readonly #random: Random;

  constructor(client: WireClient, config: WorkerConfig, random: Random) {
    this.#client = client;
    this.#config = config;
    this.#random = random;
  }

  /** Never rejects. */
  async send(parcel: Parcel): Promise<Receipt> {
    const end = performance.now() + parcel.budgetMs;
    const backoff = new Backoff(firstPauseMs, lastPauseMs, this.#random);
    let mayHaveLanded = false;
    for (;;) {
      if (parcel.signal.aborted) return { type: "aborted" };
      const answer = await this.#attempt(parcel);
      const verdict = judge(answer, mayHaveLanded);
      if (typeof verdict !== "string") return verdict;
      // A lost answer or a 5xx leaves open whether the platform took it.
      mayHaveLanded ||= answer instanceof WireFailure || answer.status >= 500 || answer.status === 408;
      const pauseMs = pauseAfter(answer, backoff);
      if (performance.now() + pauseMs >= end) return { type: "undelivered", reason: verdict };
      await sleep(pauseMs, parcel.signal);
    }
  }

  #attempt(parcel: Parcel): Promise<WireResponse | WireFailure> {
    const headers = {
      Authorization: this.#config.apiKey,
      "Content-Type": "application/x-www-form-urlencoded",
      charset: "utf-8",
      "User-Agent": this.#config.userAgent,
      "X-Request-ID": headerText(parcel.jobId),
      Accept: "*/*",
      "Accept-Encoding": "gzip, deflate",
    };
    const { url, body, signal } = parcel;
    const timeoutMs = parcel.attemptMs ?? attemptMs;
    return this.#client
      .request({ method: "POST", url, headers, body, timeoutMs, signal })
      .catch((thrown: unknown) => {
        if (thrown instanceof WireFailure) return thrown;
        throw thrown;
      });
  }
}

/** A receipt, or the reason to try again. */
function judge(answer: WireResponse | WireFailure, mayHaveLanded: boolean): Receipt | string {
  if (answer instanceof WireFailure) {
    return answer.kind === "aborted" ? { type: "aborted" } : answer.message;
  }
  const { status } = answer;
  if (status < 400) return { type: "delivered" };
  if (status >= 500 || retried.has(status)) return `status ${status}`;
  // The platform answers 400 to what it has already.
  return mayHaveLanded ? { type: "delivered" } : { type: "refused", status };
}

function pauseAfter(answer: WireResponse | WireFailure, backoff: Backoff): number {
  if (answer instanceof WireFailure) return answer.reusedSocket ? 0 : backoff.next();
  return answer.retryAfterMs ?? backoff.next();
}

/** Ids are ASCII in practice; anything else would not be a legal header. */
export function headerText(text: string): string {
  return /^[\x21-\x7e]*$/.test(text) ? text : encodeURIComponent(Buffer.from(text).toString());
}
