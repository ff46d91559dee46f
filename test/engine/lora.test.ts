// LoRA adapters, made here: against a model into whose matrices the same
// difference was added, and files that are none.
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type Engine,
  type EngineOptions,
  embeddedModelPath,
  type GenerateResult,
  type LoraChoice,
  loadModel,
  type Model,
} from "../../src/index.js";
import { makeVariant, readGguf, writeGguf } from "../../tools/embedded-model/index.mjs";
import { caught } from "../helpers/caught.js";
import { prompt, withEngine } from "../helpers/embedded.js";
import { adapterFile, alpha, type Changes, floats, pair, rank, targets } from "../helpers/lora-files.js";

const greedy = { prompt, temperature: 0, maxTokens: 40, ignoreEos: true, logProbs: 3 };

let folder: string;
let model: Model;
let base: Uint8Array;

const path = (name: string) => join(folder, name);

const adapter = (changes: Changes) => adapterFile(base, changes);

/** The model with scale * alpha / rank * B A added to its matrices. */
function merged(scale: number): Buffer {
  const { entries, tensors } = readGguf(base);
  const changed = tensors.map((tensor) => {
    const index = targets.indexOf(tensor.name);
    if (index < 0) return tensor;
    const { a, b, shape } = pair(base, tensor.name, index);
    const [inputs = 0, outputs = 0] = shape;
    const values = new Float32Array(Uint8Array.from(tensor.data).buffer);
    for (let row = 0; row < outputs; row += 1) {
      for (let column = 0; column < inputs; column += 1) {
        let sum = 0;
        for (let i = 0; i < rank; i += 1) sum += (b[row * rank + i] ?? 0) * (a[i * inputs + column] ?? 0);
        values[row * inputs + column] = (values[row * inputs + column] ?? 0) + (sum * scale * alpha) / rank;
      }
    }
    return { ...tensor, data: floats(values) };
  });
  return writeGguf({ entries, tensors: changed });
}

function generated(of: Model, options: EngineOptions): Promise<GenerateResult> {
  return withEngine(of, options, async (engine) => await engine.generate(greedy));
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "infernode-lora-"));
  base = makeVariant(await readFile(embeddedModelPath()), "f32");
  await writeFile(path("base.gguf"), base);
  await writeFile(path("lora.gguf"), adapter({}));
  model = await loadModel(path("base.gguf"));
});
afterAll(async () => {
  await model.close();
  await rm(folder, { recursive: true });
});

describe("a LoRA adapter", () => {
  it.each([1, 0.5])("with scale %f gives what the merged model gives", async (scale) => {
    await writeFile(path("merged.gguf"), merged(scale));
    const whole = await loadModel(path("merged.gguf"));
    const expected = await generated(whole, { slots: 1, contextLength: 128 });
    await whole.close();
    const loras = [{ path: path("lora.gguf"), scale }];
    const plain = await generated(model, { slots: 1, contextLength: 128 });
    await withEngine(model, { slots: 1, contextLength: 128, loras }, async (engine) => {
      expect(engine.options.loras).toEqual([{ name: "lora", path: path("lora.gguf"), scale }]);
      const found = await engine.generate(greedy);
      expect(found.tokens).not.toEqual(plain.tokens);
      const [ours = [], theirs = []] = [found.logProbs, expected.logProbs];
      const alike = theirs.findIndex((each, index) => each.token !== ours[index]?.token);
      expect(alike === -1 || alike > 10).toBe(true);
      for (const [index, each] of theirs.slice(0, 10).entries()) {
        expect(ours[index]?.logProb).toBeCloseTo(each.logProb, 1);
      }
    });
  });

  it("is its engine's own: the model's others do not change, and scale 0 adds nothing", async () => {
    const loras = [{ path: path("lora.gguf"), scale: 0 }];
    const plain = await generated(model, { slots: 1, contextLength: 128 });
    await withEngine(
      model,
      { slots: 1, contextLength: 128, loras: [{ path: path("lora.gguf") }] },
      async (bent) => {
        const [other, nothing] = await Promise.all([
          generated(model, { slots: 1, contextLength: 128 }),
          generated(model, { slots: 1, contextLength: 128, loras }),
        ]);
        expect(other.tokens).toEqual(plain.tokens);
        expect(nothing.tokens).toEqual(plain.tokens);
        expect((await bent.generate(greedy)).tokens).not.toEqual(plain.tokens);
      },
    );
  });
});

/** One adapter under two names. */
async function loadedLoras() {
  await writeFile(path("lora.gguf"), adapter({}));
  return [
    { path: path("lora.gguf"), scale: 0 },
    { name: "other", path: path("lora.gguf"), scale: -0.5 },
  ];
}

describe("adapters chosen by a request", () => {
  const shape = { slots: 4, contextLength: 128 };
  const said = { ...greedy, prompt: "Once upon a time there was a cat that sat on the mat all day." };
  const choices: [string, readonly LoraChoice[] | undefined, EngineOptions["loras"]][] = [
    ["as the engine was made", undefined, [{ path: "lora.gguf", scale: -0.5 }]],
    ["none", [], []],
    ["the first by its own scale", [{ name: "lora" }], [{ path: "lora.gguf" }]],
    ["the first by another", [{ name: "lora", scale: 0.5 }], [{ path: "lora.gguf", scale: 0.5 }]],
    [
      "both",
      [{ name: "other" }, { name: "lora", scale: 2 }],
      [
        { path: "lora.gguf", scale: 2 },
        { path: "lora.gguf", scale: -0.5, name: "other" },
      ],
    ],
  ];

  it("give the text of an engine that has only them, beside each other", async () => {
    const loras = await loadedLoras();
    const expected: GenerateResult[] = [];
    for (const [, , only = []] of choices) {
      const alone = only.map((one) => ({ ...one, path: path(String(one.path)) }));
      expected.push(
        await withEngine(model, { ...shape, loras: alone }, async (engine) => await engine.generate(said)),
      );
    }
    expect(new Set(expected.map(({ text: answer }) => answer)).size).toBe(choices.length);
    await withEngine(model, { ...shape, loras }, async (engine) => {
      for (const round of [1, 2]) {
        const runs = choices.map(([, chosen]) => engine.generate({ ...said, loras: chosen }));
        for (const [index, run] of runs.entries()) {
          const { tokens, usage } = await run;
          expect(tokens, choices[index]?.[0]).toEqual(expected[index]?.tokens);
          expect(usage.cachedPromptTokens > 0).toBe(round === 2);
        }
      }
      expect(engine.stats().adapterSwitches).toBeGreaterThan(choices.length);
    });
  });

  it("are those of its n choices and forks, and change nothing where none are chosen", async () => {
    const loras = await loadedLoras();
    const [bent, plain] = [{ ...greedy, loras: [{ name: "lora" }] }, greedy];
    await withEngine(model, { ...shape, loras }, async (engine) => {
      const alone = await engine.generate(plain);
      await engine.generate({ ...plain, loras: [{ name: "other", scale: -0.5 }] });
      expect(engine.stats().adapterSwitches).toBe(0);
      const [one, { choices: two }] = await Promise.all([
        engine.generate(bent),
        engine.generate({ ...bent, n: 2 }),
      ]);
      expect(two.map(({ tokens }) => tokens)).toEqual([one.tokens, one.tokens]);
      const source = engine.generate({ ...bent, maxTokens: 60 });
      await source[Symbol.asyncIterator]().next();
      const fork = await engine.fork(source);
      expect(fork.tokens).toEqual((await source).tokens);
      expect((await engine.generate(plain)).tokens).toEqual(alone.tokens);
    });
  });

  it("have states, embeddings and cells of their own", async () => {
    const loras = await loadedLoras();
    const chosen = { loras: [{ name: "lora" }] };
    const long = "Once upon a time there was a cat that sat on the mat all day long. ".repeat(2);
    await withEngine(model, { ...shape, loras }, async (engine) => {
      const vectors = [
        (await engine.embed(long)).embeddings[0],
        (await engine.embed(long, chosen)).embeddings[0],
      ];
      expect(vectors[0]).not.toEqual(vectors[1]);
      const saved = await engine.saveState(path("a.state"), { prompt: long, ...chosen });
      expect(saved.tokens).toBeGreaterThan(20);
    });
    await withEngine(model, { ...shape, loras }, async (engine) => {
      const mixed = await caught(() => engine.loadState(path("a.state")));
      expect(mixed.code).toBe("STATE_INVALID");
      await engine.loadState(path("a.state"), chosen);
      const request = { ...greedy, prompt: long, maxTokens: 5 };
      expect((await engine.generate(request)).usage.cachedPromptTokens).toBe(0);
      expect((await engine.generate({ ...request, ...chosen })).usage.cachedPromptTokens).toBeGreaterThan(20);
    });
    await withEngine(model, { ...shape, loras: [{ path: path("lora.gguf") }] }, async (engine) => {
      expect((await engine.loadState(path("a.state"))).tokens).toBeGreaterThan(20);
    });
  });

  it("take turns while other engines of the model load adapters and let go of them", async () => {
    const loras = await loadedLoras();
    await withEngine(model, { ...shape, loras }, async (engine) => {
      const [first, second] = [{ ...said, loras: [{ name: "lora" }] }, said];
      const alone = [(await engine.generate(first)).tokens, (await engine.generate(second)).tokens];
      for (let round = 0; round < 5; round += 1) {
        const runs = [engine.generate(first), engine.generate(second)];
        const others = Array.from({ length: 4 }, () => model.createEngine({ ...shape, slots: 1, loras }));
        for (const other of others) await (await other).close();
        const found = await Promise.all(runs);
        expect(found.map(({ tokens }) => tokens)).toEqual(alone);
      }
    });
  });

  it("are refused by name", async () => {
    const refused = async (engine: Engine, chosen: unknown) => {
      const error = await caught(async () => engine.generate({ prompt, loras: chosen as LoraChoice[] }));
      expect(error.code).toBe("INVALID_OPTION");
      return error.message;
    };
    await withEngine(model, { ...shape, loras: await loadedLoras() }, async (engine) => {
      expect(await refused(engine, [{ name: "lora" }, { name: "third" }])).toContain(
        'generate(): loras[1].name must be the name of a loaded adapter: "lora", "other", got "third"',
      );
      expect(await refused(engine, [{ name: "lora", scale: 101 }])).toContain(
        "loras[0].scale must be a number",
      );
      expect(await refused(engine, [{ name: "lora", path: "" }])).toContain(
        'loras[0] has an unknown field "path"',
      );
      expect(await refused(engine, [{ name: "lora" }, { name: "lora" }])).toContain('"lora" stands twice');
      expect(await refused(engine, "lora")).toContain("loras must be an array of { name, scale }");
      const embedding = await caught(() => engine.embed("a", { loras: [{ name: "third" }] }));
      expect(embedding.message).toContain("embed(): loras[0].name must be the name of a loaded adapter");
    });
    await withEngine(model, shape, async (engine) => {
      expect(await refused(engine, [{ name: "lora" }])).toContain("the engine has loaded no adapters");
      expect((await engine.generate({ ...greedy, loras: [] })).tokens).toHaveLength(40);
    });
    const twice = [{ path: path("lora.gguf") }, { path: path("lora.gguf") }];
    const error = await caught(() => model.createEngine({ loras: twice }));
    expect(error.message).toContain('createEngine(): loras must have a name each, "lora" stands twice');
  });
});

describe("a file that is no adapter of the model", () => {
  it.each([
    [() => Buffer.from(base), "general.type and adapter.type"],
    [() => adapter({ type: "model" }), "general.type and adapter.type"],
    [() => adapter({ architecture: "qwen2" }), 'for the architecture "qwen2", the model\'s is "llama"'],
    [() => adapter({ without: "adapter.lora.alpha" }), "adapter.lora.alpha must be a number"],
    [() => adapter({ names: ["blk.0.nothing.weight"] }), "does not exist in base model"],
    [() => adapter({ names: ["blk.0.ffn_down.weight"] }), "incorrect shape"],
    [() => adapter({ without: "blk.0.attn_q.weight.lora_b" }), "is missing one component"],
    [() => adapter({ names: [] }), "it has no tensors"],
  ])("is refused with its path and the reason: %#", async (make, reason) => {
    await writeFile(path("wrong.gguf"), make());
    const error = await caught(() => model.createEngine({ loras: [{ path: path("wrong.gguf") }] }));
    expect(error.code).toBe("MODEL_LOAD_FAILED");
    expect(error.message).toContain("wrong.gguf");
    expect(error.message).toContain(reason);
  });

  it("and bad options are told by name", async () => {
    await writeFile(path("short.gguf"), adapter({}).subarray(0, 600));
    const codes = await Promise.all(
      [path("missing.gguf"), path("short.gguf"), folder].map(async (file) => {
        const error = await caught(() => model.createEngine({ loras: [{ path: file }] }));
        return error.code;
      }),
    );
    expect(codes).toEqual(["MODEL_NOT_FOUND", "MODEL_TRUNCATED", "MODEL_UNREADABLE"]);
    const error = await caught(() => model.createEngine({ loras: [{ path: "", scale: 1 }] }));
    expect(error.message).toContain("loras[0].path must be the path of a GGUF file");
  });
});
