// A prompt of megabytes costs nobody but its caller: it is refused by its bytes where it
// cannot fit, tokenized in slices between which others are served, and given up
// between them when it is cancelled. The model's context is long, so that bytes tell little.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Engine, loadModel, type Model } from "../../src/index.js";
import { caught } from "../helpers/caught.js";

const sentence = "the fox went out, 1 2 3. ";
const contextLength = 262_144;
/** Too many tokens for the context by some, which its bytes do not tell. */
const tooLong = sentence.repeat(100_000);
const small = { prompt: "Once", maxTokens: 2, temperature: 0 } as const;

describe("a long prompt", () => {
  let model: Model;
  let engine: Engine;
  beforeAll(async () => {
    model = await loadModel(`synthetic:llama?layers=1&dim=64&context=${contextLength}`);
    engine = await model.createEngine({ slots: 2, threads: 1, contextLength, hostCacheBytes: 0 });
  });
  afterAll(async () => {
    await engine.close();
    await model.close();
  });

  it("is refused after a short one that came later has ended", async () => {
    const order: string[] = [];
    const long = caught(() => engine.generate({ prompt: tooLong })).then((error) => {
      order.push(error.code);
      expect(error.message).toMatch(/The prompt has at least \d+ tokens, the context holds 262144 /);
    });
    await engine.generate(small).then(() => order.push("small"));
    await long;
    expect(order).toEqual(["small", "CONTEXT_OVERFLOW"]);
  });

  it("is given up between two slices when its signal aborts", async () => {
    const controller = new AbortController();
    const long = caught(() => engine.generate({ prompt: tooLong, signal: controller.signal }));
    await engine.generate(small);
    controller.abort();
    expect((await long).code).toBe("CANCELLED");
  });

  it("does not hold up the engine's end", async () => {
    const other = await model.createEngine({ slots: 1, threads: 1, contextLength, hostCacheBytes: 0 });
    const long = other.generate({ prompt: tooLong });
    await other.generate({ ...small, maxTokens: 1 }); // the long one is in the middle of its slices
    await other.close();
    expect((await long).finishReason).toBe("cancelled");
  });

  it("is refused by its bytes alone where no tokenizer makes it fit", async () => {
    const narrow = await model.createEngine({ slots: 1, threads: 1, contextLength: 64, hostCacheBytes: 0 });
    const without = "\u{1F98A}".repeat(50_000); // nowhere to cut
    for (const prompt of [tooLong, without]) {
      const error = await caught(() => narrow.generate({ prompt }));
      expect(error.code).toBe("CONTEXT_OVERFLOW");
      expect(error.message).toMatch(/at least \d+ tokens/);
    }
    await narrow.close();
  });

  it("is what its fork goes on from, though the engine has not heard of it", async () => {
    const run = engine.generate({ prompt: sentence.repeat(1400), maxTokens: 3, seed: 1, ignoreEos: true });
    const other = engine.fork(run, { seed: 2 });
    const [one, two] = [await run, await other];
    expect(one.tokens.length).toBe(3);
    expect(two.tokens.length).toBe(3);
    expect(two.usage.promptTokens).toBe(one.usage.promptTokens);
  });

  it("has the tokens that model.tokenize() makes of the whole", async () => {
    const prompt = sentence.repeat(1400);
    const { usage } = await engine.generate({ prompt, maxTokens: 1 });
    expect(usage.promptTokens).toBe(model.tokenize(prompt).length);
  });
});
