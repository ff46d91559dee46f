// What a generation tells of its prompt: tokens and log-probabilities, once, before anything of
// an answer; and options that bound tokens and text.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { GenerationEvent, Model } from "../../src/index.js";
import { loadEmbedded, prompt, withEngine } from "../helpers/embedded.js";

let model: Model;
beforeAll(async () => {
  model = await loadEmbedded();
});
afterAll(() => model.close());

const greedy = { prompt, temperature: 0, ignoreEos: true } as const;

async function eventsOf(run: AsyncIterable<GenerationEvent>): Promise<GenerationEvent[]> {
  const events: GenerationEvent[] = [];
  for await (const event of run) events.push(event);
  return events;
}

describe("promptLogProbs", () => {
  it("are those of the same tokens, generated", async () => {
    await withEngine(model, { slots: 4, contextLength: 256 }, async (engine) => {
      const said = await engine.generate({ ...greedy, maxTokens: 40, logProbs: 3 });
      const start = model.tokenize(prompt);
      const whole = [...start, ...said.tokens];
      const read = await engine.generate({ ...greedy, prompt: whole, maxTokens: 1, promptLogProbs: 3 });
      expect(read.promptTokens).toEqual(whole);
      expect(read.usage.cachedPromptTokens).toBe(0);
      const told = read.promptLogProbs ?? [];
      expect(told).toHaveLength(whole.length);
      expect(told[0]).toEqual({ token: whole[0], logProb: null, rank: null, top: [] });
      for (const [index, each] of (said.logProbs ?? []).entries()) {
        const same = told[start.length + index];
        expect(same?.token).toBe(each.token);
        expect(same?.rank).toBe(1);
        expect(same?.logProb).toBeCloseTo(each.logProb, 0);
        expect(same?.top).toHaveLength(3);
      }
      expect(await engine.generate({ ...greedy, maxTokens: 1 })).not.toHaveProperty("promptTokens");
    });
  });

  it("come in one event before the text, for all answers once", async () => {
    await withEngine(model, { slots: 2, contextLength: 256 }, async (engine) => {
      for (const n of [1, 4]) {
        const events = await eventsOf(engine.generate({ ...greedy, maxTokens: 5, promptLogProbs: 0, n }));
        expect(events[0]?.type).toBe("prompt");
        expect(events.filter(({ type }) => type === "prompt")).toHaveLength(1);
        const texts = events.filter((event) => event.type === "text-delta");
        expect(new Set(texts.map(({ choiceIndex }) => choiceIndex)).size).toBe(n);
      }
      const messages = [{ role: "user", content: "Who is Mia?" }];
      const chat = await eventsOf(engine.generate({ messages, maxTokens: 5, promptTokens: true }));
      expect(chat[0]?.type).toBe("prompt");
      expect(chat[0]).not.toHaveProperty("logProbs");
    });
  });

  it.each([{}, { kvCells: 2048 }])("are computed 64 rows at a time, with %j", async (layout) => {
    await withEngine(model, { slots: 8, contextLength: 1024, ...layout }, async (engine) => {
      const tokens = Array.from({ length: 500 }, (_, index) => 100 + ((index * 37) % 300));
      const said = await engine.generate({ prompt: tokens, maxTokens: 1, promptLogProbs: 0 });
      expect(said.promptLogProbs).toHaveLength(500);
      expect(engine.stats().prefillPasses).toBeLessThanOrEqual(Math.ceil(500 / 64) + 1);
    });
  });

  it("of a prompt of one token are one null", async () => {
    await withEngine(model, { slots: 1, contextLength: 256 }, async (engine) => {
      const { promptLogProbs } = await engine.generate({ prompt: [300], maxTokens: 1, promptLogProbs: 1 });
      expect(promptLogProbs).toEqual([{ token: 300, logProb: null, rank: null, top: [] }]);
    });
  });

  it("are the same beside others, in one pool and from a prompt that is there already", async () => {
    const long = model.tokenize(prompt.repeat(12)).slice(0, 150);
    const ask = { ...greedy, prompt: long, maxTokens: 1, promptLogProbs: 2 };
    for (const kvLayout of ["streams", "unified"] as const) {
      await withEngine(model, { slots: 3, contextLength: 256, kvLayout }, async (engine) => {
        const alone = await engine.generate(ask);
        const others = [1, 2, 3].map((seed) =>
          engine.generate({ prompt, maxTokens: 100, seed, ignoreEos: true }),
        );
        const among = await engine.generate(ask);
        await Promise.all(others);
        expect(among.promptLogProbs?.map(({ token }) => token)).toEqual(long);
        for (const [index, each] of (among.promptLogProbs ?? []).entries()) {
          const other = alone.promptLogProbs?.[index];
          if (each.logProb !== null) expect(each.logProb).toBeCloseTo(other?.logProb ?? Number.NaN, 0);
        }
      });
    }
  });

  it("that are cut short are told as far as they came, and the engine goes on", async () => {
    await withEngine(model, { slots: 1, contextLength: 1024 }, async (engine) => {
      const long = model.tokenize(prompt.repeat(80)).slice(0, 900);
      const run = engine.generate({ ...greedy, prompt: long, promptLogProbs: 1 });
      run.cancel();
      const { finishReason, promptLogProbs = [] } = await run;
      expect(finishReason).toBe("cancelled");
      expect(promptLogProbs.length).toBeLessThanOrEqual(long.length);
      expect((await engine.generate({ ...greedy, maxTokens: 3 })).tokens).toHaveLength(3);
    });
  });

  it("are refused beyond 20", async () => {
    await withEngine(model, { slots: 1, contextLength: 256 }, async (engine) => {
      await expect(engine.generate({ ...greedy, promptLogProbs: 21 })).rejects.toThrow(
        "promptLogProbs must be an integer from 0 to 20, got 21",
      );
    });
  });
});

describe("what bounds tokens and text", () => {
  it("allowedTokens are the only ones", async () => {
    await withEngine(model, { slots: 2, contextLength: 256 }, async (engine) => {
      const allowedTokens = [310, 320, 330];
      const { tokens } = await engine.generate({ ...greedy, maxTokens: 20, allowedTokens });
      expect(tokens).toHaveLength(20);
      expect(tokens.every((token) => allowedTokens.includes(token))).toBe(true);
      await expect(engine.generate({ ...greedy, allowedTokens: [] })).rejects.toThrow("allowedTokens");
    });
  });

  it("badWords do not come, of one token and of several", async () => {
    await withEngine(model, { slots: 2, contextLength: 256 }, async (engine) => {
      const { text } = await engine.generate({ ...greedy, maxTokens: 40 });
      const words = [...new Set(text.split(/[^a-zA-Z]+/).filter((word) => word.length > 2))];
      expect(words.length).toBeGreaterThan(3);
      for (const word of words) {
        const other = await engine.generate({ ...greedy, maxTokens: 40, badWords: [word] });
        expect(other.text.split(/[^a-zA-Z]+/)).not.toContain(word);
      }
    });
  });

  it("includeStop leaves the stop string in the text, and nothing after it", async () => {
    await withEngine(model, { slots: 1, contextLength: 256 }, async (engine) => {
      const { text } = await engine.generate({ ...greedy, maxTokens: 30 });
      const stop = text.slice(12, 17);
      const cut = await engine.generate({ ...greedy, maxTokens: 30, stop });
      const kept = await engine.generate({ ...greedy, maxTokens: 30, stop, includeStop: true });
      expect(cut.text + stop).toBe(kept.text);
      expect(kept.finishReason).toBe("stop");
    });
  });

  it("showSpecial spells special tokens", async () => {
    await withEngine(model, { slots: 1, contextLength: 256 }, async (engine) => {
      const special = model.info.eosToken;
      const forced = { ...greedy, maxTokens: 2, allowedTokens: [special] };
      expect((await engine.generate(forced)).text).toBe("");
      const spelt = model.detokenize([special, special], { special: true });
      expect(spelt).not.toBe("");
      expect((await engine.generate({ ...forced, showSpecial: true })).text).toBe(spelt);
    });
  });

  it("truncatePrompt keeps the last tokens, however long the text was", async () => {
    await withEngine(model, { slots: 1, contextLength: 256 }, async (engine) => {
      const long = prompt.repeat(200);
      const { promptTokens, usage } = await engine.generate({
        ...greedy,
        prompt: long,
        truncatePrompt: 10,
        promptTokens: true,
        maxTokens: 1,
      });
      expect(promptTokens).toEqual(model.tokenize(long).slice(-10));
      expect(usage.promptTokens).toBe(10);
    });
  });
});
