// How many GPUs a worker uses, by the variables that vLLM's worker has for it.
import { describe, expect, it } from "vitest";
import type { Device } from "../../src/devices.js";
import { readTextGenerationConfig } from "../../src/text-generation/config.js";
import { onGpus } from "../../src/text-generation/gpu-count.js";

const device = (name: string, type: Device["type"], backend: string): Device => ({
  name,
  backend,
  type,
  description: name,
  computeCapability: null,
  memoryBytes: 2 ** 34,
  freeBytes: 2 ** 34,
});
const cpu = device("CPU", "cpu", "CPU");
const cuda = [0, 1, 2, 3].map((index) => device(`CUDA${index}`, "gpu", "CUDA"));
const vulkan = device("Vulkan0", "gpu", "Vulkan");

describe("the GPUs of a worker", () => {
  it.each([
    [{}, undefined],
    [{ TENSOR_PARALLEL_SIZE: "1" }, 1],
    [{ PIPELINE_PARALLEL_SIZE: "3" }, 3],
    [{ TENSOR_PARALLEL_SIZE: "2", PIPELINE_PARALLEL_SIZE: "2" }, 4],
  ])("%j are counted as vLLM counts them", (environment, count) => {
    expect(readTextGenerationConfig(environment).gpus).toBe(count);
  });

  it.each([
    [2, {}, ["CUDA0", "CUDA1"]],
    [4, { device: "gpu" }, ["CUDA0", "CUDA1", "CUDA2", "CUDA3"]],
    [1, { gpuLayers: 20 }, ["CUDA0"]],
    [2, { device: ["CUDA3", "CUDA1", "CUDA0"] }, ["CUDA3", "CUDA1"]],
  ] as const)("%i of four, asked for with %j, are %j", (count, placement, expected) => {
    expect(onGpus(count, placement, [cpu, vulkan, ...cuda])).toEqual({ ...placement, device: expected });
  });

  it.each([{}, { device: "cpu" }, { device: "gpu" }, { gpuLayers: 0 }] as const)(
    "one is no demand where there is none: %j stays as it is",
    (placement) => {
      expect(onGpus(1, placement, [cpu])).toBe(placement);
    },
  );

  it.each([
    [5, {}, 4],
    [2, { device: "CUDA1" }, 1],
    [2, { device: "cpu" }, 0],
    [2, { gpuLayers: 0 }, 0],
  ] as const)("%i with %j are refused: %i can be used", (count, placement, there) => {
    expect(() => onGpus(count, placement, [cpu, ...cuda])).toThrow(
      `must be at most the GPUs there are, ${there}; got ${count}`,
    );
  });
});
