// .runpod/hub.json and tests.json: the Hub's format, as its publishing guide defines it, and
// the worker's own judgement of every variable, value and model that they name.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { readTextGenerationConfig } from "../../src/text-generation/config.js";
import { workerModel } from "../../src/text-generation/worker-model.js";
import { startHub } from "../../tools/hub-emulator/index.mjs";

const folder = join(import.meta.dirname, "../../.runpod");
const read = (name: string): unknown => JSON.parse(readFileSync(join(folder, name), "utf8"));

const scalar = z.union([z.string(), z.number(), z.boolean()]);
const input = z.strictObject({
  name: z.string(),
  type: z.enum(["string", "number", "boolean", "huggingface"]),
  description: z.string(),
  default: scalar.optional(),
  options: z.array(z.strictObject({ label: z.string(), value: z.string() })).optional(),
  min: z.number().optional(),
  max: z.number().optional(),
  required: z.boolean().optional(),
  advanced: z.boolean().optional(),
  trueValue: z.string().optional(),
  falseValue: z.string().optional(),
});
const versions = z.array(z.string().regex(/^\d+\.\d+$/));
const hubSchema = z.strictObject({
  title: z.string(),
  description: z.string(),
  type: z.literal("serverless"),
  category: z.enum(["audio", "embedding", "language", "video", "image"]),
  iconUrl: z.url().optional(),
  config: z.strictObject({
    runsOn: z.literal("GPU"),
    containerDiskInGb: z.int().min(1),
    gpuCount: z.int().min(1),
    gpuIds: z.string(),
    allowedCudaVersions: versions,
    presets: z.array(z.strictObject({ name: z.string(), defaults: z.record(z.string(), scalar) })),
    env: z.array(z.strictObject({ key: z.string().regex(/^[A-Z][A-Z0-9_]*$/), input })),
  }),
});
const testsSchema = z.strictObject({
  tests: z
    .array(z.strictObject({ name: z.string(), input: z.looseObject({}), timeout: z.int().min(1000) }))
    .min(1),
  config: z.strictObject({
    gpuTypeId: z.string(),
    gpuCount: z.int().min(1),
    env: z.array(z.strictObject({ key: z.string(), value: z.string() })),
    allowedCudaVersions: versions,
  }),
});

const hub = hubSchema.parse(read("hub.json"));
const tests = testsSchema.parse(read("tests.json"));
const { config } = hub;

/** The Hub's pools of GPUs: the least memory of each, in GB. */
const pools: Readonly<Record<string, number>> = {
  AMPERE_16: 16,
  AMPERE_24: 24,
  ADA_24: 24,
  AMPERE_48: 48,
  ADA_48_PRO: 48,
  AMPERE_80: 80,
  ADA_80_PRO: 80,
};

/** The worker's configuration of an environment, and the variables that it looked for. */
function judged(environment: Readonly<Record<string, string>>) {
  const sought = new Set<string | symbol>();
  const watched = new Proxy(environment, {
    get(target, name) {
      sought.add(name);
      return Reflect.get(target, name);
    },
  });
  return { ...readTextGenerationConfig(watched), sought };
}

describe("hub.json's variables", () => {
  it("are known to the worker and have an effect", () => {
    const { sought } = judged({});
    for (const { key } of config.env) {
      expect(sought).toContain(key);
      expect(judged({ [key]: sampleOf(key) }).notes).toEqual([]);
    }
    expect(judged({ TOKENIZER: "x" }).notes).not.toEqual([]); // what one without effect would be
  });

  it.each(config.env.map(({ key, input }) => [key, input] as const))(
    "%s takes what is offered",
    (key, input) => {
      const values = [
        input.default,
        input.min,
        input.max,
        ...(input.options ?? []).map(({ value }) => value),
      ];
      if (input.type === "boolean") values.push(true, false);
      expect(values.some((value) => value !== undefined)).toBe(true);
      for (const value of values.filter((each) => each !== undefined)) judged({ [key]: String(value) });
      if (input.options) expect(input.options.map(({ value }) => value)).toContain(input.default);
      expect(typeof input.default).toBe(input.type);
    },
  );

  it("have the worker's defaults, but for the number of jobs", () => {
    const defaults = config.env.flatMap(({ key, input }) =>
      key === "MAX_CONCURRENCY" || input.default === undefined ? [] : [[key, String(input.default)]],
    );
    const { sought: _, ...given } = judged(Object.fromEntries(defaults));
    const { sought: __, ...bare } = judged({});
    expect(given).toEqual({ ...bare, engine: { ...bare.engine, promptCache: true } });
  });
});

/** A value that the variable takes. */
function sampleOf(key: string): string {
  const found = config.env.find((entry) => entry.key === key)?.input.default;
  return found === undefined || found === "" ? "x" : String(found);
}

/** What the presets' models are made of: bytes of the weights, layers, KV heads, their width. */
const shapes: Readonly<Record<string, readonly [file: string, gigabytes: number, cellBytes: number]>> = {
  "Qwen/Qwen3-4B-GGUF": ["Qwen3-4B-Q4_K_M.gguf", 2.5, 36 * 8 * 128 * 4],
  "Qwen/Qwen3-8B-GGUF": ["Qwen3-8B-Q4_K_M.gguf", 5.1, 36 * 8 * 128 * 4],
  "Qwen/Qwen3-14B-GGUF": ["Qwen3-14B-Q4_K_M.gguf", 9.1, 40 * 8 * 128 * 4],
  "ggml-org/gemma-3-4b-it-GGUF": ["gemma-3-4b-it-Q4_K_M.gguf", 2.5, 34 * 4 * 256 * 4],
  "HuggingFaceTB/SmolLM2-1.7B-Instruct-GGUF": ["smollm2-1.7b-instruct-q4_k_m.gguf", 1.1, 24 * 32 * 64 * 4],
};

/** What the worker takes where the platform's cache holds the whole repository: the file's name. */
async function foundInCache(model: string, repository: string, files: readonly string[]): Promise<string> {
  const cache = mkdtempSync(join(tmpdir(), "infernode-cache-"));
  const snapshot = join(cache, `models--${repository.replace("/", "--")}`, "snapshots/1a2b");
  mkdirSync(snapshot, { recursive: true });
  for (const each of files) writeFileSync(join(snapshot, each), "GGUF");
  const place = { model, folders: [cache], revision: undefined };
  const { path } = await workerModel(place, { HF_HUB_OFFLINE: "1" }, () => {});
  rmSync(cache, { recursive: true });
  return basename(path);
}

/** What it takes where the model is nowhere: nothing else than this file comes from the hub. */
async function downloaded(model: string, repository: string, files: readonly string[]): Promise<string> {
  const cache = mkdtempSync(join(tmpdir(), "infernode-cache-"));
  const hub = await startHub({
    [repository]: { files: Object.fromEntries(files.map((each) => [each, "GGUF"])) },
  });
  try {
    const place = { model, folders: [cache], revision: undefined };
    const { path } = await workerModel(place, { HF_ENDPOINT: hub.endpoint, HF_HOME: cache }, () => {});
    expect(readdirSync(dirname(path))).toEqual([basename(path)]);
    return basename(path);
  } finally {
    await hub.close();
    rmSync(cache, { recursive: true });
  }
}

describe("hub.json's presets", () => {
  it.each(config.presets.map(({ name, defaults }) => [name, defaults] as const))(
    "%s",
    async (name, defaults) => {
      for (const key of Object.keys(defaults)) expect(config.env.map((entry) => entry.key)).toContain(key);
      const environment = Object.fromEntries(
        Object.entries(defaults).map(([key, value]) => [key, String(value)]),
      );
      const { model = "", concurrency, engine } = judged(environment);
      const [repository = "", type = ""] = model.split(":");
      const [file, gigabytes, cellBytes] = shapes[repository] ?? ["", Number.NaN, Number.NaN];
      expect(name).toContain(type);
      expect(file.toUpperCase()).toContain(type);

      const files = [file, "other-Q8_0.gguf", "mmproj-model-f16.gguf"];
      expect(await foundInCache(model, repository, files)).toBe(file);
      expect(await downloaded(model, repository, files)).toBe(file);

      // Weights and a full KV cache of 16 bits fit the smallest GPU that may be chosen.
      const smallest = Math.min(...config.gpuIds.split(",").map((pool) => pools[pool] ?? 0));
      const cells = concurrency * (engine.contextLength ?? Number.NaN);
      expect(gigabytes + (cells * cellBytes) / 1e9).toBeLessThan(0.9 * smallest);
    },
  );
});

describe("tests.json", () => {
  it("asks for CUDA versions that the image serves, and for variables that the worker takes", () => {
    expect(tests.config.allowedCudaVersions).toEqual(config.allowedCudaVersions);
    expect(config.allowedCudaVersions.every((version) => Number(version) >= 12.8)).toBe(true);
    const environment = Object.fromEntries(tests.config.env.map(({ key, value }) => [key, value]));
    expect(judged(environment).notes).toEqual([]);
  });
});
