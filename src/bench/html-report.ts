// A result as one HTML file: charts, the table, and what a reader must know. No script, and nothing
// is loaded from anywhere; light and dark follow the reader's system, paper is always light.
import type { BenchmarkResult } from "./benchmark.js";
import { type Drawings, dotChart, lineChart, rooflineChart } from "./charts.js";
import { deviceCount, frontierOf, kneeOf, type Offer, offersOf } from "./frontier.js";
import type { Load } from "./load.js";
import { loadText } from "./load-text.js";
import { modelText } from "./model-text.js";
import type { PointResult } from "./point.js";
import { pointCells, wholeHeading } from "./point-cells.js";
import { remarksOn } from "./remarks.js";
import { reportStyle } from "./report-style.js";
import { mean } from "./statistics.js";

/** The whole file. */
export function htmlReport(result: BenchmarkResult): string {
  const title = `Benchmark of ${modelName(result)}`;
  const parts = [
    `<section class="first"><h1>${escaped(title)}</h1>`,
    `<p>${escaped(`${result.startedAt}, infernode ${result.build.infernode} (llama.cpp ${result.build.llamaCpp})`)}</p>`,
    "<h2>All load points</h2>",
    `<div class="wide" role="region" aria-label="All load points" tabindex="0">${table([wholeHeading, ...result.points.map(pointCells)])}</div></section>`,
    ...loadSections(result),
    ...frontierSection(result),
    ...rooflineSection(result),
    "<h2>What a reader must know</h2>",
    `<ul>${remarksOn(result)
      .map((line) => `<li>${escaped(line)}</li>`)
      .join("")}</ul>`,
    "<h2>What was measured, and where</h2>",
    factTable({ ...result.machine }, "The client's machine"),
    factTable(result.target, "Target"),
    factTable(result.options, "Options"),
  ];
  return [
    '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    `<meta name="color-scheme" content="light dark">\n<title>${escaped(title)}</title>`,
    `<style>${reportStyle}</style>\n</head>\n<body>\n<main>\n${parts.join("\n")}\n</main>\n</body>\n</html>\n`,
  ].join("\n");
}

/** Charts of the closed loops and of the rates, whichever there are. */
function loadSections({ points }: BenchmarkResult): readonly string[] {
  const closed = points.filter(({ load }) => load.type === "concurrency");
  const rates = points.filter(({ load }) => load.type === "rate");
  const traces = points.filter(({ load }) => load.type === "trace");
  return [
    ...loadCharts(closed, "requests in flight"),
    ...loadCharts(rates, "requests per second"),
    ...loadCharts(traces, "speed of the trace"),
  ];
}

function loadCharts(points: readonly PointResult[], placesName: string): readonly string[] {
  if (points.length === 0) return [];
  const places = points.map(({ load }) =>
    load.type === "concurrency" ? String(load.concurrency) : loadText(load),
  );
  const chart = (title: string, valuesName: string, lines: Parameters<typeof lineChart>[0]["lines"]) =>
    figure(title, lineChart({ places, placesName, valuesName, lines }));
  const output = points.map(({ overall }) => overall.throughput?.outputTokensPerSecond);
  const throughput = [
    { name: "output tokens/s", values: output.map((each) => each?.mean ?? null), colour: 1 },
    {
      name: "95 % interval",
      values: output.map((each) => atLeastZero(each?.low ?? null)),
      colour: 3,
      isDashed: true,
    },
    {
      name: "95 % interval, high",
      values: output.map((each) => each?.high ?? null),
      colour: 3,
      isDashed: true,
      isUnnamed: true,
    },
  ];
  return [
    `<h2>By ${placesName}</h2>`,
    chart(`Throughput by ${placesName}`, "tokens/s", throughput),
    chart(`Time to the first token by ${placesName}`, "ms", percentiles(points, "ttftMs")),
    chart(`Time between tokens by ${placesName}`, "ms", percentiles(points, "itlMs")),
    chart(`Time to the answer's end by ${placesName}`, "ms", percentiles(points, "endToEndMs")),
    ...(points.some(({ cost }) => cost !== null)
      ? [chart(`Price of tokens by ${placesName}`, "US dollars per million tokens", costs(points))]
      : []),
  ];
}

function percentiles(points: readonly PointResult[], field: "ttftMs" | "itlMs" | "endToEndMs") {
  return (["p50", "p90", "p99"] as const).map((name, index) => ({
    name,
    values: points.map(({ overall }) => overall.latency[field]?.[name] ?? null),
    colour: index + 1,
  }));
}

function costs(points: readonly PointResult[]) {
  return (["output", "blended"] as const).map((name, index) => ({
    name,
    values: points.map(({ cost }) => cost?.[name]?.mean ?? null),
    colour: index + 1,
  }));
}

function frontierSection(result: BenchmarkResult): readonly string[] {
  const offers = offersOf(result);
  if (offers.length === 0) return [];
  const frontier = frontierOf(offers);
  const knee = kneeOf(frontier);
  const devices = deviceCount(result);
  const dot = (offer: Offer) => ({
    ...{ name: shortName(offer.load), x: offer.userTokensPerSecond, y: offer.gpuTokensPerSecond },
  });
  const svg = dotChart({
    xName: "output tokens/s per user",
    yName: devices === 1 ? "output tokens/s per GPU or machine" : `output tokens/s per GPU, of ${devices}`,
    dots: offers.map(dot),
    joined: frontier.map(dot),
    marked: knee === null ? null : dot(knee),
  });
  const sentence =
    knee === null
      ? "No knee: it takes three load points of which none is beaten in both, and one above the line between the others."
      : `The knee is at ${loadText(knee.load)}: beyond it, more of the one costs much of the other.`;
  return ["<h2>What a user gets against what a GPU yields</h2>", figure(sentence, svg)];
}

/** A dot's name. */
function shortName(load: Load): string {
  return load.type === "concurrency" ? `${load.concurrency} at once` : loadText(load);
}

/** Generating alone, whose bytes and operations are counted apart. */
function rooflineSection({ physics, points }: BenchmarkResult): readonly string[] {
  if (physics === null) return [];
  const dots = points.flatMap(({ load, repeats }) => {
    const known = repeats.flatMap(({ physics: own }) =>
      own?.decodeBytesPerSecond && own.decodeOperationsPerSecond
        ? [{ bytes: own.decodeBytesPerSecond, operations: own.decodeOperationsPerSecond }]
        : [],
    );
    if (known.length === 0) return [];
    const [bytes, operations] = [
      mean(known.map((each) => each.bytes)),
      mean(known.map((each) => each.operations)),
    ];
    return [{ name: shortName(load), x: operations / bytes, y: operations }];
  });
  if (dots.length === 0) return [];
  const { bytesPerSecond, operationsPerSecond } = physics;
  const svg = rooflineChart({ bytesPerSecond, operationsPerSecond, dots });
  const sentence =
    "Roofline of generating: the line is what the device was measured to read and to multiply, a dot below its slope waits for memory, one below its level for arithmetic.";
  return ["<h2>How near to what the device can do</h2>", figure(sentence, svg)];
}

function modelName({ target }: BenchmarkResult): string {
  const { model } = target;
  return typeof model === "string" ? model : modelText(model ?? {});
}

/** The sentence is the drawing's name for those that do not see it. One of the two is displayed. */
function figure(caption: string, { wide, narrow }: Drawings): string {
  const named = (svg: string, size: keyof Drawings) =>
    svg.replace("<svg ", `<svg class="${size}-drawing" role="img" aria-label="${escaped(caption)}" `);
  return `<figure><figcaption>${escaped(caption)}</figcaption>${named(wide, "wide")}${named(narrow, "narrow")}</figure>`;
}

function table([heading = [], ...rows]: readonly (readonly string[])[]): string {
  const row = (cells: readonly string[], tag: string) =>
    `<tr>${cells.map((cell) => `<${tag}>${escaped(cell)}</${tag}>`).join("")}</tr>`;
  return `<table><thead>${row(heading, "th")}</thead><tbody>${rows.map((cells) => row(cells, "td")).join("")}</tbody></table>`;
}

function factTable(facts: Readonly<Record<string, unknown>>, caption: string): string {
  const rows = flat(facts, "").map(
    ([name, text]) => `<tr><th scope="row">${escaped(name)}</th><td>${escaped(text)}</td></tr>`,
  );
  return `<table class="facts"><caption>${escaped(caption)}</caption><tbody>${rows.join("")}</tbody></table>`;
}

/** No rate is below 0, whatever an interval of few repeats says. */
function atLeastZero(value: number | null): number | null {
  return value === null ? null : Math.max(0, value);
}

/** Names of fields below others have dots; lists stay one line. */
function flat(facts: Readonly<Record<string, unknown>>, prefix: string): (readonly [string, string])[] {
  return Object.entries(facts).flatMap(([name, value]): (readonly [string, string])[] => {
    if (value === undefined) return [];
    const path = `${prefix}${name}`;
    if (typeof value === "object" && value !== null && !Array.isArray(value))
      return flat(value as Readonly<Record<string, unknown>>, `${path}.`);
    return [[path, typeof value === "string" ? value : JSON.stringify(value)]];
  });
}

function escaped(text: string): string {
  const names: Readonly<Record<string, string>> = {
    "&": "amp",
    "<": "lt",
    ">": "gt",
    '"': "quot",
    "'": "#39",
  };
  return text.replace(/[&<>"']/g, (character) => `&${names[character]};`);
}
