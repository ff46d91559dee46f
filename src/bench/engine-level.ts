// An engine of this process without arrivals, texts or network: how fast it reads prompts of random
// tokens (pp) and generates (tg), alone and several at once. What llama-bench and llama-batched-bench
// measure of llama.cpp alone, here of the whole engine: sampling, scheduling and events are inside.
import type { Engine, Model } from "../index.js";
import { Random } from "./random.js";

/** What is measured. */
export interface EngineLevelPlan {
  /** Prompt tokens. */
  readonly pp: readonly number[];
  /** Generated tokens. */
  readonly tg: readonly number[];
  /** Requests at once. */
  readonly pl: readonly number[];
  /** Tokens that the KV cache holds before a test of one request begins; llama-bench's depth. */
  readonly depth: readonly number[];
  readonly repeats: number;
  readonly seed: number;
}

/** One test of llama-bench: pp or tg, alone. */
export interface SingleTest {
  readonly nPrompt: number;
  readonly nGen: number;
  readonly nDepth: number;
  /** Seconds, of each repeat. */
  readonly seconds: readonly number[];
}

/** One line of llama-batched-bench; seconds are means over the repeats. */
export interface BatchedTest {
  readonly pp: number;
  readonly tg: number;
  readonly pl: number;
  readonly ppSeconds: number;
  readonly tgSeconds: number;
}

/** What was measured, in the order in which it ran. */
export interface EngineLevelFigures {
  readonly single: SingleTest[];
  readonly batched: BatchedTest[];
}

/** An opened model, and an engine with as many slots as the plan has requests at once. */
export interface OpenedEngine {
  readonly model: Model;
  readonly engine: Engine;
}

/**
 * Runs the plan to its end or to the signal. Each test runs once unmeasured first.
 * @param keep told what was measured, test by test
 */
export async function measureEngine(
  opened: OpenedEngine,
  plan: EngineLevelPlan,
  signal: AbortSignal,
  keep: (test: { single: SingleTest } | { batched: BatchedTest }) => void,
): Promise<void> {
  const run = new EngineLevelRun(opened, plan, signal);
  for (const { nPrompt, nGen, nDepth } of singleTests(plan)) {
    const seconds = await run.repeated(() =>
      nGen === 0 ? run.promptAt(nDepth, nPrompt) : run.generationAt(nDepth, nGen),
    );
    if (seconds === null) return;
    keep({ single: { nPrompt, nGen, nDepth, seconds } });
  }
  for (const [pp, tg, pl] of combinations(plan)) {
    const ppSeconds: number[] = [];
    const tgSeconds = await run.repeated(async () => {
      const { prompts, seconds } = await run.prompts(pp, pl);
      ppSeconds.push(seconds);
      return run.generation(prompts, tg);
    });
    if (tgSeconds === null) return;
    const times = { ppSeconds: mean(ppSeconds.slice(1)), tgSeconds: mean(tgSeconds) };
    keep({ batched: { pp, tg, pl, ...times } });
  }
}

/** At each depth first prompts, then generation. */
function singleTests({ pp, tg, depth }: EngineLevelPlan): Omit<SingleTest, "seconds">[] {
  return depth.flatMap((nDepth) => [
    ...pp.map((nPrompt) => ({ nPrompt, nGen: 0, nDepth })),
    ...tg.map((nGen) => ({ nPrompt: 0, nGen, nDepth })),
  ]);
}

function combinations({ pp, tg, pl }: EngineLevelPlan): (readonly [number, number, number])[] {
  return pp.flatMap((prompt) =>
    tg.flatMap((generated) => pl.map((many) => [prompt, generated, many] as const)),
  );
}

type Prompts = readonly (readonly number[])[];

class EngineLevelRun {
  readonly #engine: Engine;
  readonly #vocabulary: number;
  readonly #repeats: number;
  readonly #random: Random;
  readonly #signal: AbortSignal;

  constructor({ model, engine }: OpenedEngine, { repeats, seed }: EngineLevelPlan, signal: AbortSignal) {
    this.#engine = engine;
    this.#vocabulary = model.info.vocabularySize;
    this.#repeats = repeats;
    this.#random = new Random(`${seed}/engine-level`);
    this.#signal = signal;
  }

  /** @returns the measured repeats' values without the first one's; null at the signal */
  async repeated(measure: () => Promise<number>): Promise<readonly number[] | null> {
    const values: number[] = [];
    for (let at = 0; at <= this.#repeats; at += 1) {
      if (this.#signal.aborted) return null;
      values.push(await measure());
    }
    return this.#signal.aborted ? null : values.slice(1);
  }

  /** Reads new prompts, all at once, until each has its first token. */
  async prompts(
    tokens: number,
    count: number,
  ): Promise<{ readonly prompts: Prompts; readonly seconds: number }> {
    const prompts = Array.from({ length: count }, () => this.#drawn(tokens));
    const beginMs = performance.now();
    await Promise.all(prompts.map((prompt) => this.#generate(prompt, 1, () => {})));
    return { prompts, seconds: (performance.now() - beginMs) / 1000 };
  }

  /** Reads so many tokens of a prompt whose first `depth` the cache holds. @returns seconds */
  async promptAt(depth: number, tokens: number): Promise<number> {
    if (depth === 0) return (await this.prompts(tokens, 1)).seconds;
    const [cached = []] = (await this.prompts(depth, 1)).prompts;
    const prompt = [...cached, ...this.#drawn(tokens)];
    const beginMs = performance.now();
    await this.#generate(prompt, 1, () => {});
    return (performance.now() - beginMs) / 1000;
  }

  /** Generates so many tokens after `depth` that the cache holds, or after one. @returns seconds */
  async generationAt(depth: number, tokens: number): Promise<number> {
    const { prompts } = await this.prompts(Math.max(1, depth), 1);
    return this.generation(prompts, tokens);
  }

  #drawn(tokens: number): number[] {
    return Array.from({ length: tokens }, () => this.#random.integer(0, this.#vocabulary - 1));
  }

  /**
   * Generates after prompts that the cache holds.
   * @returns seconds for so many tokens of each, measured from when all have their first one; where most had
   *   come by then, as of a model that is faster than its events, the time from the beginning is divided
   */
  async generation(prompts: Prompts, tokens: number): Promise<number> {
    const askedMs = performance.now();
    let waiting = prompts.length;
    let begunMs = 0;
    let early = 0;
    const begun = new Set<number>();
    const running = prompts.map((prompt, index) =>
      this.#generate(prompt, tokens + 1, (count) => {
        if (waiting === 0) return;
        early += count;
        if (begun.has(index)) return;
        begun.add(index);
        waiting -= 1;
        if (waiting === 0) begunMs = performance.now();
      }),
    );
    await Promise.all(running);
    const all = prompts.length * (tokens + 1);
    const isMostLate = early <= all / 2;
    const seconds = (performance.now() - (isMostLate ? begunMs : askedMs)) / 1000;
    return (seconds * prompts.length * tokens) / (isMostLate ? all - early : all);
  }

  /** Ends early, without an error, at the signal. */
  async #generate(
    prompt: readonly number[],
    maxTokens: number,
    arrived: (tokens: number) => void,
  ): Promise<void> {
    const signal = this.#signal;
    const options = { prompt, maxTokens, temperature: 0, ignoreEos: true, signal };
    try {
      for await (const event of this.#engine.generate(options)) {
        if (event.type === "text-delta") arrived(event.tokens.length);
      }
    } catch (thrown) {
      if (!signal.aborted) throw thrown;
    }
  }
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
