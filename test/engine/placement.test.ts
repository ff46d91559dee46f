// Which devices a model goes to, among those of machines that people have.
import { describe, expect, it } from "vitest";
import { judgeModelOptions } from "../../src/engine/options.js";
import { placementAmong } from "../../src/engine/placement.js";
import type { PlacementOptions } from "../../src/engine/placement-options.js";
import type { NativeDevice } from "../../src/native-devices.js";

const device = (name: string, type: NativeDevice["type"], splitsRows = false): NativeDevice => ({
  name,
  backend: name.replace(/\d+$/, ""),
  description: name,
  type,
  splitsRows,
  memoryTotal: 2 ** 33,
  memoryFree: 2 ** 33,
});

const cpu = device("CPU", "cpu");
const twoCuda = [cpu, device("CUDA0", "gpu"), device("CUDA1", "gpu")];
const cudaSeenTwice = [cpu, device("Vulkan0", "gpu"), device("Vulkan1", "igpu"), device("CUDA0", "gpu")];
const laptop = [cpu, device("Vulkan0", "igpu")];
const server = [cpu, device("BLAS", "accelerator")];
const reason = "libcuda.so.1 is missing";

function place(options: PlacementOptions, devices: readonly NativeDevice[]) {
  const { placement } = judgeModelOptions("model.gguf", options);
  return placementAmong("loadModel()", placement, devices, () => reason);
}

function refusal(options: PlacementOptions, devices: readonly NativeDevice[]): string {
  try {
    place(options, devices);
  } catch (thrown) {
    return String(thrown);
  }
  return "none";
}

describe("the devices of a model", () => {
  it.each([
    ["every CUDA GPU", twoCuda, ["CUDA0", "CUDA1"]],
    ["one backend of a GPU that two see, no integrated one beside it", cudaSeenTwice, ["CUDA0"]],
    ["an integrated GPU where there is no other", laptop, ["Vulkan0"]],
    ["the CPU where there is no GPU", server, []],
  ] as const)("auto is %s", (_, devices, names) => {
    const { devices: chosen, gpuLayers } = place({}, devices);
    expect(chosen).toEqual(names);
    expect(gpuLayers).toBe(names.length > 0 ? -1 : 0);
  });

  it.each([
    [{ device: "cpu" }, []],
    [{ gpuLayers: 0 }, []],
    [{ device: "gpu" }, ["CUDA0", "CUDA1"]],
    [{ device: "cuda1" }, ["CUDA1"]],
    [{ device: ["CUDA1", "CUDA0"] }, ["CUDA1", "CUDA0"]],
    [{ splitMode: "none" }, ["CUDA0"]],
    [{ splitMode: "none", mainGpu: 1 }, ["CUDA1"]],
    [{ splitMode: "none", mainGpu: "CUDA1" }, ["CUDA1"]],
    [{ device: ["CUDA1", "CUDA0"], splitMode: "none", mainGpu: 0 }, ["CUDA1"]],
  ] as const)("%j are %j of two", (options, names) => {
    expect(place(options, twoCuda).devices).toEqual(names);
  });

  it("takes a share for each device, and as many layers as fit", () => {
    const options = { tensorSplit: [3, 1], gpuLayers: "auto", gpuMemoryUtilization: 0.5 } as const;
    expect(place(options, twoCuda)).toEqual({
      devices: ["CUDA0", "CUDA1"],
      gpuLayers: -2,
      splitMode: "layer",
      tensorSplit: [3, 1],
      mainGpu: 0,
      gpuMemoryUtilization: 0.5,
    });
  });

  it.each([
    [{ device: "gpu" }, 'device is "gpu"'],
    [{ device: "CUDA0" }, 'device is "CUDA0"'],
    [{ gpuLayers: 12 }, "gpuLayers is 12"],
    [{ gpuLayers: "all" }, 'gpuLayers is "all"'],
    [{ splitMode: "none", mainGpu: "CUDA1" }, 'mainGpu is "CUDA1"'],
  ] as const)("%j without a GPU is an error with the reason", (options, asked) => {
    expect(refusal(options, server)).toBe(
      `InferenceError: loadModel(): ${asked}, and no GPU can be used: ${reason}; or take device "cpu"`,
    );
  });

  it("as many layers as fit are none without a GPU", () => {
    expect(place({ gpuLayers: "auto" }, server)).toMatchObject({ devices: [], gpuLayers: 0 });
  });

  it.each([
    [{ device: "CUDA7" }, 'device must name devices of this machine, CUDA0, CUDA1; got "CUDA7"'],
    [{ splitMode: "none", mainGpu: 2 }, "mainGpu must be one of the devices chosen, CUDA0, CUDA1; got 2"],
    [{ tensorSplit: [1] }, "tensorSplit must have a number for each device, 2 for CUDA0, CUDA1; got 1"],
    [
      { splitMode: "row" },
      'splitMode "row" is not possible on CUDA0: llama.cpp\'s CUDA backend has no buffers for it; take "layer" or "tensor"',
    ],
  ] as const)("%j is refused", (options, sentence) => {
    expect(refusal(options, twoCuda)).toContain(sentence);
  });

  it("splits rows where the backend has buffers for it", () => {
    const sycl = [cpu, device("SYCL0", "gpu", true), device("SYCL1", "gpu", true)];
    expect(place({ splitMode: "row" }, sycl).splitMode).toBe("row");
  });
});
