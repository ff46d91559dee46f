// Where layers and cells lie, by llama.cpp's own words, and that greedy text on a device is the
// CPU's: with all, some and no layers there, with a stream for each sequence and with one pool.
import { afterAll, beforeAll, expect, it } from "vitest";
import { devices, embeddedModelPath, type LogLine, loadModel, setLogListener } from "../../src/index.js";
import { caught } from "../helpers/caught.js";
import { type Answer, expectAlike, onCpu, rounding } from "../helpers/device-answers.js";
import { withEngine } from "../helpers/embedded.js";
import { describeDevice, patience } from "../helpers/software-device.js";

// Passes of eight rows or fewer, which need the shaders that compile fast.
const requests = ["Once upon a time", "The dog"].map((prompt) => ({
  prompt,
  maxTokens: 12,
  temperature: 0,
  ignoreEos: true,
  logProbs: 5,
}));

describeDevice("one device", 1, () => {
  let cpu: readonly Answer[] = [];
  const lines: string[] = [];
  beforeAll(async () => {
    setLogListener(({ text }: LogLine) => lines.push(text));
    const [result] = await onCpu([
      { requests, engineOptions: { slots: 1, contextLength: 256, prefillChunk: 32 } },
    ]);
    cpu = result?.answers ?? [];
  }, patience.timeout);
  afterAll(() => setLogListener(null));

  /** Names before "… buffer size", of weights ("model") or cells ("KV"). */
  const places = (what: string) =>
    new Set(lines.flatMap((line) => new RegExp(`(\\S+) +${what} buffer size`).exec(line)?.[1] ?? []));

  it.each([
    ["all", ["Vulkan0"], true, false],
    [2, ["CPU", "Vulkan0"], true, true],
    [0, ["CPU"], false, true],
  ] as const)(
    "says what the CPU says with gpuLayers %s",
    patience,
    async (gpuLayers, expected, there, here) => {
      lines.length = 0;
      await using model = await loadModel(embeddedModelPath(), { gpuLayers });
      const computing = model.info.devices.filter(({ layers, hasOutput }) => layers.length > 0 || hasOutput);
      expect(computing.map(({ name }) => name).sort()).toEqual(expected);
      const layers = model.info.devices.flatMap((device) => device.layers).sort((one, other) => one - other);
      expect(layers).toEqual(Array.from({ length: model.info.layerCount }, (_, layer) => layer));
      for (const kvLayout of ["streams", "unified"] as const) {
        const shape = { slots: 2, contextLength: 256, prefillChunk: 32, kvLayout };
        await withEngine(model, shape, async (engine) => {
          const answers = await Promise.all(requests.map((request) => engine.generate(request)));
          for (const [index, answer] of answers.entries()) {
            expectAlike(answer, cpu[index] as Answer, rounding);
          }
          expect(engine.stats()).toMatchObject({ failedPasses: 0, running: 0, kvCellsUsed: 0 });
        });
      }
      await new Promise((resolve) => setImmediate(resolve));
      for (const what of ["model", "KV"]) {
        const found = [...places(what)];
        expect(found.includes("Vulkan0"), `${what} on the device: ${found}`).toBe(there);
        if (what === "KV") expect(found.includes("CPU"), `cells in memory: ${found}`).toBe(here);
      }
    },
  );

  it(
    "keeps the KV cache in host memory with kvOffload false, and says what the CPU says",
    patience,
    async () => {
      lines.length = 0;
      await using model = await loadModel(embeddedModelPath(), { device: "gpu" });
      const shape = { slots: 2, contextLength: 256, prefillChunk: 32, kvOffload: false };
      await withEngine(model, shape, async (engine) => {
        const answers = await Promise.all(requests.map((request) => engine.generate(request)));
        for (const [index, answer] of answers.entries()) expectAlike(answer, cpu[index] as Answer, rounding);
        expect(engine.stats()).toMatchObject({ failedPasses: 0, kvCellsUsed: 0 });
      });
      await new Promise((resolve) => setImmediate(resolve));
      expect([...places("KV")]).toEqual(["CPU"]);
      const [there] = model.memoryNeeded(shape).devices;
      expect(there).toMatchObject({ name: "Vulkan0", kvBytes: 0 });
      expect(there?.weightBytes).toBe(model.info.devices[0]?.weightBytes);
    },
  );

  it("puts as many layers there as fit in a part of its memory", patience, async () => {
    const freeBytes = devices().find(({ name }) => name === "Vulkan0")?.freeBytes ?? 0;
    const layersWith = async (mebibytes: number) => {
      const gpuMemoryUtilization = (mebibytes * 2 ** 20) / freeBytes;
      await using model = await loadModel(embeddedModelPath(), { gpuLayers: "auto", gpuMemoryUtilization });
      return model.info.devices.find(({ name }) => name === "Vulkan0")?.layers.length ?? 0;
    };
    const found = [await layersWith(262), await layersWith(271), await layersWith(600)];
    expect(found.at(0)).toBeLessThan(found.at(-1) ?? 0);
    expect(found.at(-1)).toBe(4);
    expect(found).toEqual([...found].sort((one, other) => one - other));
  });

  it("refuses weights that the device cannot hold before any is read", patience, async () => {
    const error = await caught(() => loadModel("synthetic:llama?layers=24&dim=4096&type=f16"));
    expect(error.code).toBe("OUT_OF_MEMORY");
    expect(error.message).toMatch(/needs \d+ MiB on Vulkan0 \(\d+ MiB of weights, .*\d+ MiB are free there/);
  });
});
