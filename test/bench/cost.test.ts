// What tokens cost: GPUs by the names of drivers, prices that are known or none, and a serverless
// worker whose bill is added up event by event in a simulation that shares no formula with it.
import { describe, expect, it } from "vitest";
import { costOf, type ServerlessFacts } from "../../src/bench/cost.js";
import { costLines } from "../../src/bench/cost-lines.js";
import { offersOf } from "../../src/bench/frontier.js";
import type { PointResult } from "../../src/bench/point.js";
import { gpuNames, type Price, priceOf } from "../../src/bench/price.js";
import { Random } from "../../src/bench/random.js";
import { gpuNamed } from "../../src/models/plan/gpu-names.js";
import { simulated } from "./simulated.js";

const price: Price = { dollarsPerSecond: 0.001, gpu: "L4", gpus: 1, source: "a test" };
const result = simulated({ seed: "cost", concurrency: [1, 4], repeats: 3 });
const [alone] = result.points;
const sleepy: ServerlessFacts = { requestsPerHour: 60, coldStartSeconds: 9, idleTimeoutSeconds: 5 };

function point(): PointResult {
  return alone ?? expect.fail("no point");
}

it.each([
  ["NVIDIA GeForce RTX 4090", "RTX 4090"],
  ["rtx4090", "RTX 4090"],
  ["NVIDIA RTX 6000 Ada Generation", "RTX 6000 Ada"],
  ["NVIDIA A100-SXM4-80GB", "A100 PCIe"], // a family of one price
  ["NVIDIA H200", "H200"],
  ["NVIDIA L40S", "L40S"],
  ["NVIDIA GB10", undefined],
  ["RTX", undefined],
  ["", undefined],
])("the GPU %j is %j", (name, found) => expect(gpuNamed(name)?.name).toBe(found));

describe("a price", () => {
  it("is the table's, dated, of all GPUs together", () => {
    expect(priceOf({ names: ["NVIDIA L4"], pricePerHour: undefined })).toMatchObject({
      ...{
        dollarsPerSecond: 0.00019,
        gpu: "L4",
        gpus: 1,
        source: expect.stringMatching(/RunPod.* of 20\d\d-\d\d$/),
      },
    });
    const two = priceOf({ names: ["L4", "L4"], pricePerHour: undefined });
    expect(two).toMatchObject({ dollarsPerSecond: 0.00038, gpu: "L4", gpus: 2 });
  });

  it("is what was given, of each GPU, or of a machine without one", () => {
    expect(priceOf({ names: [], pricePerHour: 3.6 })).toMatchObject({ dollarsPerSecond: 0.001, gpu: null });
    expect(priceOf({ names: ["X", "X"], pricePerHour: 3.6 })).toMatchObject({
      dollarsPerSecond: 0.002,
      gpus: 2,
    });
  });

  it("is of the GPUs that an engine tells, or that were named for an endpoint", () => {
    const engine = { identity: { type: "engine", gpus: ["NVIDIA L4"] } };
    const endpoint = { identity: { type: "endpoint" } };
    expect(gpuNames({}, engine)).toEqual(["NVIDIA L4"]);
    expect(gpuNames({}, endpoint)).toEqual([]);
    expect(gpuNames({ gpu: "L4", gpus: 2 }, endpoint)).toEqual(["L4", "L4"]);
    const unnamed = gpuNames({ gpus: 2 }, endpoint);
    expect(priceOf({ names: unnamed, pricePerHour: 1.8 })).toMatchObject({
      dollarsPerSecond: 0.001,
      gpus: 2,
    });
    expect(priceOf({ names: unnamed, pricePerHour: undefined })).toBeNull();
  });

  it("is none where one is not known", () => {
    expect(priceOf({ names: [], pricePerHour: undefined })).toBeNull();
    expect(priceOf({ names: ["RTX 5090"], pricePerHour: undefined })).toBeNull();
    expect(priceOf({ names: ["L4", "NVIDIA GB10"], pricePerHour: undefined })).toBeNull();
    expect(costOf(point(), null, sleepy)).toBeNull();
    const target = { type: "engine", gpus: ["NVIDIA GB10"] };
    expect(costLines({ ...result, target })).toEqual([
      "No price is known of NVIDIA GB10: give --price-per-hour.",
    ]);
    expect(costLines(result)).toEqual([]);
  });
});

describe("tokens", () => {
  it("cost the price over their rate, with an interval over repeats", () => {
    const cost = costOf(point(), price, sleepy);
    const rates = point().repeats.map(({ throughput }) => throughput);
    const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
    const wanted = rates.map((rate) => 1000 / (rate?.outputTokensPerSecond ?? Number.NaN));
    expect(cost?.output?.mean).toBeCloseTo(mean(wanted), 9);
    expect(cost?.output?.high).toBeGreaterThan(cost?.output?.mean ?? Number.NaN);
    const blended = rates.map(
      (rate) => 1000 / ((rate?.outputTokensPerSecond ?? Number.NaN) + (rate?.inputTokensPerSecond ?? 0)),
    );
    expect(cost?.blended?.mean).toBeCloseTo(mean(blended), 9);
  });

  it("whose prompts nobody counted have no price but the output's", () => {
    const repeats = point().repeats.map((repeat) => ({
      ...repeat,
      throughput: repeat.throughput && { ...repeat.throughput, inputTokensPerSecond: 0 },
      tokens: { ...repeat.tokens, promptTokens: null },
    }));
    const cost = costOf({ ...point(), repeats }, price, sleepy);
    expect(cost).toMatchObject({ input: null, blended: null, serverless: { blended: null } });
    expect(cost?.output).not.toBeNull();
  });

  it("are counted per GPU where the options say how many there are", () => {
    const on = (gpus: number) =>
      offersOf({ ...result, options: { ...result.options, gpus } })[0]?.gpuTokensPerSecond;
    expect(on(2)).toBe((on(1) ?? Number.NaN) / 2);
  });
});

/** Bills a worker second by second: busy, waiting for the timeout, or starting. */
function billed(ratePerSecond: number, serviceSeconds: number, { idleTimeoutSeconds: idle, cold }: Bill) {
  const random = new Random(`bill/${ratePerSecond}`);
  const requests = 200_000;
  let [now, busyUntil, seconds, colds] = [0, 0, 0, 0];
  for (let request = 0; request < requests; request += 1) {
    const gap = -Math.log(random.uniform()) / ratePerSecond;
    now += gap;
    const pause = now - busyUntil;
    if (pause > 0) seconds += Math.min(pause, idle);
    if (pause > idle) {
      colds += 1;
      seconds += cold;
    }
    const end = now + serviceSeconds * 2 * random.uniform(); // of that mean
    seconds += Math.max(0, end - Math.max(now, busyUntil));
    busyUntil = Math.max(busyUntil, end);
  }
  return { perRequest: seconds / requests, coldShare: colds / requests };
}

interface Bill {
  readonly idleTimeoutSeconds: number;
  readonly cold: number;
}

describe("a serverless worker", () => {
  const seconds = (point().overall.latency.endToEndMs?.mean ?? Number.NaN) / 1000;

  it.each([10, 600, 3600, 7200])(
    "costs what a bill adds up to, at %d requests per hour",
    (requestsPerHour) => {
      const { serverless } = costOf(point(), price, { ...sleepy, requestsPerHour }) ?? expect.fail("no cost");
      const bill = billed(requestsPerHour / 3600, seconds, { idleTimeoutSeconds: 5, cold: 9 });
      const tokens = point().repeats[0]?.tokens.outputTokens?.mean ?? Number.NaN;
      const wanted = (0.001 * bill.perRequest * 1e6) / tokens;
      expect((serverless?.output ?? Number.NaN) / wanted).toBeCloseTo(1, 1.5);
      expect(Math.abs((serverless?.coldShare ?? Number.NaN) - bill.coldShare)).toBeLessThan(0.01);
      expect(serverless?.billedShare).toBeLessThan(1);
    },
  );

  it("is cheaper than one that never stops where hours pass, and dearer where it starts again and again", () => {
    const saved = (requestsPerHour: number) => {
      const { serverless } = costOf(point(), price, { ...sleepy, requestsPerHour }) ?? expect.fail("no cost");
      return (serverless?.alwaysOnOutput ?? Number.NaN) / (serverless?.output ?? Number.NaN);
    };
    expect(saved(10)).toBeGreaterThan(20);
    expect(saved(600)).toBeLessThan(1); // six seconds apart, and it waits for five
  });

  it("is not priced without a cold start, without traffic, or where it is too slow", () => {
    const serverless = (facts: Partial<ServerlessFacts>) =>
      costOf(point(), price, { ...sleepy, ...facts })?.serverless;
    expect(serverless({})).not.toBeNull();
    expect(serverless({ coldStartSeconds: null })).toBeNull();
    expect(serverless({ requestsPerHour: undefined })).toBeNull();
    expect(serverless({ requestsPerHour: 1e6 })).toBeNull();
  });

  it("is told in one sentence, with its always-on twin", () => {
    const cost = costOf(point(), price, sleepy);
    const lines = costLines({ ...result, price, points: [{ ...point(), cost }] });
    expect(lines[0]).toBe(
      "1 x L4 at $3.60 per hour (a test); each of $/Mtok out, in and blended divides all of it.",
    );
    expect(lines[1]).toMatch(
      /^Serverless at concurrency 1: 60\.0 requests per hour on one worker cost \$[\d.]+ per million output tokens \(\$[\d.]+ blended\); [\d.]+ % of the time is billed, \d+ % of requests wait for a start of 9\.00 s, and it stops after 5\.00 s without one; a worker that never stops costs \$\d+\.$/,
    );
  });
});
