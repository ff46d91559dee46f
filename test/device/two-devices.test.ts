// Layers and cells over two devices, which are one software device seen twice, each with its
// own memory as far as llama.cpp knows.
import { afterAll, beforeAll, expect, it } from "vitest";
import { embeddedModelPath, loadModel, setLogListener } from "../../src/index.js";
import { caught } from "../helpers/caught.js";
import { type Answer, expectAlike, onCpu, rounding } from "../helpers/device-answers.js";
import { withEngine } from "../helpers/embedded.js";
import { describeDevice, patience } from "../helpers/software-device.js";

const request = {
  prompt: "Mia had a red ball. She",
  maxTokens: 12,
  temperature: 0,
  ignoreEos: true,
  logProbs: 5,
};
const shape = { slots: 2, contextLength: 256, prefillChunk: 32 };

describeDevice("two devices", 2, () => {
  const lines: string[] = [];
  beforeAll(() => setLogListener(({ text }) => lines.push(text)));
  afterAll(() => setLogListener(null));

  it("share layers and cells, and say what the CPU says", patience, async () => {
    const [cpu] = await onCpu([{ engineOptions: shape, requests: [request] }]);
    const expected = cpu?.answers[0];
    if (expected === undefined) throw new Error("the CPU gave no answer");
    await using model = await loadModel(embeddedModelPath());
    const [first, second, host] = model.info.devices;
    expect([first?.name, second?.name, host?.name]).toEqual(["Vulkan0", "Vulkan1", "CPU"]);
    expect([...(first?.layers ?? []), ...(second?.layers ?? [])]).toHaveLength(model.info.layerCount);
    expect(host).toMatchObject({ layers: [], hasOutput: false });
    await withEngine(model, shape, async (engine) => {
      const both = await Promise.all([engine.generate(request), engine.generate(request)]);
      for (const answer of both) expectAlike(answer, expected, rounding);
      expect(engine.stats().failedPasses).toBe(0);
    });
    await new Promise((resolve) => setImmediate(resolve));
    for (const what of ["model", "KV"]) {
      for (const device of ["Vulkan0", "Vulkan1"]) {
        const told = lines.some((line) => new RegExp(`${device} +${what} buffer size`).test(line));
        expect(told, `${what} on ${device}`).toBe(true);
      }
    }
  });

  // By hand: of five parts, four layers and the output, part n goes to the device in whose share
  // of the line from 0 to 1 n/5 lies.
  it.each([
    [{ tensorSplit: [3, 1] }, "Vulkan0 0-3, Vulkan1 output, CPU"],
    [{ tensorSplit: [1, 3] }, "Vulkan0 0-1, Vulkan1 2-3 output, CPU"],
    [{ splitMode: "none", mainGpu: 1 }, "Vulkan1 0-3 output, CPU"],
  ] as const)("share them as %j says", patience, async (options, expected) => {
    const [cpu] = await onCpu([{ engineOptions: shape, requests: [request] }]);
    await using model = await loadModel(embeddedModelPath(), options);
    const lies = model.info.devices.map(({ name, layers, hasOutput }) => {
      const run = layers.length === 0 ? [] : [`${layers[0]}-${layers.at(-1)}`];
      return [name, ...run, ...(hasOutput ? ["output"] : [])].join(" ");
    });
    expect(lies.join(", ")).toBe(expected);
    await withEngine(model, shape, async (engine) => {
      expectAlike(await engine.generate(request), cpu?.answers[0] as Answer, rounding);
      expect(engine.stats().failedPasses).toBe(0);
    });
  });

  it("refuse splitMode row by their name", patience, async () => {
    const error = await caught(() => loadModel(embeddedModelPath(), { splitMode: "row" }));
    expect(error.code).toBe("INVALID_OPTION");
    expect(error.message).toContain("Vulkan0");
  });
});
