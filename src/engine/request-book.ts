// The books of one engine's requests. A request is one call of generate(), fork(),
// embed(), rerank(), saveState() or loadState(), however many choices, inputs or
// documents it has. Each is opened once and ends in exactly one of four counts. Owns the
// counts that stats() tells and knows when no request lives, which drain() waits for.
import { z } from "zod";
import { cancelledBy, InferenceError } from "../errors.js";
import { abortSignal, judge } from "./judge.js";

/**
 * How a request ended: `finished` by itself, also where the answer is OUTPUT_INVALID; `failed` after the engine had accepted it;
 * `cancelled` by cancel(), a signal, a reader that left or a closing engine, whether
 * accepted or not; `refused` with an error before the engine had accepted it.
 */
export type RequestOutcome = "finished" | "failed" | "cancelled" | "refused";

/** Requests that have ended, by outcome. */
export type RequestCounts = Readonly<Record<RequestOutcome, number>>;

/** How to drain an engine. */
export interface DrainOptions {
  /** Ends the waiting, not the draining. Default: waits as long as it takes. */
  readonly signal?: AbortSignal | undefined;
}

/** The options of drain(). */
export const drainSchema = z.strictObject({ signal: abortSignal().optional() });

/** @throws InferenceError INVALID_OPTION */
export function judgeDrain(options: DrainOptions): DrainOptions {
  return judge("drain()", drainSchema, options);
}

/** A call that is under way. */
export interface OpenCall {
  /** Whether the engine had accepted it when it failed. Default: it had not. */
  isAccepted: () => boolean;
}

/** Counts the requests of one engine. */
export class RequestBook {
  readonly #counts = { finished: 0, failed: 0, cancelled: 0, refused: 0 };
  readonly #waiting = new Set<() => void>();
  #living = 0;

  /** Requests that have ended, by outcome. */
  get counts(): RequestCounts {
    return { ...this.#counts };
  }

  /** A request begins. @returns counts its end; to be called once */
  open(): (outcome: RequestOutcome) => void {
    this.#living += 1;
    return (outcome) => {
      this.#counts[outcome] += 1;
      this.#living -= 1;
      if (this.#living > 0) return;
      for (const resolve of this.#waiting) resolve();
    };
  }

  /** Counts a request that is one promise; `call.isAccepted` tells a failure from a refusal. */
  async counted<Value>(work: (call: OpenCall) => Promise<Value>): Promise<Value> {
    const close = this.open();
    const call: OpenCall = { isAccepted: () => false };
    try {
      const value = await work(call);
      close("finished");
      return value;
    } catch (thrown) {
      if (thrown instanceof InferenceError && thrown.code === "CANCELLED") close("cancelled");
      else close(call.isAccepted() ? "failed" : "refused");
      throw thrown;
    }
  }

  /**
   * Waits until no request lives.
   * @throws InferenceError (rejects) CANCELLED
   */
  untilIdle(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (how: () => void) => {
        signal?.removeEventListener("abort", abort);
        this.#waiting.delete(done);
        how();
      };
      const done = () => settle(resolve);
      const abort = () => settle(() => reject(signal && cancelledBy(signal, "waiting for drain()")));
      if (signal?.aborted) return abort();
      if (this.#living === 0) return done();
      this.#waiting.add(done);
      signal?.addEventListener("abort", abort, { once: true });
    });
  }
}
