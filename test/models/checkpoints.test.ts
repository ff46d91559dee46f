// Hugging Face directories through the public door: what loads says what it is, generates,
// and a config.json that llama.cpp would compute otherwise is refused by key.
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { inspectModel, loadModel } from "../../src/index.js";

const fixtures = fileURLToPath(new URL("../fixtures/checkpoints/", import.meta.url));
const names = readdirSync(fixtures, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name);

// As it is read; test/models/checkpoint-cache.test.ts is about files.
const packed = { checkpoint: { cache: false } };

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "infernode-checkpoints-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

describe("a directory of safetensors", () => {
  it.each(names)("%s loads, generates and reports each tensor", async (name) => {
    const model = await loadModel(join(fixtures, name), packed);
    const { checkpoint } = model.info;
    expect(checkpoint?.description).not.toBe("");
    expect(checkpoint?.tensors.map((tensor) => tensor.name)).toEqual(
      inspectModel(join(fixtures, name)).tensors.map((tensor) => tensor.name),
    );
    for (const { worstError, rmsError } of checkpoint?.tensors ?? []) {
      expect(worstError).toBeLessThanOrEqual(0.1);
      expect(rmsError).toBeLessThanOrEqual(worstError);
    }
    const engine = await model.createEngine({ slots: 1 });
    const { text, usage } = await engine.generate({ prompt: "Once", maxTokens: 4, ignoreEos: true });
    expect(typeof text).toBe("string");
    expect(usage.completionTokens).toBe(4);
    await engine.close();
    await model.close();
  });

  it("keeps or quantizes plain weights as it is told", async () => {
    const types = async (quantize: "f32" | "f16" | "bf16" | "q8_0") => {
      const model = await loadModel(join(fixtures, "llama-f16"), { checkpoint: { quantize, cache: false } });
      const found = model.info.checkpoint?.tensors.find(({ name }) => name === "blk.0.attn_q.weight");
      await model.close();
      return found?.type;
    };
    for (const type of ["f32", "f16", "bf16", "q8_0"] as const) expect(await types(type)).toBe(type);
  });
});

describe("weights beyond what f16 holds", () => {
  const name = "model.layers.0.self_attn.q_proj.weight";

  /** llama3-bf16-sharded with one weight of 2^17, which bf16 holds. */
  function large(): string {
    const path = mkdtempSync(join(folder, "large-"));
    cpSync(join(fixtures, "llama3-bf16-sharded"), path, { recursive: true });
    const file = join(path, "model-00002-of-00005.safetensors");
    const bytes = readFileSync(file);
    const headerEnd = 8 + Number(bytes.readBigUInt64LE());
    const { [name]: tensor } = JSON.parse(bytes.toString("utf8", 8, headerEnd));
    bytes.writeUInt16LE(0x4800, headerEnd + tensor.data_offsets[0]);
    writeFileSync(file, bytes);
    return path;
  }

  it("are refused by file and tensor, never clamped, and load as bf16 and f32", async () => {
    const path = large();
    const load = (checkpoint: object) =>
      loadModel(path, { gpuLayers: 0, checkpoint: { cache: false, ...checkpoint } });
    for (const checkpoint of [{}, { quantize: "f16" }]) {
      await expect(load(checkpoint)).rejects.toMatchObject({
        code: "MODEL_FORMAT_UNSUPPORTED",
        message: expect.stringMatching(
          `model-00002-of-00005.*${name.replaceAll(".", "\\.")}.*too large for f16; use quantize "bf16" or "f32"`,
        ),
      });
    }
    for (const quantize of ["bf16", "f32"]) {
      const model = await load({ quantize });
      const packed = model.info.checkpoint?.tensors.find((tensor) => tensor.name === "blk.0.attn_q.weight");
      expect(packed?.type).toBe(quantize);
      await model.close();
    }
  });
});

interface StoredTensor {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly bytes: Buffer;
}

/** The tensors of a safetensors file. */
function readTensors(path: string): Record<string, StoredTensor> {
  const file = readFileSync(path);
  const begin = 8 + Number(file.readBigUInt64LE());
  const { __metadata__, ...header } = JSON.parse(file.toString("utf8", 8, begin));
  return Object.fromEntries(
    Object.entries(header as Record<string, StoredTensor & { data_offsets: [number, number] }>).map(
      ([
        name,
        {
          dtype,
          shape,
          data_offsets: [from, to],
        },
      ]) => {
        return [name, { dtype, shape, bytes: Buffer.from(file.subarray(begin + from, begin + to)) }];
      },
    ),
  );
}

function writeTensors(path: string, tensors: Record<string, StoredTensor>): void {
  let at = 0;
  const header = Object.entries(tensors).map(([name, { dtype, shape, bytes }]) => {
    const data_offsets = [at, at + bytes.length];
    at += bytes.length;
    return [name, { dtype, shape, data_offsets }];
  });
  const text = Buffer.from(JSON.stringify(Object.fromEntries(header)));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  writeFileSync(path, Buffer.concat([length, text, ...Object.values(tensors).map(({ bytes }) => bytes)]));
}

describe("8 bits with zero points", () => {
  /**
   * llm-compressor's W8A16, whose lowest quant becomes the next one, and the same weights with
   * each quant and each zero point one less.
   */
  function variant(isShifted: boolean): string {
    const path = changed("ct-w8a16", (config) => {
      const { config_groups: groups } = config.quantization_config as {
        config_groups: { group_0: { weights: Config } };
      };
      groups.group_0.weights.symmetric = !isShifted;
    });
    const file = join(path, "model.safetensors");
    const tensors = readTensors(file);
    for (const [name, { bytes }] of Object.entries(tensors)) {
      if (!name.endsWith(".weight_packed")) continue;
      for (const [at, quant] of bytes.entries()) bytes[at] = Math.max(quant, 1) - (isShifted ? 1 : 0);
      const [rows = 0, groups = 0] = tensors[name.replace("packed", "scale")]?.shape ?? [];
      const words = { dtype: "I32", shape: [rows / 4, groups], bytes: Buffer.alloc(rows * groups, 127) };
      if (isShifted) tensors[name.replace("packed", "zero_point")] = words;
    }
    writeTensors(file, tensors);
    return path;
  }

  it("become f16 at a stated error, and f32 exactly", { timeout: 60_000 }, async () => {
    const path = variant(true);
    const load = async (directory: string, profile: "auto" | "f32") => {
      const model = await loadModel(directory, { checkpoint: { profile, cache: false } });
      const engine = await model.createEngine({ slots: 1 });
      const request = { prompt: "Once", maxTokens: 16, ignoreEos: true, temperature: 0, logProbs: 1 };
      const { text, choices } = await engine.generate(request);
      await engine.close();
      await model.close();
      const query = model.info.checkpoint?.tensors.find(({ name }) => name === "blk.0.attn_q.weight");
      return { text, logProbs: choices[0]?.logProbs, query, checkpoint: model.info.checkpoint };
    };
    const [exact, ofSymmetric, halves] = [
      await load(path, "f32"),
      await load(variant(false), "f32"),
      await load(path, "auto"),
    ];
    expect(exact.query).toMatchObject({ type: "f32", worstError: 0 });
    expect([exact.text, exact.logProbs]).toEqual([ofSymmetric.text, ofSymmetric.logProbs]);
    expect(halves.query?.type).toBe("f16");
    expect(halves.query?.worstError).toBeLessThanOrEqual(0.125);
    expect(halves.text).toBe(exact.text);
    expect(halves.checkpoint?.description).toContain("asymmetric");
    expect(halves.checkpoint?.notes.join(" ")).toContain("8 bits with zero points become f16");
    expect(inspectModel(path).tensors.find(({ name }) => name === "blk.0.attn_q.weight")?.type).toBe("f16");
  });
});

describe("a list of eos_token_id in generation_config.json", () => {
  it("ends a generation at each of its tokens, and at no other", { timeout: 60_000 }, async () => {
    const path = mkdtempSync(join(folder, "ends-"));
    cpSync(join(fixtures, "autoawq-gemm-llama"), path, { recursive: true });
    const file = join(path, "generation_config.json");
    const ends = [1, 300, 400];
    writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, "utf8")), eos_token_id: ends }));
    const model = await loadModel(path, packed);
    const engine = await model.createEngine({ slots: 1 });
    const forced = async (token: number) => {
      const logitBias = { [token]: 1e6 };
      const { finishReason, usage } = await engine.generate({ prompt: "Once", maxTokens: 3, logitBias });
      return [token, finishReason, usage.completionTokens];
    };
    for (const token of ends) expect(await forced(token)).toEqual([token, "stop", expect.any(Number)]);
    for (const token of [301, 401]) expect(await forced(token)).toEqual([token, "length", 3]);
    await engine.close();
    await model.close();
  });
});

type Config = Record<string, unknown>;

/** A fixture with another config.json. */
function changed(name: string, change: (config: Config) => void): string {
  const path = mkdtempSync(join(folder, "changed-"));
  cpSync(join(fixtures, name), path, { recursive: true });
  const config: Config = JSON.parse(readFileSync(join(path, "config.json"), "utf8"));
  change(config);
  writeFileSync(join(path, "config.json"), JSON.stringify(config));
  return path;
}

const refusals: readonly [string, string, Config, string][] = [
  ["an unknown model", "llama-f16", { model_type: "mamba" }, "model_type"],
  [
    "a head that is no text generator's",
    "llama-f16",
    { architectures: ["LlamaForSequenceClassification"] },
    "architectures",
  ],
  ["no layers", "llama-f16", { num_hidden_layers: 0 }, "num_hidden_layers"],
  [
    "more layers than are stored",
    "llama-f16",
    { num_hidden_layers: 3 },
    "model.layers.2.input_layernorm.weight",
  ],
  ["fewer layers than are stored", "llama-f16", { num_hidden_layers: 1 }, "num_hidden_layers"],
  ["layers beyond llama.cpp's", "llama-f16", { num_hidden_layers: 100000 }, "num_hidden_layers"],
  [
    "KV heads that do not divide the heads",
    "llama-f16",
    { num_attention_heads: 4, num_key_value_heads: 3 },
    "num_key_value_heads",
  ],
  ["an odd head", "llama-f16", { head_dim: 31 }, "head_dim"],
  ["another width than the tensors'", "llama-f16", { hidden_size: 96 }, "model.embed_tokens.weight"],
  ["another activation", "llama-f16", { hidden_act: "gelu" }, "hidden_act"],
  ["a dimension that is text", "llama-f16", { hidden_size: "64" }, "hidden_size"],
  ["dynamic positions", "llama-f16", { rope_parameters: { rope_type: "dynamic", factor: 2 } }, "rope_type"],
  ["a factor below 1", "llama-f16", { rope_parameters: { rope_type: "linear", factor: 0 } }, "factor"],
  [
    "llama3 factors that meet",
    "llama-f16",
    { rope_parameters: { rope_type: "llama3", factor: 8, low_freq_factor: 4, high_freq_factor: 4 } },
    "high_freq_factor",
  ],
  [
    "long factors of another length",
    "phi3-f16",
    { rope_parameters: { rope_type: "longrope", short_factor: [1], long_factor: [1] } },
    "short_factor",
  ],
  ["biases that are not stored", "llama-f16", { attention_bias: true }, "self_attn.q_proj.bias"],
  ["biases where llama.cpp has none", "qwen3-bf16", { attention_bias: true }, "attention_bias"],
  ["a scale of attention of its own", "gemma3-bf16", { query_pre_attn_scalar: 100 }, "query_pre_attn_scalar"],
  ["layer types of another number", "gemma3-bf16", { layer_types: ["full_attention"] }, "layer_types"],
];

describe("a config.json is refused by its key or tensor", () => {
  it.each(refusals)("%s", async (_, name, values, said) => {
    const path = changed(name, (config) => Object.assign(config, values));
    const failure = await loadModel(path, packed).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(failure).toMatchObject({ code: expect.stringMatching(/^MODEL_/) });
    expect(String(failure)).toContain(said);
    expect(String(failure)).toContain(path);
  });
});

describe("a window that llama.cpp does not compute", () => {
  it("limits the context, and a note says so", async () => {
    const path = changed("mistral-bf16", (config) => Object.assign(config, { sliding_window: 100 }));
    const model = await loadModel(path, packed);
    expect(model.info.contextLength).toBe(100);
    expect(model.info.checkpoint?.notes.join()).toContain("sliding window of 100");
    await model.close();
  });
});
