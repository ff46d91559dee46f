// The report and the CSV of a result: figures where they belong, one file without scripts or
// requests, colours by the reader's scheme, and names that are no markup.
import { describe, expect, it } from "vitest";
import type { BenchmarkResult } from "../../src/bench/benchmark.js";
import { costOf } from "../../src/bench/cost.js";
import { csvOf } from "../../src/bench/csv.js";
import { frontierOf, kneeOf, type Offer, offersOf } from "../../src/bench/frontier.js";
import { htmlReport } from "../../src/bench/html-report.js";
import { labelPlaces } from "../../src/bench/label-places.js";
import type { ModelDevice } from "../../src/index.js";
import { simulated } from "./simulated.js";

const result = simulated({ seed: "report", concurrency: [1, 2, 4, 8, 16, 32], repeats: 3 });
const html = htmlReport(result);

/** Offers by their load; the first figure is the user's. */
function offers(figures: Readonly<Record<number, readonly [number, number]>>): Offer[] {
  return Object.entries(figures).map(([concurrency, [userTokensPerSecond, gpuTokensPerSecond]]) => ({
    load: { type: "concurrency", concurrency: Number(concurrency) },
    ...{ userTokensPerSecond, gpuTokensPerSecond },
  }));
}

const loadsOf = (chosen: readonly Offer[]) =>
  chosen.map(({ load }) => (load.type === "concurrency" ? load.concurrency : Number.NaN));

describe("what users get against what a GPU yields", () => {
  // By hand: 64 is beaten by 32 in both. Scaled to the ends 32 and 1, the point 8 is at (0.8, 0.9),
  // 0.7 above the line; 16 at (0.5, 0.95), 0.45 above it; 2 at (0.95, 0.2), 0.15 above it.
  const all = offers({
    1: [100, 100],
    2: [95, 280],
    8: [80, 910],
    16: [50, 955],
    32: [0, 1000],
    64: [-5, 990],
  });

  it("the frontier has what nothing beats, and the knee lies farthest above its chord", () => {
    expect(loadsOf(frontierOf(all))).toEqual([32, 16, 8, 2, 1]);
    expect(kneeOf(frontierOf(all))?.load).toEqual({ type: "concurrency", concurrency: 8 });
  });

  it("a straight or hollow frontier has no knee, nor have two points", () => {
    expect(kneeOf(frontierOf(offers({ 1: [100, 10], 2: [55, 55], 4: [10, 100] })))).toBeNull();
    expect(kneeOf(frontierOf(offers({ 1: [100, 10], 2: [30, 30], 4: [10, 100] })))).toBeNull();
    expect(kneeOf(frontierOf(offers({ 1: [100, 10], 4: [10, 100] })))).toBeNull();
    expect(kneeOf([])).toBeNull();
  });

  it("is per GPU: several share what a machine yields, a CPU counts as one", () => {
    const on = (...devices: readonly ModelDevice[]) =>
      offersOf({ ...result, target: { type: "engine", model: { devices } } }).at(-1)?.gpuTokensPerSecond;
    const total = result.points.at(-1)?.overall.throughput?.outputTokensPerSecond.mean ?? Number.NaN;
    const device = (name: string, ...layers: number[]) => ({
      ...{ name, layers, hasOutput: false, weightBytes: 1 },
    });
    expect(on({ ...device("CPU", 0, 1), hasOutput: true })).toBe(total);
    // The host keeps token embeddings, whatever computes.
    expect(on(device("CUDA0", 0, 1), device("CPU"))).toBe(total);
    expect(on(device("CUDA0", 0), device("CUDA1", 1), device("CPU", 2))).toBe(total / 2);
  });
});

describe("the places of names", () => {
  const extent = { left: 0, right: 400, top: 0, bottom: 200 };
  const at = (x: number, y: number) => ({ name: "8 at once", x, y });

  it("are right of their dots where nothing is in the way, else where nothing is", () => {
    expect(labelPlaces([at(100, 100)], extent)).toEqual(["right"]);
    expect(labelPlaces([at(390, 100)], extent)).toEqual(["left"]);
    // The second dot stands where the first one's name would.
    expect(labelPlaces([at(100, 100), at(130, 100)], extent)).toEqual(["left", "right"]);
  });

  it("a name without a place is left out", () => {
    const crowd = Array.from({ length: 12 }, (_, index) => at(100 + index, 100));
    const places = labelPlaces(crowd, extent);
    expect(places.filter((place) => place !== null).length).toBeLessThanOrEqual(4);
    expect(places).toContain(null);
  });
});

describe("the report", () => {
  it("has a chart of prices where there is one, and none where there is none", () => {
    const price = { dollarsPerSecond: 0.001, gpu: "L4", gpus: 1, source: "a test" };
    const facts = { requestsPerHour: undefined, coldStartSeconds: null, idleTimeoutSeconds: 5 };
    const points = result.points.map((point) => ({ ...point, cost: costOf(point, price, facts) }));
    const priced = htmlReport({ ...result, price, points });
    expect(priced).toContain("Price of tokens by requests in flight");
    expect(priced).toContain("1 x L4 at $3.60 per hour (a test)");
    expect(priced.length).toBeLessThan(300_000);
    expect(html).not.toContain("Price of tokens");
  });

  it("is one file below 300 KB, without scripts and without anything to load", () => {
    expect(html.length).toBeLessThan(300_000);
    expect(html).not.toMatch(/<script|javascript:|\son\w+=|<link|<img|<iframe|@import|\ssrc=|\shref=/i);
    // References within the file alone, and names of XML's vocabularies.
    expect(html.match(/url\((?!#)/g)).toBeNull();
    const addresses = new Set(html.match(/https?:\/\/[^\s"'<&]+/g));
    expect([...addresses].sort()).toEqual([
      "http://localhost:8000/v1", // the target's, as text
      "http://www.w3.org/1999/xlink",
      "http://www.w3.org/2000/svg",
    ]);
  });

  it("has five charts in two sizes with a name each, all of whose colours are the scheme's", () => {
    for (const size of ["wide", "narrow"])
      expect(
        html.match(new RegExp(`<svg class="${size}-drawing" role="img" aria-label="[^"]+"`, "g")),
      ).toHaveLength(5);
    const charts = (html.match(/<svg[\s\S]*?<\/svg>/g) ?? []).join("");
    const colours = new Set([...charts.matchAll(/(?:fill|stroke)="([^"]+)"/g)].map(([, colour]) => colour));
    expect(
      [...colours].filter((colour) => !/^(?:none|transparent|var\(--[\w-]+\))$/.test(colour ?? "")),
    ).toEqual([]);
    for (const name of [...colours].flatMap((colour) => /--[\w-]+/.exec(colour ?? "")?.[0] ?? []))
      expect(html.match(new RegExp(`${name}:#`, "g")), name).toHaveLength(2); // light and dark
    expect(html).toContain("@media screen and (prefers-color-scheme:dark)");
  });

  it("marks the knee, and names it", () => {
    const knee = kneeOf(frontierOf(offersOf(result)));
    if (knee === null) expect(html).toContain("No knee: it takes three load points");
    else expect(html).toContain(`The knee is at concurrency ${loadsOf([knee])[0]}`);
    const kneed = { ...result, points: result.points.map((point, at) => withFigures(point, at)) };
    const report = htmlReport(kneed);
    expect(report).toContain("The knee is at concurrency 4: beyond it");
    expect(report).toMatch(/>knee<\/text>/);
  });

  it("has the table's cells and the sentences below it", () => {
    for (const { overall } of result.points) {
      const { mean = Number.NaN, high } = overall.throughput?.outputTokensPerSecond ?? {};
      const digits = (value: number) => (value >= 100 ? value.toFixed(0) : value.toPrecision(3));
      expect(html).toContain(`<td>${digits(mean)} ± ${digits((high ?? Number.NaN) - mean)}</td>`);
    }
    expect(html).toContain("Answers at temperature 0: sha256 aaaa");
  });

  it("takes no name for markup", () => {
    const name = '<script>alert("1")</script>&';
    const report = htmlReport({ ...result, target: { ...result.target, model: name } });
    expect(report).not.toContain("<script");
    expect(report).toContain("&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;");
  });

  it("of a run that was lost before its first load point has no charts, and says why", () => {
    const lost = { ...result, points: [], ended: { reason: "failed" as const, sentence: "nobody answers" } };
    const report = htmlReport(lost);
    expect(report).not.toContain("<svg");
    expect(report).toContain("these results are partial: nobody answers");
  });
});

/** A load point with figures whose knee is known: the third one. */
function withFigures(
  point: BenchmarkResult["points"][number],
  at: number,
): BenchmarkResult["points"][number] {
  const users = [100, 95, 80, 50, 20, 0][at] ?? Number.NaN;
  const total = [100, 280, 910, 955, 980, 1000][at] ?? Number.NaN;
  const { throughput, latency } = point.overall;
  if (throughput === null || latency.userTokensPerSecond === null) return expect.fail("no figures");
  const output = { mean: total, low: null, high: null };
  const userTokensPerSecond = { ...latency.userTokensPerSecond, p50: users };
  return {
    ...point,
    overall: {
      ...point.overall,
      throughput: { ...throughput, outputTokensPerSecond: output },
      latency: { ...latency, userTokensPerSecond },
    },
  };
}

it("the CSV has a line for each repeat, with its own figures, and empty cells for what was not measured", () => {
  const lines = csvOf(result).split("\r\n");
  expect(lines.pop()).toBe("");
  expect(lines).toHaveLength(1 + 6 * 3);
  const [heading = [], first = []] = lines.map(cellsOf);
  const cell = (name: string) => first[heading.indexOf(name)];
  const [repeat] = result.points[0]?.repeats ?? [];
  expect(cell("load")).toBe("concurrency 1");
  expect([cell("concurrency"), cell("rate"), cell("repeat"), cell("complete")]).toEqual([
    "1",
    "",
    "1",
    "true",
  ]);
  expect(Number(cell("out_tok_s (tokens/s)"))).toBe(repeat?.throughput?.outputTokensPerSecond);
  expect(Number(cell("ttft_p99 (ms)"))).toBe(repeat?.latency.ttftMs?.p99);
  for (const line of lines) expect(cellsOf(line)).toHaveLength(heading.length);
  // Whose figures they are.
  expect(["started_at", "infernode", "url", "model"].map(cell)).toEqual([
    ...[result.startedAt, "0.1.0", "http://localhost:8000/v1", "fox"],
  ]);
  expect(JSON.parse(cell("machine") ?? "")).toEqual(result.machine);
  expect(JSON.parse(cell("options") ?? "")).toMatchObject({ repeats: 3, concurrency: [1, 2, 4, 8, 16, 32] });
});

/** As RFC 4180 has them: a cell in quotes holds commas, and two quotes for one. */
function cellsOf(line: string): string[] {
  return [...line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)].map(
    ([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain ?? "",
  );
}
