// What a model costs and a device can do: figures by hand, rates that are measured, and energy through
// a library with NVML's names.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { EngineFigures } from "../../src/bench/engine-figures.js";
import { openEngine } from "../../src/bench/engine-target.js";
import { type PhysicsFacts, physicsFigures, physicsIdentity } from "../../src/bench/physics.js";
import { energyOf, type PowerMoments, type PowerReading } from "../../src/bench/power.js";
import { distribution } from "../../src/bench/statistics.js";
import { embeddedModelPath } from "../../src/index.js";
import { costOfModel, probeDevice } from "../../src/models/plan/device-probe.js";
import { costOf } from "../../src/models/plan/model-cost.js";
import { run } from "../helpers/programs.js";
import { startEndpoint } from "./endpoint.js";

vi.setConfig({ testTimeout: 60_000 });

// One layer of 1,000 weights at a byte each, an output of 500, two heads of 8: small enough for paper.
const cost = costOf(
  [
    { name: "blk.0.ffn_up.weight", type: "q8_0", shape: [20, 50], bytes: 1000 },
    { name: "output.weight", type: "f16", shape: [20, 25], bytes: 1000 },
    { name: "token_embd.weight", type: "f16", shape: [20, 25], bytes: 1000 },
  ],
  {
    "general.architecture": "toy",
    "toy.block_count": 1,
    "toy.attention.head_count": 2,
    "toy.embedding_length": 16,
  },
);
const probe = { device: "CUDA0", bytesPerSecond: 1e6, operationsPerSecond: 1e7, types: [] };
const facts: PhysicsFacts = {
  ...{ cost, kvBytesPerToken: 10, probes: [probe], shares: [1], kernels: [], datasheetF16: 2e7 },
};
const engine = {
  ...{ decodePasses: 4, decodeRows: 8, decodeMs: 50, prefillMs: 50, promptTokensComputed: 60 },
} as EngineFigures;
const lengths = { promptTokens: distribution([30]), outputTokens: distribution([20]) };

describe("the physics of a repeat", () => {
  it("are the bytes and operations that follow from the header, keys and values included", () => {
    // 4 passes x 2,000 bytes + 8 rows x (30 + 10) tokens x 10 bytes = 11,200 bytes.
    // 8 rows x (2 x 1,500 + 4 x 16 x 40) = 44,480; 60 x (2 x 1,000 + 2 x 16 x 30) = 177,600 operations.
    const figures = physicsFigures(facts, engine, lengths);
    expect(figures?.bytesPerToken).toBe(1400);
    expect(figures?.decodeBytesPerSecond).toBeCloseTo(224_000, 6);
    expect(figures?.decodeOperationsPerSecond).toBeCloseTo(889_600, 6);
    expect(figures?.prefillOperationsPerSecond).toBeCloseTo(3_552_000, 6);
    expect(figures?.mbu).toBeCloseTo(0.224, 9);
    expect(figures?.mfu).toBeCloseTo(2_220_800 / 2e7, 9);
    expect(figures?.matrixUse).toBeCloseTo(2_220_800 / 1e7, 9);
  });

  it("devices work one after the other: half the weights on one of half the rate", () => {
    const two = { ...facts, probes: [probe, { ...probe, bytesPerSecond: 5e5 }], shares: [0.5, 0.5] };
    expect(physicsIdentity(two).bytesPerSecond).toBeCloseTo(1 / (0.5 / 1e6 + 0.5 / 5e5), 6);
    expect(physicsIdentity(two).weightTypes).toEqual({ q8_0: 1000 / 1500, f16: 500 / 1500 });
  });

  it("without a data sheet there is no MFU, and without counters nothing", () => {
    expect(physicsFigures({ ...facts, datasheetF16: null }, engine, lengths)?.mfu).toBeNull();
    expect(physicsFigures(facts, { ...engine, decodeMs: null }, lengths)).toBeNull();
    expect(physicsFigures(facts, null, lengths)).toBeNull();
  });

  it("of the embedded model: this CPU is measured, and the header's weights are the file's", async () => {
    const target = await openEngine(
      {
        ...{ model: embeddedModelPath(), slots: 1, contextLength: 64, threads: 1, gpuLayers: undefined },
        ...{ kvType: undefined, queueLimit: 1, ignoreEos: true },
      },
      new AbortController().signal,
    );
    try {
      const measured = await target.physics();
      if (measured === null) return expect.fail("no physics");
      const { probes, weightTypes, weightBytes, bytesPerSecond } = physicsIdentity(measured);
      expect(weightTypes).toEqual({ q8_0: 1 });
      expect(weightBytes).toBe((await costOfModel(embeddedModelPath())).weightBytes);
      expect(probes).toMatchObject([{ device: "CPU", types: [{ type: "q8_0" }] }]);
      expect(bytesPerSecond).toBeGreaterThan(0);
      // f16 keys and values of one layer's 2 x heads x width numbers, over all layers: even, and whole.
      expect(measured.kvBytesPerToken % 4).toBe(0);
    } finally {
      await target.close();
    }
  });

  it("a device that is not there is refused", async () => {
    const model = await costOfModel(embeddedModelPath());
    await expect(probeDevice(model, { device: "CUDA9", kind: "gpu", threads: 1 })).rejects.toThrow(
      /No matrix of this type and width|device/,
    );
  });
});

const gpu = (bus: string, watts: number | null, joules: number | null) => ({
  name: "L4",
  bus,
  watts,
  joules,
});
const moments = (...readings: readonly (readonly [number, ...PowerReading["gpus"]])[]): PowerMoments =>
  readings.map(([atMs, ...gpus]) => ({ atMs, reading: { problem: "", gpus } }));

describe("energy", () => {
  it("is the counters' difference, or power over time where a GPU has none", () => {
    const read = moments(
      [0, gpu("a", 99, 1000), gpu("b", 100, null)],
      [1000, gpu("a", 99, 1040), gpu("b", 300, null)],
      [3000, gpu("a", 99, 1120), gpu("b", 300, null)],
    );
    // 120 J by the counter; (100 + 300) / 2 x 1 s + 300 x 2 s = 800 J by power.
    expect(energyOf(read, ["L4", "L4"], 230)).toEqual({
      ...{ isValid: true, reason: null, gpus: 2, joules: 920, watts: 920 / 3, joulesPerOutputToken: 4 },
    });
  });

  it.each([
    [moments([0, gpu("a", 1, 1)]), ["L4"], "too few readings"],
    [
      moments([0, gpu("a", null, null)], [100, gpu("a", null, null)]),
      ["L4"],
      "a GPU tells neither its power",
    ],
    [
      moments([0, gpu("a", 50, null)], [9000, gpu("a", 50, null)]),
      ["L4"],
      "readings were more than 3 s apart",
    ],
    [moments([0, gpu("a", 50, null)], [100, gpu("a", 50, null)]), ["A40"], "NVML names none of the GPUs"],
    [
      moments([0, gpu("a", 1, 1), gpu("b", 1, 1)], [9, gpu("a", 1, 2), gpu("b", 1, 2)]),
      ["L4"],
      "the machine has other GPUs of that name",
    ],
  ])("says why it does not hold (%#)", (read, names, reason) => {
    const said = energyOf(read, names, 1);
    expect(said).toMatchObject({ isValid: false, reason: expect.stringContaining(reason) });
  });
});

describe.skipIf(process.platform !== "linux")("NVML", () => {
  const folder = mkdtempSync(join(tmpdir(), "infernode-nvml-"));
  afterAll(() => rmSync(folder, { recursive: true }));

  beforeAll(() => {
    const source = fileURLToPath(new URL("programs/nvml_stub.c", import.meta.url));
    const { status, stderr } = spawnSync(
      "cc",
      ["-shared", "-fPIC", source, "-o", join(folder, "libnvidia-ml.so.1")],
      { encoding: "utf8" },
    );
    expect(stderr).toBe("");
    expect(status).toBe(0);
  });

  const bench = async (environment: Readonly<Record<string, string>>) => {
    const address = await startEndpoint();
    const load = ["--concurrency", "1", "--requests", "4", "--repeats", "1", "--output-tokens", "20"];
    const flags = ["bench", "--url", `${address}/drips`, "--no-calibrate", ...load, "--json"];
    const { code, stdout } = await run("dist/cli/main.js", { args: flags, env: environment });
    expect(code).toBe(0);
    return JSON.parse(stdout).points[0].repeats[0].energy;
  };

  it("is loaded while an endpoint of this machine is measured", async () => {
    const energy = await bench({ LD_LIBRARY_PATH: folder });
    expect(energy).toMatchObject({ isValid: true, reason: null, gpus: 2 });
    // 1000 W by the counter and 250 W by power.
    expect(energy.watts).toBeGreaterThan(1100);
    expect(energy.watts).toBeLessThan(1400);
    expect(energy.joulesPerOutputToken).toBeCloseTo(energy.joules / (5 * 20), 6);
  });

  it("is nothing for an endpoint where infernode has no native files", async () => {
    expect(await bench({ LD_LIBRARY_PATH: folder, INFERNODE_NATIVE: folder })).toBeNull();
  });

  it("that does not start means no figure for an endpoint, and a reason for an engine", async () => {
    expect(await bench({ LD_LIBRARY_PATH: folder, NVML_STUB: "silent" })).toBeNull();
    const problem = "NVML does not start: its error 9.";
    const silent = [0, 100].map((atMs) => ({ atMs, reading: { problem, gpus: [] } }));
    expect(energyOf(silent, ["L4"], 1)).toMatchObject({ isValid: false, joules: null, reason: problem });
  });
});
