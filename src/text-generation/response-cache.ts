// Earlier answers, word for word: requests that are equal and deterministic
// (temperature 0, or a seed) are computed once, also while the first still runs.
// The least recently used leave first, by count and by bytes.
import { createHash } from "node:crypto";
import type { GenerateResult, GenerationEvent } from "../engine/events.js";
import type { GenerateRequest } from "../engine/generate-request.js";
import { cancelledBy } from "../errors.js";
import type { Run } from "../openai/text-model.js";

/** Starts a generation. */
export type Generate = (request: GenerateRequest) => Run;

export interface CacheLimits {
  /** Answers kept; 0 turns it off. */
  readonly entries: number;
  readonly bytes: number;
}

/** What happened to the requests. */
export interface CacheFigures {
  readonly hits: number;
  /** Requests that joined one in flight. */
  readonly joined: number;
  readonly misses: number;
  /** Requests that are different each time. */
  readonly uncacheable: number;
}

interface Entry {
  readonly events: readonly GenerationEvent[];
  readonly result: GenerateResult;
  readonly bytes: number;
}

/** One generation that several requests wait for. */
interface Shared {
  readonly run: Run;
  readonly controller: AbortController;
  /** Settles when its answer is kept, or will not be. */
  kept: Promise<void>;
  readers: number;
}

/** A deterministic request draws the same tokens each time. */
export function isDeterministic({ temperature, seed, mirostat }: GenerateRequest): boolean {
  return seed !== undefined || (temperature !== undefined && temperature <= 0 && !mirostat);
}

export class ResponseCache {
  readonly #generate: Generate;
  readonly #limits: CacheLimits;
  readonly #onUncacheable: () => void;
  /** By digest, least recently used first. */
  readonly #entries = new Map<string, Entry>();
  readonly #inFlight = new Map<string, Shared>();
  #bytes = 0;
  #figures = { hits: 0, joined: 0, misses: 0, uncacheable: 0 };

  /** @param onUncacheable told of each request that cannot be kept */
  constructor(generate: Generate, limits: CacheLimits, onUncacheable: () => void = () => {}) {
    this.#generate = generate;
    this.#limits = limits;
    this.#onUncacheable = onUncacheable;
  }

  get figures(): CacheFigures {
    return { ...this.#figures };
  }

  /** As the engine's generate(). */
  generate(request: GenerateRequest): Run {
    if (this.#limits.entries === 0) return this.#generate(request);
    if (!isDeterministic(request)) {
      this.#figures.uncacheable += 1;
      this.#onUncacheable();
      return this.#generate(request);
    }
    const { signal, ...rest } = request;
    const key = digest(rest);
    const kept = this.#entries.get(key);
    if (kept === undefined) return this.#join(key, rest, signal);
    this.#figures.hits += 1;
    this.#entries.delete(key);
    this.#entries.set(key, kept);
    return replay(kept);
  }

  #join(key: string, request: GenerateRequest, signal: AbortSignal | undefined): Run {
    const running = this.#inFlight.get(key);
    if (running !== undefined) this.#figures.joined += 1;
    else this.#figures.misses += 1;
    const shared = running ?? this.#start(key, request);
    shared.readers += 1;
    return new Reader(shared, signal, running !== undefined, () => this.#forget(key, shared));
  }

  #start(key: string, request: GenerateRequest): Shared {
    const controller = new AbortController();
    const run = this.#generate({ ...request, signal: controller.signal });
    const shared: Shared = { run, controller, kept: Promise.resolve(), readers: 0 };
    this.#inFlight.set(key, shared);
    shared.kept = this.#keep(key, run).finally(() => this.#forget(key, shared));
    return shared;
  }

  /** From now on equal requests begin anew, or find what was kept. */
  #forget(key: string, shared: Shared): void {
    if (this.#inFlight.get(key) === shared) this.#inFlight.delete(key);
  }

  /** Reads along; what was cut short is not kept. */
  async #keep(key: string, run: Run): Promise<void> {
    try {
      const events: GenerationEvent[] = [];
      for await (const event of run) events.push(event);
      const result = await run;
      if (result.choices.some((choice) => choice.finishReason === "cancelled")) return;
      const bytes = sizeOf(events);
      if (bytes > this.#limits.bytes) return;
      this.#entries.set(key, { events, result, bytes });
      this.#bytes += bytes;
      this.#evict();
    } catch {
      // Whoever asked hears of it.
    }
  }

  #evict(): void {
    for (const [key, { bytes }] of this.#entries) {
      if (this.#entries.size <= this.#limits.entries && this.#bytes <= this.#limits.bytes) return;
      this.#entries.delete(key);
      this.#bytes -= bytes;
    }
  }
}

function digest(request: GenerateRequest): string {
  return createHash("sha256").update(canonical(request)).digest("base64");
}

/**
 * JSON text that is the same for requests that mean the same. The order of the request's
 * own fields says nothing; within them it does: a schema's properties are written in
 * their order, a template may go through its variables in theirs.
 */
function canonical(request: GenerateRequest): string {
  const fields = Object.entries(request).sort(([one], [other]) => (one < other ? -1 : 1));
  return JSON.stringify(fields, (_key, item: unknown) => {
    if (typeof item === "bigint") return { bigint: String(item) };
    if (item instanceof Map) return { map: [...item].sort(([one], [other]) => one - other) };
    if (item instanceof RegExp) return { regex: String(item) };
    return ArrayBuffer.isView(item) ? Array.from(item as Int32Array) : item;
  });
}

/** Bytes that events hold, about. */
function sizeOf(events: readonly GenerationEvent[]): number {
  const perEvent = 200;
  const perToken = 16;
  return events.reduce((sum, event) => {
    const text = "text" in event ? event.text.length : 0;
    const tokens = "tokens" in event ? event.tokens.length : 0;
    return sum + perEvent + 2 * text + perToken * tokens;
  }, 0);
}

function replay({ events, result }: Entry): Run {
  const whole = Promise.resolve(result);
  return {
    repeated: true,
    async *[Symbol.asyncIterator]() {
      yield* events;
    },
    // biome-ignore lint/suspicious/noThenProperty: a run is awaited for its result
    then: (onFulfilled, onRejected) => whole.then(onFulfilled, onRejected),
  };
}

/** One request's view of a shared run: its signal ends its reading, the last one's ends the run. */
class Reader implements Run {
  readonly repeated: boolean;
  readonly #shared: Shared;
  readonly #left: Promise<never>;
  readonly #detach: () => void;

  /** @param onAbandoned told when nobody reads the run any more */
  constructor(shared: Shared, signal: AbortSignal | undefined, repeated: boolean, onAbandoned: () => void) {
    this.#shared = shared;
    this.repeated = repeated;
    let reject: (error: Error) => void = () => {};
    this.#left = new Promise<never>((_resolve, refuse) => {
      reject = refuse;
    });
    this.#left.catch(() => {}); // nobody may be reading any more
    const leave = () => {
      shared.readers -= 1;
      if (shared.readers === 0) {
        onAbandoned();
        shared.controller.abort();
      }
      if (signal !== undefined) reject(cancelledBy(signal, "the generation"));
    };
    if (signal?.aborted) leave();
    else signal?.addEventListener("abort", leave, { once: true });
    this.#detach = () => signal?.removeEventListener("abort", leave);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<GenerationEvent, void, undefined> {
    const events = this.#shared.run[Symbol.asyncIterator]();
    try {
      for (;;) {
        const next = await Promise.race([events.next(), this.#left]);
        if (next.done) return;
        if (next.value.type === "end") await this.#shared.kept;
        yield next.value;
      }
    } finally {
      this.#detach();
    }
  }

  // biome-ignore lint/suspicious/noThenProperty: a run is awaited for its result
  then<Fulfilled = GenerateResult, Rejected = never>(
    onFulfilled?: ((result: GenerateResult) => Fulfilled | PromiseLike<Fulfilled>) | null,
    onRejected?: ((reason: unknown) => Rejected | PromiseLike<Rejected>) | null,
  ): Promise<Fulfilled | Rejected> {
    return this.#whole().then(onFulfilled, onRejected);
  }

  async #whole(): Promise<GenerateResult> {
    try {
      const result = await Promise.race([this.#shared.run, this.#left]);
      await this.#shared.kept;
      return result;
    } finally {
      this.#detach();
    }
  }
}
