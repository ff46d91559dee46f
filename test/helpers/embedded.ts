// The embedded model for tests that need a real one, and prompts in its world.
import type { Engine, EngineOptions, GenerationEvent, Model } from "../../src/index.js";
import { embeddedModelPath, loadModel } from "../../src/index.js";

export const prompt = "Once upon a time";

export function loadEmbedded(): Promise<Model> {
  return loadModel(embeddedModelPath());
}

/** Runs the work with an engine of its own, and closes it whatever happens. One
 * thread: the model is small, and tests run beside each other. */
export async function withEngine<Value>(
  model: Model,
  options: EngineOptions,
  work: (engine: Engine) => Promise<Value>,
): Promise<Value> {
  const engine = await model.createEngine({ threads: 1, ...options });
  try {
    return await work(engine);
  } finally {
    await engine.close();
  }
}

export async function eventsOf(run: AsyncIterable<GenerationEvent>): Promise<GenerationEvent[]> {
  const events: GenerationEvent[] = [];
  for await (const event of run) events.push(event);
  return events;
}

/** Turns of the event loop until the condition holds. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

/** The text so far: what the deltas join to. */
export function textOf(events: readonly GenerationEvent[]): string {
  return events.map((event) => (event.type === "text-delta" ? event.text : "")).join("");
}

/** A small repeatable random source (mulberry32): 0 <= value < 1. */
export function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
