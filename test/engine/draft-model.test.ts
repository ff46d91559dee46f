// A second model that guesses ahead, on real models through the public door: the
// same texts in a fraction of the passes where it agrees, the same texts where it
// never does, and who may not draft for whom.
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type EngineOptions,
  embeddedModelPath,
  type GenerateOptions,
  type GenerateRequest,
  loadModel,
  type Model,
} from "../../src/index.js";
import { caught } from "../helpers/caught.js";
import { loadEmbedded, withEngine } from "../helpers/embedded.js";

let model: Model;
let stranger: Model;
beforeAll(async () => {
  model = await loadEmbedded();
  // Random weights under the embedded model's tokenizer.
  stranger = await loadModel(`synthetic:llama?layers=1&dim=64&vocab=${model.info.vocabularySize}`);
});
afterAll(async () => {
  await model.close();
  await stranger.close();
});

const prompts = [
  "Once upon a time",
  "The little dog ran to the",
  "Mia and Tom went home",
  "It was a cold day",
];
const shape: EngineOptions = { slots: 4, contextLength: 1024, kvType: "f32", flashAttention: false };

async function run(target: Model, speculation: EngineOptions["speculation"], requests: GenerateRequest[]) {
  return withEngine(target, { ...shape, speculation }, async (engine) => {
    const results = await Promise.all(requests.map((request) => engine.generate(request)));
    const tokens = results.flatMap(({ choices }) => choices.map((choice) => choice.tokens));
    return { tokens, results, stats: engine.stats() };
  });
}

const greedy = (count: number, more: GenerateOptions = {}): GenerateRequest[] =>
  prompts.slice(0, count).map((prompt) => ({
    prompt,
    maxTokens: 100,
    temperature: 0,
    ignoreEos: true,
    dryMultiplier: 0,
    ...more,
  }));

describe("a draft model", () => {
  it.each([1, 2, 4])(
    "that is the model itself: %i texts, equal, in a quarter of the passes",
    async (count) => {
      const plain = await run(model, false, greedy(count));
      const drafted = await run(model, { draftModel: model, draftTokens: 5 }, greedy(count));
      expect(drafted.tokens).toEqual(plain.tokens);
      const { modelDraftedTokens, modelAcceptedTokens, decodePasses } = drafted.stats;
      expect(modelDraftedTokens).toBeGreaterThan(30 * count);
      expect(modelAcceptedTokens / modelDraftedTokens).toBeGreaterThan(0.9);
      expect(decodePasses * 4).toBeLessThan(plain.stats.decodePasses);
      expect(drafted.stats.draftFailures).toBe(0);
    },
  );

  it("that never agrees leaves the texts as they are", async () => {
    const plain = await run(model, false, greedy(2));
    const drafted = await run(model, { draftModel: stranger, draftTokens: 3 }, greedy(2));
    expect(drafted.tokens).toEqual(plain.tokens);
    expect(drafted.stats.modelDraftedTokens).toBeGreaterThan(100);
    expect(drafted.stats.modelAcceptedTokens).toBeLessThan(0.1 * drafted.stats.modelDraftedTokens);
  });

  it("that never agrees is soon left alone", async () => {
    const { stats, tokens } = await run(model, { draftModel: stranger }, greedy(1, { maxTokens: 600 }));
    expect(tokens[0]).toHaveLength(600);
    expect(stats.modelDraftedTokens).toBeLessThan(60);
  });

  it("keeps seeds, grammars, choices and log probabilities", async () => {
    const requests: GenerateRequest[] = [
      { prompt: prompts[0] ?? "", maxTokens: 60, temperature: 0.8, seed: 9, ignoreEos: true, n: 2 },
      {
        prompt: prompts[1] ?? "",
        maxTokens: 60,
        temperature: 0,
        regex: "( (cat|dog|bird)){20}",
        logProbs: 2,
      },
    ];
    const plain = await run(model, false, requests);
    const drafted = await run(model, { draftModel: model, draftTokens: 4 }, requests);
    expect(drafted.tokens).toEqual(plain.tokens);
    expect(drafted.stats.modelAcceptedTokens).toBeGreaterThan(20);
    const logged = (result: typeof plain) =>
      result.results[1]?.choices[0]?.logProbs?.map(({ token }) => token);
    expect(logged(drafted)).toEqual(logged(plain));
    expect(logged(drafted)).toHaveLength(drafted.tokens[2]?.length ?? 0);
  });

  it("drafts for a synthetic model, and with a window of its own", async () => {
    const target = await loadModel("synthetic:llama?layers=2&dim=128&type=f32");
    const windowed = await loadModel("synthetic:gemma3?layers=2&dim=128&window=64&type=f32");
    try {
      const plain = await run(target, false, greedy(3));
      for (const draftModel of [target, windowed]) {
        const drafted = await run(target, { draftModel, draftTokens: 4 }, greedy(3));
        expect(drafted.tokens).toEqual(plain.tokens);
        expect(drafted.stats.modelDraftedTokens).toBeGreaterThan(50);
      }
    } finally {
      await target.close();
      await windowed.close();
    }
  });

  it("may be closed before the engine, after it and while it generates", async () => {
    const draftModel = await loadEmbedded();
    const target = await loadEmbedded();
    const engine = await target.createEngine({
      slots: 1,
      threads: 1,
      speculation: { draftModel, draftTokens: 3 },
    });
    const running = engine.generate({ prompt: "Once", maxTokens: 200, temperature: 0, ignoreEos: true });
    await draftModel.close();
    await target.close();
    expect((await running).tokens).toHaveLength(200);
    const cut = engine.generate({ prompt: "Once", maxTokens: 900, temperature: 0, ignoreEos: true });
    expect(engine.stats().modelAcceptedTokens).toBeGreaterThan(50);
    await engine.close();
    expect((await cut).finishReason).toBe("cancelled");
  });

  it("counts in what memory an engine needs", () => {
    const alone = model.memoryNeeded(shape);
    const itself = model.memoryNeeded({ ...shape, speculation: { draftModel: model } });
    const other = model.memoryNeeded({ ...shape, speculation: { draftModel: stranger } });
    expect(itself.kvBytes).toBe(2 * alone.kvBytes);
    expect(itself.weightBytes).toBe(alone.weightBytes);
    expect(other.kvBytes).toBeGreaterThan(alone.kvBytes);
    expect(other.weightBytes).toBeGreaterThan(alone.weightBytes);
  });
});

describe("a draft model is refused", () => {
  const refusal = async (options: unknown) =>
    caught(() => model.createEngine({ slots: 1, ...(options as EngineOptions) }));

  it("where it is none, or drafts too much", async () => {
    expect((await refusal({ speculation: { draftModel: "a.gguf" } })).message).toBe(
      'createEngine(): speculation.draftModel must be a model of loadModel(), got "a.gguf"',
    );
    expect((await refusal({ speculation: { draftModel: model, draftTokens: 16 } })).message).toContain(
      "speculation.draftTokens must be an integer from 1 to 15, got 16",
    );
    expect((await refusal({ speculation: {} })).message).toContain("speculation.draftModel must be");
    expect((await refusal({ speculation: 1 })).message).toContain(
      "speculation must be true, false or { draftModel, draftTokens }, got 1",
    );
  });

  it("beside deterministic", async () => {
    const error = await refusal({ speculation: { draftModel: model }, deterministic: true });
    expect(error.message).toContain(
      "speculation must be false when deterministic is true, got a draft model",
    );
  });

  it("when it is closed", async () => {
    const closed = await loadModel("synthetic:llama?layers=1&dim=64");
    await closed.close();
    const error = await refusal({ speculation: { draftModel: closed } });
    expect(error.code).toBe("MODEL_CLOSED");
    expect(error.message).toContain("speculation.draftModel must be an open model");
  });

  it("with another vocabulary, naming the difference", async () => {
    const size = model.info.vocabularySize;
    const other = await loadModel(`synthetic:llama?layers=1&dim=64&vocab=${size + 100}`);
    const error = await refusal({ speculation: { draftModel: other } });
    await other.close();
    expect(error.code).toBe("INVALID_OPTION");
    expect(error.message).toContain(
      `speculation.draftModel must have the vocabulary of the model it drafts for: that has ${size} tokens, the draft model ${size + 100}`,
    );
  });

  it("with one token of another text", async () => {
    const folder = await mkdtemp(join(tmpdir(), "infernode-draft-"));
    try {
      const file = await readFile(embeddedModelPath());
      const word = (token: number) => model.detokenize([token], { special: true });
      const token = Array.from({ length: model.info.vocabularySize }, (_, at) => at).findLast((at) =>
        /^[a-z]{4,}$/.test(word(at)),
      );
      if (token === undefined) throw new Error("the embedded vocabulary has no such word");
      const length = Buffer.alloc(8);
      length.writeBigUInt64LE(BigInt(word(token).length));
      const at = file.indexOf(Buffer.concat([length, Buffer.from(word(token))]));
      expect(at).toBeGreaterThan(0);
      file.write("#", at + length.length);
      const path = join(folder, "other.gguf");
      await writeFile(path, file);
      const other = await loadModel(path);
      const error = await refusal({ speculation: { draftModel: other } });
      await other.close();
      expect(error.message).toContain(
        `its token ${token} is "${word(token)}", the draft model's "#${word(token).slice(1)}"`,
      );
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it.each(["mamba", "jamba"])("where %s keeps a state that cannot be cut, on either side", async (kind) => {
    const recurrent = await loadModel(`synthetic:${kind}?dim=128`);
    try {
      const error = await refusal({ speculation: { draftModel: recurrent } });
      expect(error.code).toBe("INVALID_OPTION");
      expect(error.message).toContain(`speculation.draftModel must be a model that can roll back`);
      expect(error.message).toContain(`"${kind}"`);
      const target = await caught(() => recurrent.createEngine({ speculation: { draftModel: model } }));
      expect(target.message).toContain("speculation must be a model that can roll back");
    } finally {
      await recurrent.close();
    }
  });
});
