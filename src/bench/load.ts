// Sends requests to a target: as many at once (a closed loop), or at scheduled times. Ends when
// its requests have ended, at the signal, or where nothing but failures comes back. Knows no
// statistics.
import { setMaxListeners } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { type Arrivals, arrivalTimes } from "./arrivals.js";
import { Random } from "./random.js";
import type { Ask, Outcome, RequestRecord } from "./record.js";
import { type Target, TargetFailure } from "./target.js";

/** How one load point loads the target. */
export type Load =
  | { readonly type: "concurrency"; readonly concurrency: number }
  | ({ readonly type: "rate" } & Arrivals);

/** How much one repeat sends. */
export interface Amount {
  /** Requests before the measured ones, whose figures are dropped. */
  readonly warmup: number;
  /** Measured requests; undefined: as many as `seconds` let begin. */
  readonly requests: number | undefined;
  /** Seconds in which measured requests begin; undefined: as long as `requests` take. */
  readonly seconds: number | undefined;
}

/** What a repeat is made of. */
export interface Repeat {
  readonly load: Load;
  readonly amount: Amount;
  /** Makes the next request. */
  readonly next: () => Ask;
  /** Of the arrivals. */
  readonly seed: string;
  /** Milliseconds after which a request has failed. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** Failures in a row, beyond what is in flight, after which a target counts as lost. */
const failuresInARow = 10;

/** Requests that were made before the run are at most so many: their text is held in memory. */
const madeAhead = 20_000;

/**
 * Runs one repeat. @param onEnd told each request as it ends, and its answer
 * @throws TargetFailure (rejects) where the target is lost; requests in flight are cancelled first
 */
export async function runRepeat(
  target: Target,
  repeat: Repeat,
  onEnd: (record: RequestRecord, text: string) => void,
): Promise<void> {
  const run = new LoadRun(target, repeat, onEnd);
  if (repeat.load.type === "concurrency") await run.closedLoop(repeat.load.concurrency);
  else await run.scheduled(repeat.load);
  run.throwIfLost();
}

class LoadRun {
  readonly #target: Target;
  readonly #repeat: Repeat;
  readonly #onEnd: (record: RequestRecord, text: string) => void;
  readonly #lost = new AbortController();
  readonly #signal: AbortSignal;
  readonly #ahead: Ask[] = [];
  #sent = 0;
  #failed = 0;
  #inFlight = 0;
  #last: { readonly errorClass: string; readonly sentence: string } | undefined;
  #measuredSinceMs: number | undefined;

  constructor(target: Target, repeat: Repeat, onEnd: (record: RequestRecord, text: string) => void) {
    this.#target = target;
    this.#repeat = repeat;
    this.#onEnd = onEnd;
    this.#signal = AbortSignal.any([repeat.signal, this.#lost.signal]);
    setMaxListeners(0, this.#signal);
    const { warmup, requests = 0 } = repeat.amount;
    const count = Math.min(warmup + requests, madeAhead);
    for (let made = 0; made < count; made += 1) this.#ahead.push(repeat.next());
    this.#ahead.reverse(); // taken from the end
  }

  /** Each of the streams sends its next request when its last one has ended. */
  async closedLoop(concurrency: number): Promise<void> {
    const stream = async () => {
      while (this.#mayBegin()) await this.#send(performance.now());
    };
    await Promise.all(Array.from({ length: concurrency }, stream));
  }

  /** Requests are sent when they are due, however many are in flight. */
  async scheduled(arrivals: Arrivals): Promise<void> {
    const { amount, seed } = this.#repeat;
    const measured = amount.requests ?? Math.max(1, Math.ceil(arrivals.rate * (amount.seconds ?? 0)));
    const times = arrivalTimes(arrivals, amount.warmup + measured, new Random(`${seed}/arrivals`));
    const begin = performance.now();
    const running = new Set<Promise<void>>();
    for (const time of times) {
      await until(begin + time, this.#signal);
      if (!this.#mayBegin()) break;
      const sent = this.#send(begin + time);
      running.add(sent);
      void sent.then(() => running.delete(sent));
    }
    await Promise.all(running);
  }

  throwIfLost(): void {
    // One refused connection in the middle may be a restart; at the end, nobody is there.
    const isGone = this.#failed > 0 && this.#last?.errorClass === "connect";
    if (this.#repeat.signal.aborted || !(this.#lost.signal.aborted || isGone)) return;
    throw new TargetFailure(
      `${this.#failed} requests in a row failed, the last one with: ${this.#last?.sentence}`,
    );
  }

  #mayBegin(): boolean {
    if (this.#signal.aborted) return false;
    const { warmup, requests, seconds } = this.#repeat.amount;
    if (requests !== undefined && this.#sent >= warmup + requests) return false;
    if (seconds === undefined || this.#measuredSinceMs === undefined) return true;
    return performance.now() < this.#measuredSinceMs + seconds * 1000;
  }

  async #send(dueMs: number): Promise<void> {
    const ask = this.#ahead.pop() ?? this.#repeat.next();
    const isWarmup = this.#sent < this.#repeat.amount.warmup;
    this.#sent += 1;
    this.#inFlight += 1;
    const arrivalsMs: number[] = [];
    let clientTokens = 0;
    const arrived = (atMs: number, tokens: number | null) => {
      arrivalsMs.push(atMs);
      clientTokens += tokens ?? 1;
    };
    const timeout = timeoutAfter(this.#repeat.timeoutMs, this.#signal);
    const sentMs = performance.now();
    if (!isWarmup) this.#measuredSinceMs ??= sentMs;
    const { text, ...ending } = await this.#target.run(ask, { arrived }, timeout.signal);
    timeout.clear();
    this.#inFlight -= 1;
    const outcome = timeout.hasPassed() ? tooLong(this.#repeat.timeoutMs) : ending.outcome;
    this.#judge(outcome);
    const endMs = performance.now();
    this.#onEnd({ ...ending, outcome, isWarmup, dueMs, sentMs, endMs, arrivalsMs, clientTokens }, text);
  }

  #judge(outcome: Outcome): void {
    if (outcome.type === "finished") this.#failed = 0;
    if (outcome.type !== "failed") return;
    this.#failed += 1;
    this.#last = outcome;
    // What was in flight when the target was lost fails at once, and means one failure only.
    if (this.#failed >= failuresInARow + this.#inFlight) this.#lost.abort();
  }
}

function tooLong(timeoutMs: number): Outcome {
  return {
    type: "failed",
    errorClass: "timeout",
    sentence: `no end within ${timeoutMs / 1000} s (--timeout)`,
  };
}

/** A signal that aborts with another one, or when the time is over. */
function timeoutAfter(milliseconds: number, outer: AbortSignal) {
  const controller = new AbortController();
  let passed = false;
  const timer = setTimeout(() => {
    passed = true;
    controller.abort();
  }, milliseconds);
  const onAbort = () => controller.abort();
  outer.addEventListener("abort", onAbort, { once: true });
  if (outer.aborted) onAbort();
  const clear = () => {
    clearTimeout(timer);
    outer.removeEventListener("abort", onAbort);
  };
  return { signal: controller.signal, hasPassed: () => passed, clear };
}

/** Never early; timers of Node come up to a millisecond late, and the record says by how much. */
async function until(timeMs: number, signal: AbortSignal): Promise<void> {
  for (
    let left = timeMs - performance.now();
    left > 0 && !signal.aborted;
    left = timeMs - performance.now()
  ) {
    // Node cuts fractions off. The caller looks at the signal.
    await sleep(Math.ceil(left), undefined, { signal }).catch(() => {});
  }
}
