// What the engine promises, on real weights: chat, forms, reuse of prefixes, drafts, batches,
// and contexts longer than a sliding window.
import { afterAll, beforeAll, expect, it } from "vitest";
import { z } from "zod";
import type { Engine, EngineOptions, GenerateResult, Generation, Model } from "../../src/index.js";
import { loadModel } from "../../src/index.js";
import { describeReal, pinnedText, type RealModel, realModelPath } from "../helpers/real-models.js";

const minutes = 60_000;
const questions = [
  "What is the capital of France?",
  "Name three colours.",
  "Write one sentence about the sea.",
  "How many legs has a spider?",
  "Who wrote Hamlet?",
  "What is the opposite of hot?",
];

let model: Model;

function loaded(name: RealModel): void {
  beforeAll(async () => {
    model = await loadModel(realModelPath(name));
  });
  afterAll(() => model.close());
}

async function withEngine<Value>(
  options: EngineOptions,
  work: (engine: Engine) => Promise<Value>,
): Promise<Value> {
  const engine = await model.createEngine({ contextLength: 1024, ...options });
  try {
    return await work(engine);
  } finally {
    await engine.close();
  }
}

const asked = (content: string) => [{ role: "user" as const, content }];

const greedy = { temperature: 0, maxTokens: 24 };

async function one(run: Generation): Promise<GenerateResult> {
  return await run;
}

describeReal("smollm2", () => {
  loaded("smollm2");

  it("answers a question by its own chat template", { timeout: 2 * minutes }, async () => {
    await withEngine({ slots: 1 }, async (engine) => {
      const messages = asked(questions[0] ?? "");
      const { prompt } = await model.renderChat(messages);
      expect(prompt).toMatch(
        /<\|im_start\|>user\nWhat is the capital of France\?<\|im_end\|>\n<\|im_start\|>assistant\n$/,
      );
      // The first token is nearly a tie; what follows these words is not.
      const begun = { prompt: `${prompt}The capital of France is`, parseSpecial: true, addSpecial: false };
      const { text, finishReason } = await one(engine.generate({ ...begun, temperature: 0, maxTokens: 40 }));
      expect(text).toContain("Paris");
      expect(finishReason).toBe("stop");
      const { usage } = await one(engine.generate({ messages, ...greedy }));
      expect(usage.promptTokens).toBe(
        model.tokenize(prompt, { addSpecial: false, parseSpecial: true }).length,
      );
    });
  });

  it("writes JSON that a zod schema takes", { timeout: 2 * minutes }, async () => {
    const person = z.object({
      name: z.string().max(20),
      age: z.int().min(0).max(120),
      tags: z.array(z.enum(["a", "b"])).max(3),
    });
    const { $schema: _, ...jsonSchema } = z.toJSONSchema(person);
    await withEngine({ slots: 4 }, async (engine) => {
      const runs = [1, 2, 3, 4].map((seed) =>
        engine.generate({ messages: asked("Describe a person."), jsonSchema, seed, maxTokens: 200 }),
      );
      for (const { text } of await Promise.all(runs))
        expect(() => person.parse(JSON.parse(text))).not.toThrow();
    });
  });
});

describeReal("smollm2", () => {
  loaded("smollm2");

  it("writes the same text alone, batched and with a reused prefix", { timeout: 5 * minutes }, async () => {
    const told = pinnedText("README.md").slice(0, 1200);
    const prompts = questions.map((question) => asked(`${told}\n\n${question}`));
    const options: EngineOptions = { deterministic: true };
    const alone = await withEngine({ ...options, slots: 1, promptCache: false }, async (engine) => {
      const texts: string[] = [];
      for (const messages of prompts) texts.push((await one(engine.generate({ messages, ...greedy }))).text);
      return texts;
    });
    await withEngine({ ...options, slots: 6 }, async (engine) => {
      const together = await Promise.all(
        prompts.map((messages) => one(engine.generate({ messages, ...greedy }))),
      );
      expect(together.map(({ text }) => text)).toEqual(alone);
      const again = await one(engine.generate({ messages: prompts[0] ?? [], ...greedy }));
      expect(again.text).toBe(alone[0]);
      expect(again.usage.cachedPromptTokens).toBeGreaterThan(250);
    });
  });

  it("parts from its text, with a draft model that guesses right, only where it was undecided", {
    timeout: 2 * minutes,
  }, async () => {
    const messages = asked(questions[2] ?? "");
    const request = { messages, ...greedy, logProbs: 2 };
    const plain = await withEngine({ slots: 1 }, (engine) => one(engine.generate(request)));
    const draftModel = await loadModel(realModelPath("smollm2"));
    await withEngine({ slots: 1, speculation: { draftModel, draftTokens: 4 } }, async (engine) => {
      const guessed = await one(engine.generate(request));
      expect(gapWhereTheyPart(guessed, plain)).toBeLessThan(0.5);
      const { modelDraftedTokens, modelAcceptedTokens } = engine.stats();
      expect(modelAcceptedTokens / modelDraftedTokens).toBeGreaterThan(0.8);
    });
    await draftModel.close();
  });
});

describeReal("gemma3", () => {
  loaded("gemma3");

  it("remembers what lies further back than its sliding window", { timeout: 5 * minutes }, async () => {
    // Every sixth layer sees everything: the model can copy a line from 1,500 tokens ago.
    const secret = "The password of the lighthouse is 48213.";
    const prompt = `${secret}\n${pinnedText("tools/quantize/README.md").slice(0, 4500)}\n\nThe password of the lighthouse is`;
    expect(model.tokenize(prompt).length).toBeGreaterThan(1100);
    await withEngine({ slots: 1, contextLength: 4096 }, async (engine) => {
      const first = await one(engine.generate({ prompt, ...greedy }));
      expect(first.text).toContain("48213");
      const again = await one(engine.generate({ prompt, ...greedy }));
      expect(again.usage.cachedPromptTokens).toBeGreaterThan(1000);
      expect(again.text).toContain("48213");
    });
  });

  it("parts from its text alone, when batched, only where it was undecided", {
    timeout: 5 * minutes,
  }, async () => {
    const prompts = questions.map((question) => `Question: ${question}\nAnswer:`);
    const request = (prompt: string) => ({ prompt, ...greedy, logProbs: 2, ignoreEos: true });
    const alone = await withEngine({ slots: 1, promptCache: false }, async (engine) => {
      const results: GenerateResult[] = [];
      for (const prompt of prompts) results.push(await one(engine.generate(request(prompt))));
      return results;
    });
    const together = await withEngine({ slots: 6 }, (engine) =>
      Promise.all(prompts.map((prompt) => one(engine.generate(request(prompt))))),
    );
    for (const [index, result] of together.entries())
      expect(gapWhereTheyPart(result, alone[index])).toBeLessThan(0.5);
  });
});

/** Between the two likeliest tokens, where the texts part; 0: they are the same. */
function gapWhereTheyPart(result: GenerateResult, other: GenerateResult | undefined): number {
  const at = result.tokens.findIndex((token, index) => token !== other?.tokens[index]);
  if (at < 0) return 0;
  const [best, second] = other?.logProbs?.[at]?.top ?? [];
  return (best?.logProb ?? 0) - (second?.logProb ?? Number.NEGATIVE_INFINITY);
}
