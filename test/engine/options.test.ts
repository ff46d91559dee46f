// Options of models and engines: each refusal names field, limit and value.
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, it } from "vitest";
import { judgeEngineOptions, judgeModelOptions } from "../../src/engine/options.js";
import { caught } from "../helpers/caught.js";

const isModel = () => false;
const limits = { contextLength: 1024, cacheKind: "full", isModel } as const;

async function refusal(options: unknown): Promise<string> {
  const error = await caught(() => judgeEngineOptions("createEngine()", options, limits));
  expect(error.code).toBe("INVALID_OPTION");
  return error.message;
}

describe("engine options", () => {
  it("fills in defaults that fit the model", () => {
    expect(judgeEngineOptions("createEngine()", {}, limits)).toEqual({
      speculation: false,
      draftModel: undefined,
      draftTokens: 0,
      loras: [],
      slots: 8,
      contextLength: 1024,
      prefillChunk: 512,
      kvCells: 0,
      threads: 0,
      samplerThreads: 0,
      queueLimit: 1024,
      interTokenLatencyMs: 100,
      kvType: "f16",
      kvOffload: true,
      flashAttention: true,
      promptCache: true,
      hostCacheBytes: -1,
      deterministic: false,
    });
  });

  it("bounds the default context of a long-context model", () => {
    const long = judgeEngineOptions("createEngine()", {}, { ...limits, contextLength: 131_072 });
    expect(long.contextLength).toBe(4096);
  });

  it("treats an undefined option as one left out", () => {
    expect(judgeEngineOptions("createEngine()", { slots: undefined }, limits).slots).toBe(8);
  });

  it.each([
    [{ slots: 0 }, "createEngine(): slots must be an integer from 1 to 256, got 0"],
    [{ slots: 257 }, "createEngine(): slots must be an integer from 1 to 256, got 257"],
    [{ slots: "8" }, 'createEngine(): slots must be an integer from 1 to 256, got "8"'],
    [{ slots: 1.5 }, "createEngine(): slots must be an integer from 1 to 256, got 1.5"],
    [{ slots: Number.NaN }, "createEngine(): slots must be an integer from 1 to 256, got NaN"],
    [{ slots: null }, "createEngine(): slots must be an integer from 1 to 256, got null"],
    [
      { contextLength: 4096 },
      "createEngine(): contextLength must be an integer from 16 to 1024 (the length the model was trained for), got 4096",
    ],
    [
      { kvType: "q5" },
      'createEngine(): kvType must be one of "f16", "bf16", "f32", "q8_0", "q4_0", got "q5"',
    ],
    [{ flashAttention: 1 }, "createEngine(): flashAttention must be true or false, got 1"],
    [
      { hostCacheBytes: -1 },
      "createEngine(): hostCacheBytes must be an integer from 0 to 1099511627776, got -1",
    ],
    [
      { deterministic: true, flashAttention: true },
      "createEngine(): flashAttention must be false when deterministic is true, got true",
    ],
    [
      { deterministic: true, kvType: "q8_0" },
      'createEngine(): kvType must be "f16", "bf16" or "f32" when deterministic is true, got "q8_0"',
    ],
    [
      { kvType: "q8_0", flashAttention: false },
      'createEngine(): flashAttention must be true when kvType is "q8_0", got false',
    ],
    [
      { kvType: "q4_0", flashAttention: false },
      'createEngine(): flashAttention must be true when kvType is "q4_0", got false',
    ],
    [{ kvOffload: "no" }, 'createEngine(): kvOffload must be true or false, got "no"'],
    [
      { kvLayout: "pool" },
      'createEngine(): kvLayout must be one of "auto", "unified", "streams", got "pool"',
    ],
    [{ kvCells: 8 }, "createEngine(): kvCells must be an integer from 16 to 67108864, got 8"],
    [
      { kvCells: 100, contextLength: 200 },
      "createEngine(): kvCells must be contextLength (200) or more, got 100",
    ],
    [
      { kvCells: 2048, kvLayout: "streams" },
      'createEngine(): kvCells must be left out when kvLayout is "streams", whose slots have contextLength cells each, got 2048',
    ],
    [
      { kvLayout: "unified", deterministic: true },
      'createEngine(): kvLayout must be "streams" when deterministic is true, which needs a stream for each slot',
    ],
    [
      { kvCells: 2048, deterministic: true },
      "createEngine(): kvCells must be left out when deterministic is true, which needs a stream for each slot",
    ],
    [[], "createEngine(): options must be an object, got an empty array"],
  ])("refuses %j", async (options, sentence) => {
    expect(await refusal(options)).toBe(sentence);
  });

  it("refuses an unknown option by name and tells where the known ones are", async () => {
    expect(await refusal({ foo: 3 })).toBe(
      'createEngine(): unknown option "foo"; the options are those of docs/options.md',
    );
  });
});

describe("model options", () => {
  it("resolves the path and spells all layers as -1", () => {
    const { reference, placement } = judgeModelOptions("model.gguf", {});
    expect(reference).toMatchObject({ type: "path", path: resolve("model.gguf") });
    expect(placement).toEqual({
      device: "auto",
      gpuLayers: -1,
      asksForLayers: false,
      splitMode: "layer",
      tensorSplit: [],
      mainGpu: 0,
      gpuMemoryUtilization: 1,
    });
    expect(judgeModelOptions("model.gguf", { gpuLayers: 12 }).placement.gpuLayers).toBe(12);
  });

  it("takes a file: URL", () => {
    const path = resolve("a model.gguf");
    expect(judgeModelOptions(pathToFileURL(path), {}).reference).toMatchObject({ type: "path", path });
  });

  it.each([
    [
      "",
      {},
      'loadModel(): path must be the path of a model, a file: URL, hf:owner/name or the https:// address of a GGUF file, got ""',
    ],
    [
      "a\0b",
      {},
      'loadModel(): path must be the path of a model, a file: URL, hf:owner/name or the https:// address of a GGUF file, got "a\\u0000b"',
    ],
    [
      undefined,
      {},
      "loadModel(): path must be the path of a model, a file: URL, hf:owner/name or the https:// address of a GGUF file, got nothing",
    ],
    [
      new URL("s3://bucket/m.gguf"),
      {},
      'loadModel(): path must be the path of a model, a file: URL, hf:owner/name or the https:// address of a GGUF file, got "s3://bucket/m.gguf"; download the GGUF file and give its path, or give its https:// address',
    ],
    [
      "hf:example",
      {},
      'loadModel(): path must be hf:owner/name[:file-or-quantization][@revision], got "hf:example"; the owner is missing',
    ],
    [
      "m",
      { gpuLayers: -1 },
      'loadModel(): gpuLayers must be an integer from 0 to 100000, "all" or "auto", got -1',
    ],
    [
      "m",
      { device: "cpu", gpuLayers: 12 },
      'loadModel(): gpuLayers must be 0 or left out with device "cpu", got 12',
    ],
    [
      "m",
      { device: [] },
      'loadModel(): device must be "auto", "gpu", "cpu", or the name of a device or an array of names, got an empty array',
    ],
    ["m", { device: ["CUDA0", "cuda0"] }, 'loadModel(): device names "cuda0" twice; name each device once'],
    [
      "m",
      { splitMode: "rows" },
      'loadModel(): splitMode must be one of "none", "layer", "row", "tensor", got "rows"',
    ],
    [
      "m",
      { mainGpu: 1 },
      'loadModel(): mainGpu goes with splitMode "none" only, which is "layer"; leave one of them out',
    ],
    [
      "m",
      { splitMode: "none", tensorSplit: [1, 1] },
      'loadModel(): tensorSplit must be left out with splitMode "none": one device has the whole model',
    ],
    ["m", { tensorSplit: [0, 0] }, "loadModel(): tensorSplit must have a number above 0, all are 0"],
    [
      "m",
      { gpuMemoryUtilization: 2 },
      "loadModel(): gpuMemoryUtilization must be a number from 0.01 to 1, got 2",
    ],
    ["m", { onProgress: 1 }, "loadModel(): onProgress must be a function, got 1"],
    ["m", { signal: {} }, "loadModel(): signal must be an AbortSignal, got an object"],
    ["m", null, "loadModel(): options must be an object, got null"],
  ])("refuses %j with %j", async (path, options, sentence) => {
    const error = await caught(() => judgeModelOptions(path, options));
    expect(error).toMatchObject({ code: "INVALID_OPTION", message: sentence, status: 400 });
  });
});
