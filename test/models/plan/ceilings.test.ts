// The arithmetic of plans, against figures worked out elsewhere: a Llama 3.1 8B of published
// dimensions, and data sheets.
import { describe, expect, it } from "vitest";
import type { Metadata } from "../../../src/engine/metadata.js";
import { cpuCeiling, gpuCeiling } from "../../../src/models/plan/ceilings.js";
import { slotsThatFit } from "../../../src/models/plan/fit.js";
import { gpus } from "../../../src/models/plan/gpus.js";
import { costOf } from "../../../src/models/plan/model-cost.js";
import type { NativeTensorInfo } from "../../../src/native-checkpoint.js";

const bitsOf: Readonly<Record<string, number>> = { f32: 32, bf16: 16, q4_K: 4.5, q6_K: 6.5625 };

function tensor(name: string, shape: readonly number[], type: string): NativeTensorInfo {
  const weights = shape.reduce((all, length) => all * length, 1);
  return { name, shape, type, bytes: (weights * (bitsOf[type] ?? 0)) / 8 };
}

/** Llama 3.1 8B; with "q4_K", as llama.cpp's Q4_K_M mixes types: half of two matrices in Q6_K. */
function llama8b(type: "bf16" | "q4_K"): NativeTensorInfo[] {
  const better = type === "bf16" ? type : "q6_K";
  const tensors = [
    tensor("token_embd.weight", [4096, 128_256], type),
    tensor("output.weight", [4096, 128_256], better),
    tensor("output_norm.weight", [4096], "f32"),
  ];
  for (let layer = 0; layer < 32; layer += 1) {
    const mixed = layer % 2 === 0 ? better : type;
    for (const [name, shape, its] of [
      ["attn_q", [4096, 4096], type],
      ["attn_k", [4096, 1024], type],
      ["attn_v", [4096, 1024], mixed],
      ["attn_output", [4096, 4096], type],
      ["ffn_gate", [4096, 14_336], type],
      ["ffn_up", [4096, 14_336], type],
      ["ffn_down", [14_336, 4096], mixed],
      ["attn_norm", [4096], "f32"],
      ["ffn_norm", [4096], "f32"],
    ] as const) {
      tensors.push(tensor(`blk.${layer}.${name}.weight`, shape, its));
    }
  }
  return tensors;
}

const metadata = {
  "general.architecture": "llama",
  "llama.block_count": 32,
  "llama.embedding_length": 4096,
  "llama.attention.head_count": 32,
};

const alone = { slots: 1, promptTokens: 512, kvBytes: 0 };

function named(name: string) {
  const found = gpus.find((gpu) => gpu.name === name);
  if (found === undefined) throw new Error(`the table has no ${name}`);
  return found;
}

describe("the ceiling of a GPU", () => {
  // Tokens per second of one request with an empty context, worked out by hand from 15.0 GB
  // (BF16) and 4.62 GB (Q4_K_M) read per token.
  it.each([
    ["L4", 20, 65],
    ["RTX 4090", 67, 218],
    ["L40S", 58, 187],
    ["A100 SXM", 136, 441],
    ["H100 SXM", 223, 725],
    ["H200", 320, 1039],
  ])("of %s decodes Llama 3.1 8B at %d (BF16) and %d (Q4_K_M) tokens/s", (name, bf16, q4) => {
    for (const [type, expected] of [
      ["bf16", bf16],
      ["q4_K", q4],
    ] as const) {
      const { stepSeconds } = gpuCeiling(costOf(llama8b(type), metadata), named(name), alone);
      expect(1 / stepSeconds / expected).toBeGreaterThan(0.96);
      expect(1 / stepSeconds / expected).toBeLessThan(1.04);
    }
  });

  it("falls with what requests hold, and is bound by arithmetic for many", () => {
    const cost = costOf(llama8b("q4_K"), metadata);
    const rate = (slots: number, kvBytes: number) =>
      slots / gpuCeiling(cost, named("RTX 4090"), { ...alone, slots, kvBytes }).stepSeconds;
    const held = 1500 * 128 * 1024;
    expect(rate(64, held) / 3750).toBeCloseTo(1, 0);
    expect(rate(64, held)).toBeLessThan(rate(64, 0));
    // Beyond some slots, twice as many take twice the time.
    expect(rate(4096, 0) / rate(2048, 0)).toBeCloseTo(1, 5);
  });
});

describe("the cost of a model", () => {
  it("leaves embeddings out that are only looked up, and counts those that are the output too", () => {
    const tensors = llama8b("bf16");
    const tied = tensors.filter(({ name }) => name !== "output.weight");
    expect(costOf(tied, metadata).readBytes(1)).toBe(costOf(tensors, metadata).readBytes(1));
    expect(costOf(tensors, metadata).parameters / 8.03e9).toBeCloseTo(1, 2);
  });

  it("counts the queries that share a key, one where nothing attends", () => {
    const shares = (heads: Readonly<Record<string, unknown>>) =>
      costOf([], { "general.architecture": "llama", ...heads } as Metadata).queriesPerKey;
    const all = { "llama.attention.head_count": 32 };
    expect(shares({ ...all, "llama.attention.head_count_kv": 8 })).toBe(4);
    expect([shares(all), shares({}), shares({ ...all, "llama.attention.head_count_kv": 0 })]).toEqual([
      1, 1, 1,
    ]);
  });

  it("reads more experts for more sequences, and multiplies as many as each uses", () => {
    const moe = {
      "general.architecture": "qwen3moe",
      "qwen3moe.expert_count": 128,
      "qwen3moe.expert_used_count": 8,
    };
    const cost = costOf([tensor("blk.0.ffn_up_exps.weight", [2048, 768, 128], "bf16")], moe);
    const all = 2048 * 768 * 128;
    expect(cost.activeWeights).toBe(all / 16);
    expect(cost.readBytes(1)).toBeCloseTo((2 * all) / 16, 3);
    expect(cost.readBytes(1000)).toBeCloseTo(2 * all, 0);
  });
});

describe("the ceiling of a CPU", () => {
  it("adds up the measured times of all matrices, and of each piece of a prompt", () => {
    const cost = costOf([tensor("a.weight", [256, 1000], "bf16"), tensor("b.weight", [256, 100], "f32")], {});
    const seconds = (_type: string, _columns: number, vectors: number) => 1e-9 * vectors;
    const { stepSeconds, promptSeconds } = cpuCeiling(
      cost,
      { slots: 4, promptTokens: 1024, kvBytes: 1e6 },
      seconds,
      1e-10,
    );
    expect(stepSeconds).toBeCloseTo(281_600 * 4e-9 + 4e-4, 10);
    expect(promptSeconds).toBeCloseTo(2 * 281_600 * 512e-9, 10);
  });

  it("computes the output matrix for a prompt's last token alone, tied or not", () => {
    const layer = tensor("blk.0.ffn_up.weight", [256, 1000], "bf16");
    const lookup = tensor("token_embd.weight", [256, 5000], "bf16");
    const output = tensor("output.weight", [256, 5000], "q6_K");
    const seconds = (_type: string, _columns: number, vectors: number) => 1e-9 * vectors;
    for (const tensors of [
      [layer, lookup],
      [layer, lookup, output],
    ]) {
      const cost = costOf(tensors, {});
      const workload = { slots: 2, promptTokens: 512, kvBytes: 0 };
      const { stepSeconds, promptSeconds } = cpuCeiling(cost, workload, seconds, 0);
      expect(stepSeconds).toBeCloseTo(256 * 6000 * 2e-9, 12);
      expect(promptSeconds).toBeCloseTo(256_000 * 512e-9 + 256 * 5000 * 1e-9, 12);
    }
  });
});

describe("the slots that fit", () => {
  const sizes = [
    { slots: 1, bytes: 110 },
    { slots: 2, bytes: 120 },
    { slots: 8, bytes: 180 },
  ];
  it.each([
    [109, 0],
    [110, 1],
    [119, 1],
    [120, 2],
    [155, 5],
    [159, 5],
    [180, 8],
    [1000, 8],
  ])("into %d bytes are %d", (room, slots) => {
    expect(slotsThatFit(sizes, room)).toBe(slots);
  });
});

describe("the table of GPUs", () => {
  it("names each once, with INT8 at twice the rate of FP16", () => {
    expect(new Set(gpus.map(({ name }) => name)).size).toBe(gpus.length);
    for (const { name, f16Tflops, int8Tops } of gpus)
      expect([name, int8Tops / f16Tflops]).toEqual([name, expect.closeTo(2, 1)]);
  });
});
