// Models of random weights through the public door: the same ones everywhere,
// every kind of them, with tokenizer, chat and state; and references that
// cannot be followed.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { inspectModel, loadModel, type Model } from "../../src/index.js";
import { caught } from "../helpers/caught.js";
import { withEngine } from "../helpers/embedded.js";
import { run } from "../helpers/programs.js";

const prompt = "Once upon a time there was a small green frog who lived in a pond.";
const greedy = { prompt, maxTokens: 20, temperature: 0, ignoreEos: true };
const shape = { slots: 2, contextLength: 256 };

async function withModel<Value>(reference: string, work: (model: Model) => Promise<Value>): Promise<Value> {
  const model = await loadModel(reference);
  try {
    return await work(model);
  } finally {
    await model.close();
  }
}

function tokensOf(reference: string): Promise<readonly number[]> {
  return withModel(reference, (model) =>
    withEngine(model, shape, async (engine) => [...(await engine.generate(greedy)).tokens]),
  );
}

describe("a synthetic model", () => {
  const architectures = ["llama", "qwen2", "qwen3", "gemma3", "qwen3moe", "mamba", "jamba"];
  it.each(architectures)("of architecture %s generates, the same from load to load", async (name) => {
    const reference = `synthetic:${name}?dim=128`;
    const tokens = await tokensOf(reference);
    expect(tokens).toHaveLength(20);
    expect(new Set(tokens).size).toBeGreaterThan(4);
    expect(await tokensOf(reference)).toEqual(tokens);
    expect(await tokensOf(`${reference}&seed=2`)).not.toEqual(tokens);
  });

  it.each(["f32", "f16", "q8_0", "q4_0", "q4_1"])("has matrices of type %s", async (type) => {
    await withModel(`synthetic:llama?dim=64&layers=1&type=${type}`, async (model) => {
      const { tensors } = inspectModel(`synthetic:llama?dim=64&layers=1&type=${type}`);
      expect(tensors.find(({ name }) => name === "output.weight")).toMatchObject({ type, shape: [64, 1280] });
      expect(model.info.sizeBytes).toBe(tensors.reduce((sum, { bytes }) => sum + bytes, 0));
    });
  });

  it("is the same in another process", async () => {
    const tokens = await tokensOf("synthetic:qwen3?dim=64");
    const ending = await run("test/fixtures/programs/synthetic-tokens.mjs", {
      args: ["synthetic:qwen3?dim=64", JSON.stringify(greedy)],
    });
    expect(ending).toMatchObject({ code: 0, stderr: "" });
    expect(JSON.parse(ending.stdout)).toEqual(tokens);
  });

  it("has the shape that was asked for", async () => {
    const reference =
      "synthetic:llama?layers=3&dim=128&vocab=2000&heads=4&kvHeads=1&feedForward=96&context=512";
    await withModel(reference, async (model) => {
      expect(model.info).toMatchObject({
        architecture: "llama",
        name: reference,
        vocabularySize: 2000,
        contextLength: 512,
        embeddingLength: 128,
        layerCount: 3,
      });
      expect(model.metadata).toMatchObject({
        "llama.attention.head_count": 4,
        "llama.attention.head_count_kv": 1,
        "llama.feed_forward_length": 96,
      });
      // A processor's own layout of a matrix takes more where its widths are not multiples of the tiles.
      expect(model.memoryNeeded(shape).weightBytes / model.info.sizeBytes).toBeCloseTo(1, 1);
    });
  });

  it("is made of a URL too", async () => {
    const model = await loadModel(new URL("synthetic:mamba?dim=64"));
    expect(model.info.architecture).toBe("mamba");
    await model.close();
  });

  it("tells its progress and can be cancelled", async () => {
    const fractions: number[] = [];
    const model = await loadModel("synthetic:llama", { onProgress: (fraction) => fractions.push(fraction) });
    await model.close();
    expect(fractions.at(-1)).toBe(1);
    const abort = new AbortController();
    const load = loadModel("synthetic:llama?layers=40&dim=1024", { signal: abort.signal });
    abort.abort();
    expect(await caught(() => load)).toMatchObject({ code: "CANCELLED" });
  });
});

describe("its tokenizer", () => {
  let model: Model;
  beforeAll(async () => {
    model = await loadModel("synthetic:llama?dim=64&layers=1&vocab=3000");
  });
  afterAll(() => model.close());

  it("encodes and decodes any text", () => {
    const text = "The cat sat on the mat. Ünïcode, 日本語 and 🎈 too!";
    expect(model.detokenize(model.tokenize(text))).toBe(text);
  });

  it("decodes every added token to a word of its own", () => {
    const words = Array.from({ length: 3000 - 1280 }, (_, index) => model.detokenize([1280 + index]));
    expect(new Set(words).size).toBe(words.length);
    for (const word of words) expect(word).toMatch(/^ ?[a-z]{6}$/);
  });

  it("knows chats", async () => {
    const messages = [{ role: "user", content: "Who is Mia?" }];
    expect((await model.renderChat(messages)).prompt).toContain("Who is Mia?");
    await withEngine(model, shape, async (engine) => {
      expect((await engine.generate({ messages, maxTokens: 3, ignoreEos: true })).tokens).toHaveLength(3);
    });
  });
});

describe("a state of a synthetic model", () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "infernode-synthetic-"));
  });
  afterAll(() => rm(folder, { recursive: true }));

  it("is loaded by the same model and refused by another", async () => {
    const file = join(folder, "state");
    const save = (model: Model) => withEngine(model, shape, (engine) => engine.saveState(file, { prompt }));
    await withModel("synthetic:llama?dim=64", save);
    const load = (model: Model) => withEngine(model, shape, (engine) => engine.loadState(file));
    expect((await withModel("synthetic:llama?dim=64", load)).tokens).toBeGreaterThan(10);
    const other = await caught(() => withModel("synthetic:llama?dim=64&seed=2", load));
    expect(other).toMatchObject({ code: "STATE_INVALID" });
  });
});

describe("a synthetic reference", () => {
  const refused: readonly (readonly [string, string])[] = [
    ["synthetic:qwen3?labels=1", "labels must be an integer from 2 to 256, got 1"],
    ["synthetic:llama?labels=2", 'unknown option "labels"'],
    ["synthetic:", "architecture must be one of llama, qwen2,"],
    [
      "synthetic:gpt5",
      'architecture must be one of llama, qwen2, qwen3, gemma3, qwen3moe, mamba, jamba, got "gpt5"',
    ],
    ["synthetic:__proto__", "architecture must be one of"],
    ["synthetic:llama?depth=3", 'unknown option "depth"; the options are layers, dim,'],
    ["synthetic:llama?window=3", 'unknown option "window"'],
    ["synthetic:llama?__proto__=3", 'unknown option "__proto__"'],
    ["synthetic:mamba?heads=3", 'unknown option "heads"'],
    ["synthetic:llama?layers=", 'layers must be an integer from 1 to 512, got ""'],
    ["synthetic:llama?layers=0", "layers must be an integer from 1 to 512, got 0"],
    ["synthetic:llama?layers=1e3", 'layers must be an integer from 1 to 512, got "1e3"'],
    ["synthetic:llama?layers=-1", "layers must be an integer from 1 to 512"],
    ["synthetic:llama?layers=9999999999999999999", "layers must be an integer from 1 to 512"],
    ["synthetic:llama?layers=2&layers=3", "layers must be given once"],
    ["synthetic:gemma3?layers=1", "layers must be an integer from 2 to 512, got 1"],
    ["synthetic:llama?type=q5_0", 'type must be one of f32, f16, q8_0, q4_0, q4_1, got "q5_0"'],
    ["synthetic:llama?vocab=1279", "vocab must be an integer from 1280 to 524288, got 1279"],
    ["synthetic:llama?dim=100&type=f32&heads=3", "dim must be a multiple of twice the heads (3), got 100"],
    ["synthetic:llama?dim=96&heads=3&kvHeads=2", "kvHeads must divide the heads (3), got 2"],
    ["synthetic:llama?dim=48", "dim must be a multiple of 32 for type q8_0, got 48"],
    ["synthetic:llama?feedForward=100", "feedForward must be a multiple of 32 for type q8_0, got 100"],
    ["synthetic:qwen3moe?experts=4&expertsUsed=5", "expertsUsed must be at most experts (4), got 5"],
  ];
  it.each(refused)("%s is refused", async (reference, sentence) => {
    const error = await caught(() => loadModel(reference));
    expect(error).toMatchObject({ code: "INVALID_OPTION" });
    expect(error.message).toContain(sentence);
  });

  it("beyond the memory there is is refused before anything is made", async () => {
    const error = await caught(() => loadModel("synthetic:llama?layers=512&dim=65536"));
    expect(error).toMatchObject({ code: "OUT_OF_MEMORY" });
    expect(error.message).toMatch(/needs \d+ MiB of memory, \d+ MiB are free/);
  });
});
