// generate({ messages }): the prompt is the rendered conversation, and a
// generation that waits for its rendering is cancelled, closed and refused like
// any other.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { embeddedModelPath, loadModel, type Model } from "../../src/index.js";
import { caught } from "../helpers/caught.js";
import { loadEmbedded, withEngine } from "../helpers/embedded.js";

const messages = [{ role: "user", content: "Tell me a story about a fox." }];

describe("generate({ messages })", () => {
  let model: Model;
  beforeAll(async () => {
    model = await loadEmbedded();
  });
  afterAll(() => model.close());

  it("is generate() with the rendered prompt", async () => {
    await withEngine(model, { slots: 2, contextLength: 256 }, async (engine) => {
      const options = { temperature: 0, maxTokens: 24, cache: false };
      const { prompt } = await model.renderChat(messages);
      const chat = await engine.generate({ ...options, messages });
      const text = await engine.generate({ ...options, prompt, parseSpecial: true });
      expect(chat.text).toBe(text.text);
      expect(chat.usage.promptTokens).toBe(text.usage.promptTokens);
      expect(chat.text.length).toBeGreaterThan(0);
    });
  });

  it("computes earlier turns once", async () => {
    await withEngine(model, { slots: 1, contextLength: 256 }, async (engine) => {
      const options = { temperature: 0, maxTokens: 16 };
      const first = await engine.generate({ ...options, messages });
      const next = [
        ...messages,
        { role: "assistant", content: first.text },
        { role: "user", content: "Go on." },
      ];
      const second = await engine.generate({ ...options, messages: next });
      expect(second.usage.cachedPromptTokens).toBeGreaterThanOrEqual(first.usage.promptTokens);
    });
  });

  it("can be cancelled before its prompt is written", async () => {
    await withEngine(model, { slots: 1, contextLength: 256 }, async (engine) => {
      const run = engine.generate({ messages });
      run.cancel();
      expect((await run).finishReason).toBe("cancelled");
      const controller = new AbortController();
      const aborted = engine.generate({ messages, signal: controller.signal });
      controller.abort(new Error("enough"));
      expect(await caught(() => aborted)).toMatchObject({ code: "CANCELLED" });
      expect(engine.stats().promptTokensComputed).toBe(0);
    });
  });

  it("ends as cancelled when the engine closes before its prompt is written", async () => {
    const engine = await model.createEngine({ slots: 1, contextLength: 256, threads: 1 });
    const run = engine.generate({ messages });
    await engine.close();
    expect((await run).finishReason).toBe("cancelled");
  });

  it("takes a prompt or messages", async () => {
    await withEngine(model, { slots: 1, contextLength: 256 }, async (engine) => {
      // @ts-expect-error: neither
      await expect(engine.generate({})).rejects.toThrow("prompt or messages must be given");
      // @ts-expect-error: both
      await expect(engine.generate({ prompt: "x", messages })).rejects.toThrow(
        "give prompt or messages, not both",
      );
      // @ts-expect-error: of conversations only
      await expect(engine.generate({ prompt: "x", chatVariables: {} })).rejects.toThrow(
        "chatVariables must come with",
      );
    });
  });
});

describe("a template that fails", () => {
  it("fails its generation and no other", async () => {
    const chatTemplate =
      "{{ raise_exception('no') if messages[0].content == 'bad' else messages[0].content }}";
    const model = await loadModel(embeddedModelPath(), { chatTemplate });
    await withEngine(model, { slots: 2, contextLength: 256 }, async (engine) => {
      const good = engine.generate({ messages, maxTokens: 4 });
      const bad = engine.generate({ messages: [{ role: "user", content: "bad" }] });
      expect(await caught(() => bad)).toMatchObject({ code: "CHAT_TEMPLATE_FAILED" });
      expect((await good).tokens.length).toBe(4);
    });
    await model.close();
  });
});
