// Number types of the KV cache, and where it lies: each type generates, takes the memory that
// its width says, and with values nearly as exact as F32 the text is F32's.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { EngineOptions, Model } from "../../src/index.js";
import { loadEmbedded } from "../helpers/embedded.js";

const shape = { slots: 1, contextLength: 512, threads: 1 } satisfies EngineOptions;

describe("the KV cache's number types", () => {
  let model: Model;
  beforeAll(async () => {
    model = await loadEmbedded();
  });
  afterAll(() => model.close());

  async function text(options: EngineOptions): Promise<string> {
    const engine = await model.createEngine({ ...shape, ...options });
    try {
      return (await engine.generate({ prompt: "Once upon a time", maxTokens: 24, temperature: 0 })).text;
    } finally {
      await engine.close();
    }
  }

  it.each([
    ["f16", true],
    ["bf16", true],
    ["bf16", false],
    ["q8_0", true],
    ["q4_0", true],
  ] as const)("%s with flash attention %s generates", async (kvType, flashAttention) => {
    const expected = await text({ kvType: "f32", flashAttention });
    const got = await text({ kvType, flashAttention });
    // Rounding may take another of two near words; the first words are not near.
    expect(got.slice(0, 12)).toBe(expected.slice(0, 12));
    expect(got.length).toBeGreaterThan(40);
  });

  it("take the memory that their widths say", () => {
    const bytes = (kvType: EngineOptions["kvType"]) => model.memoryNeeded({ ...shape, kvType }).kvBytes;
    const f16 = bytes("f16");
    expect(bytes("f32")).toBe(2 * f16);
    expect(bytes("bf16")).toBe(f16);
    expect(bytes("q8_0")).toBe((f16 * 34) / 64);
    expect(bytes("q4_0")).toBe((f16 * 18) / 64);
  });

  it("kvOffload without a GPU changes neither text nor memory", async () => {
    expect(await text({ kvOffload: false })).toBe(await text({}));
    const needed = (kvOffload: boolean) => model.memoryNeeded({ ...shape, kvOffload, hostCacheBytes: 0 });
    expect(needed(false)).toEqual(needed(true));
    const engine = await model.createEngine({ ...shape, kvOffload: false });
    expect(engine.options.kvOffload).toBe(false);
    await engine.close();
  });
});
