// Sends requests to a target: as many at once (a closed loop), or at scheduled times. Ends when
// its requests have ended, at the signal, or where nothing but failures comes back. Knows no
// statistics.
import { setMaxListeners } from "node:events";
import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";
import { type Arrivals, arrivalTimes } from "./arrivals.js";
import { Random } from "./random.js";
import type { Outcome, PlannedAsk, RequestRecord } from "./record.js";
import { RequestLimit } from "./request-limit.js";
import { type Target, TargetFailure } from "./target.js";

/** How one load point loads the target. */
export type Load =
  | { readonly type: "concurrency"; readonly concurrency: number }
  | ({ readonly type: "rate" } & Arrivals)
  /** The times of a trace; speed 2: in half of the time. */
  | { readonly type: "trace"; readonly speed: number };

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
  readonly next: () => PlannedAsk;
  /** Whether requests hold answers of earlier ones, so that none can be made before the run. */
  readonly needsAnswers: boolean;
  /** Of a load of type "trace": when each request came, in milliseconds after the first. */
  readonly traceMs: readonly number[];
  /** Of the arrivals. */
  readonly seed: string;
  /** Milliseconds after which a request has failed. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** Failures in a row, beyond what is in flight, after which a target counts as lost. */
const failuresInARow = 10;

/** Requests that are made before the run are at most so many, of at most so much text. */
const madeAhead = { requests: 20_000, characters: 2 ** 27 };

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
  else await run.scheduled(sendTimes(repeat, repeat.load));
  run.throwIfLost();
}

class LoadRun {
  readonly #target: Target;
  readonly #repeat: Repeat;
  readonly #onEnd: (record: RequestRecord, text: string) => void;
  readonly #lost = new AbortController();
  readonly #signal: AbortSignal;
  readonly #ahead: PlannedAsk[] = [];
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
    if (!repeat.needsAnswers) this.#ahead.push(...requestsAhead(repeat).reverse()); // taken from the end
  }

  /**
   * Each of the streams sends its next request when its last one has ended. Streams begin at once,
   * and of equal lengths they would end at once ever after, as no users do: the server would get all
   * prompts in one burst, and this client all first tokens. So the answers that each stream warms up
   * with are cut, to evenly spread lengths.
   */
  async closedLoop(concurrency: number): Promise<void> {
    const stream = async (_: unknown, index: number) => {
      let part = (index + 1) / concurrency;
      for (; this.#mayBegin(); part = 1) {
        await this.#send(performance.now(), part);
        await nextTurn(); // making a request would delay the time stamps of all that came with this one's end
      }
    };
    await Promise.all(Array.from({ length: concurrency }, stream));
  }

  /** Requests are sent when they are due, however many are in flight. */
  async scheduled(times: readonly number[]): Promise<void> {
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

  /** @param part of the answer that is wanted where the request warms up: a share */
  async #send(dueMs: number, part = 1): Promise<void> {
    const isWarmup = this.#sent < this.#repeat.amount.warmup;
    const whole = this.#ahead.pop() ?? this.#repeat.next();
    const ask = isWarmup ? shortened(whole, part) : whole;
    this.#sent += 1;
    this.#inFlight += 1;
    const arrivalsMs: number[] = [];
    let clientTokens = 0;
    const limit = new RequestLimit(this.#repeat.timeoutMs, ask.cancelAt, this.#signal);
    const arrived = (atMs: number, tokens: number | null) => {
      arrivalsMs.push(atMs);
      clientTokens += tokens ?? 1;
      limit.sawTokens(clientTokens);
    };
    const begunMs = performance.now();
    if (!isWarmup) this.#measuredSinceMs ??= begunMs;
    let leftMs: number | undefined;
    const sending = (atMs: number) => {
      leftMs ??= atMs; // a second time where a kept connection was closed
    };
    const { text, ...ending } = await this.#target.run(ask, { sending, arrived }, limit.signal);
    limit.clear();
    this.#inFlight -= 1;
    const outcome = limit.outcomeOf(ending.outcome);
    this.#judge(outcome);
    const endMs = performance.now();
    ask.answered(outcome.type === "finished" ? text : null);
    const times = { dueMs, sentMs: leftMs ?? begunMs, endMs, arrivalsMs };
    this.#onEnd({ ...ending, outcome, isWarmup, turn: ask.turn, ...times, clientTokens }, text);
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

/** A conversation needs its answers whole: they are in its later prompts. */
function shortened(ask: PlannedAsk, part: number): PlannedAsk {
  return ask.turn === null ? { ...ask, outputTokens: Math.max(1, Math.ceil(ask.outputTokens * part)) } : ask;
}

/** When requests are to be sent, in milliseconds after the run's begin. */
function sendTimes({ amount, seed, traceMs }: Repeat, load: Exclude<Load, { type: "concurrency" }>) {
  if (load.type === "trace") {
    const { warmup, requests = traceMs.length } = amount;
    return traceMs.slice(0, warmup + requests).map((at) => at / load.speed);
  }
  const measured = amount.requests ?? Math.max(1, Math.ceil(load.rate * (amount.seconds ?? 0)));
  return arrivalTimes(load, amount.warmup + measured, new Random(`${seed}/arrivals`));
}

/** Made before the run, which would be late otherwise. */
function requestsAhead({ amount, next }: Repeat): PlannedAsk[] {
  const { warmup, requests = 0 } = amount;
  const made: PlannedAsk[] = [];
  let characters = 0;
  const most = Math.min(warmup + requests, madeAhead.requests);
  while (made.length < most && characters < madeAhead.characters) {
    const ask = next();
    made.push(ask);
    characters += "prompt" in ask.content ? ask.content.prompt.length : 0;
  }
  return made;
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
