// Cold starts in processes of their own, and AIPerf's form of a result.
import { describe, expect, it, vi } from "vitest";
import { aiperfJsons } from "../../src/bench/aiperf-json.js";
import { coldLines } from "../../src/bench/cold-lines.js";
import { coldPhases, coldStarts } from "../../src/bench/cold-start.js";
import { embeddedModelPath } from "../../src/index.js";
import { simulated } from "./simulated.js";

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

it("AIPerf's form has its names, units and rates over the whole run", () => {
  const result = simulated({ seed: "aiperf", repeats: 2, concurrency: [2] });
  const texts = aiperfJsons(result);
  expect(texts).toHaveLength(2);
  const [run, repeat] = [JSON.parse(texts[0] ?? ""), result.points[0]?.repeats[0]];
  if (repeat === undefined) return expect.fail("no repeat");
  const seconds = (repeat.wallMs ?? 0) / 1000;
  expect(run).toMatchObject({
    ...{ schema_version: "1.1", was_cancelled: false, error_summary: [] },
    request_count: { unit: "requests", avg: repeat.requests.finished },
    time_to_first_token: {
      unit: "ms",
      avg: repeat.latency.ttftMs?.mean,
      p99: repeat.latency.ttftMs?.p99,
      count: repeat.requests.finished,
    },
    // What others call TPOT; gaps between events are AIPerf's inter chunk latency.
    inter_token_latency: { unit: "ms", p50: repeat.latency.tpotMs?.p50 },
    inter_chunk_latency: { unit: "ms", p50: repeat.latency.itlMs?.p50 },
    output_sequence_length: { unit: "tokens", avg: 24, std: 0 },
    benchmark_duration: { unit: "sec", avg: seconds },
  });
  expect(run.request_throughput.avg).toBeCloseTo(repeat.requests.finished / seconds, 9);
  expect(run.output_token_throughput.avg).toBeCloseTo((24 * repeat.requests.finished) / seconds, 9);
  expect(run.output_token_throughput_per_user.unit).toBe("tokens/sec/user");
});
