// Plans beside loads: every model that people have here, with several shapes of engines. A plan is
// made from headers; the load is a process of its own, whose buffers llama.cpp logs and whose memory
// the kernel counts.
import {
  closeSync,
  cpSync,
  existsSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { embeddedModelPath, type KvType, type MemoryNeeded, planModel } from "../../../src/index.js";
import { runFixture } from "../../helpers/programs.js";
import { realModelPath } from "../../helpers/real-models.js";

const timeout = 300_000;
/** Graphs, Node's own, and what malloc keeps of what was freed. */
const besideBytes = 24 * 2 ** 20;
const fromHere = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const awq = fromHere("../../../.build/real-models/smollm2-ar-awq");

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "infernode-plan-loads-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** What a load took, and was said to need; see the program. */
interface Taken {
  readonly weights: number;
  readonly kv: number;
  readonly compute: number;
  readonly process: number;
  /** Tokens. */
  readonly vocabulary: number;
  readonly needed: MemoryNeeded;
}

type Shape = readonly [slots: number, contextLength: number, kvType: KvType];

async function taken(path: string, [slots, contextLength, kvType]: Shape): Promise<Taken> {
  const env = { HF_HOME: join(folder, "cache") };
  // What packing takes is another matter: the load is that of a checkpoint which is in the cache.
  await runFixture("load-checkpoints.mjs", { input: `${JSON.stringify({ folder: path })}\n`, env });
  const { code, stdout, stderr } = await runFixture("memory-of-load.mjs", {
    args: [path, JSON.stringify({ slots, contextLength, kvType })],
    env,
    deadlineMs: timeout,
  });
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return JSON.parse(stdout) as Taken;
}

/** Of two sizes that are nearly the same; the log rounds each buffer to a hundredth of a MiB. */
function expectClose(what: string, planned: number, real: number): void {
  const allowed = 0.05 * real + 0.04 * 2 ** 20;
  expect(Math.abs(planned - real), `${what}: ${planned} planned, ${real} taken`).toBeLessThanOrEqual(allowed);
}

/** llama-f16 of the fixtures, with this many layers of this width: 16-bit zeros, which take no disk. */
function plainCheckpoint(layers: number, width: number): string {
  const path = join(folder, `plain-${layers}-${width}`);
  cpSync(fromHere("../../fixtures/checkpoints/llama-f16"), path, { recursive: true });
  const config = JSON.parse(readFileSync(join(path, "config.json"), "utf8"));
  const shape = { hidden_size: width, intermediate_size: 3 * width, num_hidden_layers: layers };
  const heads = { num_attention_heads: width / 64, num_key_value_heads: width / 128, head_dim: 64 };
  writeFileSync(join(path, "config.json"), JSON.stringify({ ...config, ...shape, ...heads }));
  const matrices: [string, readonly number[]][] = [
    ["model.embed_tokens", [config.vocab_size, width]],
    ["lm_head", [config.vocab_size, width]],
    ["model.norm", [width]],
  ];
  for (let layer = 0; layer < layers; layer += 1) {
    for (const [name, shape] of [
      ["input_layernorm", [width]],
      ["post_attention_layernorm", [width]],
      ["self_attn.q_proj", [width, width]],
      ["self_attn.k_proj", [width / 2, width]],
      ["self_attn.v_proj", [width / 2, width]],
      ["self_attn.o_proj", [width, width]],
      ["mlp.gate_proj", [3 * width, width]],
      ["mlp.up_proj", [3 * width, width]],
      ["mlp.down_proj", [width, 3 * width]],
    ] as const)
      matrices.push([`model.layers.${layer}.${name}`, shape]);
  }
  let end = 0;
  const tensors = matrices.map(([name, shape]) => {
    const begin = end;
    end += 2 * shape.reduce((all, length) => all * length, 1);
    return [`${name}.weight`, { dtype: "F16", shape, data_offsets: [begin, end] }] as const;
  });
  const header = Buffer.from(JSON.stringify(Object.fromEntries(tensors)));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  const file = openSync(join(path, "model.safetensors"), "w");
  writeSync(file, Buffer.concat([length, header]));
  ftruncateSync(file, 8 + header.length + end);
  closeSync(file);
  return path;
}

/** A model's path is asked for when its test runs. */
const models: [name: string, path: () => string, shapes: readonly Shape[]][] = [
  [
    "the embedded model",
    embeddedModelPath,
    [
      [1, 256, "f16"],
      [64, 1024, "q8_0"],
    ],
  ],
  [
    "SmolLM2 135M, Q4_1",
    () => realModelPath("smollm2"),
    [
      [8, 2048, "f16"],
      [2, 8192, "q4_0"],
      [4, 512, "f32"],
    ],
  ],
  [
    "Gemma 3 270M, Q4_K_M",
    () => realModelPath("gemma3"),
    [
      [1, 2048, "f16"],
      [8, 1024, "q8_0"],
      [4, 4096, "bf16"],
    ],
  ],
  [
    "SmolLM2 135M, AWQ",
    () => awq,
    [
      [8, 2048, "f16"],
      [3, 1024, "q8_0"],
    ],
  ],
  [
    "a vocabulary of 262,144 tokens",
    () => "synthetic:gemma3?layers=6&dim=256&vocab=262144&type=q8_0&context=2048",
    [[4, 512, "f16"]],
  ],
  [
    "a checkpoint of F16",
    () => plainCheckpoint(8, 768),
    [
      [8, 512, "f16"],
      [16, 256, "f32"],
    ],
  ],
];

/** Logits in host memory of rows beyond the slots' are allocated, and not logged, when they are wanted. */
const widePass = 64;

describe.each(models)("of %s", (name, pathOf, shapes) => {
  const isFetched = name.startsWith("SmolLM2") || name.startsWith("Gemma");
  const missing = isFetched && !existsSync(pathOf());
  const title = missing ? "not compared: npm run models:real, tools/checkpoints/makers" : "plan and load";
  it.skipIf(missing).each(shapes)(`${title}: %i slots of %i tokens, %s`, { timeout }, async (...shape) => {
    const path = pathOf();
    const [slots, contextLength, kvType] = shape;
    const { memory } = await planModel(path, { slots, contextLength, kvType, measureCpu: false });
    const { process: real, needed, vocabulary, ...buffers } = await taken(path, shape);
    const { weightBytes, kvBytes, computeBytes, vocabularyBytes } = memory;
    expectClose("weights", weightBytes, buffers.weights);
    expectClose("KV cache", kvBytes, buffers.kv);
    const later = Math.max(0, widePass - slots) * 4 * vocabulary;
    expectClose("passes", computeBytes, buffers.compute + later);
    expect(needed).toMatchObject({ weightBytes, kvBytes, computeBytes, vocabularyBytes });
    const all = weightBytes + kvBytes + computeBytes + vocabularyBytes;
    expect(real, `the process, of ${all} planned`).toBeGreaterThan(0.95 * all - besideBytes);
    expect(real, `the process, of ${all} planned`).toBeLessThan(1.05 * all + besideBytes);
  });
});

describe("of an encoder", () => {
  const path = fromHere("../../../.build/real-models/all-MiniLM-L6-v2");
  const missing = !existsSync(path);
  it.skipIf(missing)(
    missing ? "not planned: npm run models:real" : "a plan is refused by its type",
    async () => {
      await expect(planModel(path, { measureCpu: false })).rejects.toMatchObject({
        code: "MODEL_ARCHITECTURE_UNSUPPORTED",
        message: expect.stringMatching(/bert/i),
      });
    },
  );
});
