// What the embedded model says through the engine, judged by the grammar of
// the corpus it was trained on: stories and answers, temperature 0.7, fixed
// seeds, all in one batch.
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Engine, Model } from "../src/index.js";
import { type Acceptance, acceptance } from "../tools/embedded-model/index.mjs";
import { loadEmbedded } from "./helpers/embedded.js";

const storyPrompts = ["Once upon a time", "One day", "In the forest", "A little fox"];
const questions = [
  "Who are you?",
  "Tell me a story about a bear.",
  "What is the weather like?",
  "Where does the owl live?",
  "Thank you!",
];

let model: Model;
let engine: Engine;

beforeAll(async () => {
  model = await loadEmbedded();
  engine = await model.createEngine({ slots: 32, contextLength: 512 });
});

afterAll(async () => {
  await engine.close();
  await model.close();
});

/** Prompt and answer of each prompt under eight seeds, judged together. */
async function judged(prompts: readonly string[], spoken: (prompt: string) => string): Promise<Acceptance> {
  const runs = prompts.flatMap((prompt) =>
    Array.from({ length: 8 }, async (_, seed) => {
      const { text } = await engine.generate({
        prompt,
        parseSpecial: true,
        maxTokens: 300,
        temperature: 0.7,
        seed,
      });
      return acceptance(spoken(prompt) + text);
    }),
  );
  const verdicts = await Promise.all(runs);
  return {
    sentences: verdicts.reduce((sum, verdict) => sum + verdict.sentences, 0),
    accepted: verdicts.reduce((sum, verdict) => sum + verdict.accepted, 0),
    rejected: verdicts.flatMap((verdict) => verdict.rejected),
  };
}

test("nine of ten sentences of its stories are grammatical", async () => {
  const verdict = await judged(storyPrompts, (prompt) => prompt);
  expect(verdict.sentences).toBeGreaterThan(100);
  expect(verdict.accepted / verdict.sentences, verdict.rejected.join("\n")).toBeGreaterThanOrEqual(0.9);
});

test("nine of ten sentences of its answers are grammatical", async () => {
  const prompts = questions.map((question) => `<|user|>${question}<|end|><|assistant|>`);
  const verdict = await judged(prompts, () => "");
  expect(verdict.sentences).toBeGreaterThan(40);
  expect(verdict.accepted / verdict.sentences, verdict.rejected.join("\n")).toBeGreaterThanOrEqual(0.9);
});
