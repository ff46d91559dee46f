// Cold starts in processes of their own.
import { describe, expect, it, vi } from "vitest";
import { coldLines } from "../../src/bench/cold-lines.js";
import { coldPhases, coldStarts } from "../../src/bench/cold-start.js";
import { embeddedModelPath } from "../../src/index.js";

vi.setConfig({ testTimeout: 60_000 });

const order = { path: embeddedModelPath(), gpuLayers: undefined, slots: 1, contextLength: 64 };
const rest = { threads: 1, kvType: undefined };

describe("cold starts", () => {
  it("are told by phases that add up, one process after the other", async () => {
    const told: number[] = [];
    const { signal } = new AbortController();
    const cold = await coldStarts({ ...order, ...rest }, 2, signal, ({ totalMs }) => told.push(totalMs));
    if (cold === null) return expect.fail("no start");
    expect(cold.runs.map(({ totalMs }) => totalMs)).toEqual(told);
    expect(told).toHaveLength(2);
    for (const run of cold.runs) {
      for (const name of coldPhases) expect(run[name], name).toBeGreaterThanOrEqual(0);
      expect(run.totalMs).toBeCloseTo(
        coldPhases.reduce((sum, name) => sum + run[name], 0),
        6,
      );
    }
    expect(coldLines({ cold })[0]).toMatch(
      /^2 cold starts: [\d.]+ ± [\d.]+ ms until the first token \(process [\d.]+, library .* first token [\d.]+\)\.$/,
    );
  });

  it("of a model that cannot be loaded fail in one sentence", async () => {
    const missing = { ...order, ...rest, path: "/no/such/model.gguf" };
    await expect(coldStarts(missing, 1, new AbortController().signal, () => {})).rejects.toThrow(
      /^a cold start failed: .*no.such.model\.gguf/,
    );
  });

  it("end at the signal with those that were measured", async () => {
    const controller = new AbortController();
    const cold = await coldStarts({ ...order, ...rest }, 99, controller.signal, () => controller.abort());
    expect(cold?.runs).toHaveLength(1);
    expect(await coldStarts({ ...order, ...rest }, 1, controller.signal, () => {})).toBeNull();
  });
});
