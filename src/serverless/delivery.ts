// Sends what is said of a job to the platform, again and again until it is
// there, refused, or its time is over. Holds no order: that is the outbox's.
import { Backoff, type Random, sleep } from "../backoff.js";
import type { WorkerConfig } from "./config.js";
import { type WireClient, WireFailure, type WireHead } from "./wire-client.js";

export interface Parcel {
  readonly url: string;
  readonly jobId: string;
  /** JSON text. */
  readonly body: string;
  /** Milliseconds from now in which it is sent again; 0: one attempt only. */
  readonly budgetMs: number;
  /** Milliseconds one attempt may take. */
  readonly attemptMs?: number;
  /** Whether an earlier parcel that this one replaces may have arrived. */
  readonly mayHaveArrived?: boolean;
  readonly signal: AbortSignal;
}

/** What became of a parcel. */
export type Receipt =
  /** @property sentMs when the attempt began that arrived, by performance.now() */
  | { readonly type: "delivered"; readonly sentMs?: number }
  /** The platform does not want it; sending it again cannot help. */
  | { readonly type: "refused"; readonly status: number; readonly mayHaveArrived: boolean }
  | { readonly type: "undelivered"; readonly reason: string; readonly mayHaveArrived: boolean }
  | { readonly type: "aborted" };

const attemptMs = 30_000;
const firstPauseMs = 250;
const lastPauseMs = 8000;
/** The platform's answers to a job that it does not know or that has ended. */
const refusals: ReadonlySet<number> = new Set([400, 404, 409, 410]);
export const tooLarge = 413;
/** Redirects that keep method and body. */
const followed: ReadonlySet<number> = new Set([307, 308]);
const redirectLimit = 5;

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
    let mayHaveArrived = parcel.mayHaveArrived ?? false;
    for (;;) {
      if (parcel.signal.aborted) return { type: "aborted" };
      const sentMs = performance.now();
      const answer = await this.#attempt(parcel);
      const verdict = judge(answer, mayHaveArrived);
      if (typeof verdict !== "string") return verdict.type === "delivered" ? { ...verdict, sentMs } : verdict;
      mayHaveArrived ||= mayHaveTaken(answer);
      const leftMs = end - performance.now();
      if (leftMs <= 0) return { type: "undelivered", reason: verdict, mayHaveArrived };
      // The last attempt is at the end of the budget, whatever Retry-After says.
      await sleep(Math.min(pauseAfter(answer, backoff), leftMs), parcel.signal);
    }
  }

  /** One post, and what its redirects within the platform's origin lead to. */
  async #attempt(parcel: Parcel): Promise<WireHead | WireFailure> {
    let { url } = parcel;
    for (let hops = 0; ; hops += 1) {
      const answer = await this.#post(url, parcel);
      const next = answer instanceof WireFailure ? undefined : redirected(answer, url);
      if (next === undefined || hops >= redirectLimit) return answer;
      url = next;
    }
  }

  /** An answer that broke off counts as soon as its head is there: the verdict is the status. */
  async #post(url: string, { jobId, body, signal, attemptMs: timeoutMs = attemptMs }: Parcel) {
    const headers = {
      Authorization: this.#config.apiKey,
      "Content-Type": "application/x-www-form-urlencoded",
      charset: "utf-8",
      "User-Agent": this.#config.userAgent,
      "X-Request-ID": headerText(jobId),
      Accept: "*/*",
      "Accept-Encoding": "gzip, deflate",
    };
    return await this.#client
      .request({ method: "POST", url, headers, body, timeoutMs, signal })
      .catch((thrown: unknown): WireHead | WireFailure => {
        if (!(thrown instanceof WireFailure)) throw thrown;
        return thrown.kind === "aborted" ? thrown : (thrown.progress.head ?? thrown);
      });
  }
}

/** A receipt, or the reason to try again. */
function judge(answer: WireHead | WireFailure, mayHaveArrived: boolean): Receipt | string {
  if (answer instanceof WireFailure) {
    return answer.kind === "aborted" ? { type: "aborted" } : answer.message;
  }
  const { status, location } = answer;
  if (status >= 200 && status < 300) return { type: "delivered" };
  if (status === tooLarge) return { type: "refused", status, mayHaveArrived };
  if (refusals.has(status)) {
    // The platform answers so to what it has already.
    return mayHaveArrived ? { type: "delivered" } : { type: "refused", status, mayHaveArrived };
  }
  return location === undefined ? `status ${status}` : `status ${status}, a redirect to ${location}`;
}

/** Whether the platform may have taken what was answered so. */
function mayHaveTaken(answer: WireHead | WireFailure): boolean {
  if (answer instanceof WireFailure) return answer.progress.sent;
  return answer.status >= 500 || answer.status === 408;
}

/** Where a redirect leads; undefined for no redirect, and for one to a stranger, who must not see the key. */
function redirected({ status, location }: WireHead, url: string): string | undefined {
  if (!followed.has(status) || location === undefined || !URL.canParse(location, url)) return undefined;
  const target = new URL(location, url);
  return target.origin === new URL(url).origin ? target.href : undefined;
}

function pauseAfter(answer: WireHead | WireFailure, backoff: Backoff): number {
  if (answer instanceof WireFailure) return answer.progress.reusedSocket ? 0 : backoff.next();
  return Math.max(answer.retryAfterMs ?? 0, backoff.next());
}

/** Ids are ASCII in practice; anything else would not be a legal header. */
export function headerText(text: string): string {
  return /^[\x21-\x7e]*$/.test(text) ? text : encodeURIComponent(Buffer.from(text).toString());
}
