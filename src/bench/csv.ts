// A result as comma-separated values (RFC 4180): a line for each repeat of each load point, a column
// for each figure by which results are compared, and whose they are, so that files can be joined. Pure.
import type { BenchmarkResult } from "./benchmark.js";
import type { RepeatFigures } from "./figures.js";
import { loadText } from "./load-text.js";
import { metrics } from "./metrics.js";
import type { PointResult } from "./point.js";

type Cell = string | number | boolean | null;

/** Columns beside the figures. */
const columns: readonly (readonly [
  string,
  (point: PointResult, repeat: RepeatFigures, at: number) => Cell,
])[] = [
  ["load", ({ load }) => loadText(load)],
  ["concurrency", ({ load }) => (load.type === "concurrency" ? load.concurrency : null)],
  ["rate", ({ load }) => (load.type === "rate" ? load.rate : null)],
  ["trace_speed", ({ load }) => (load.type === "trace" ? load.speed : null)],
  ["repeat", (_, __, at) => at + 1],
  ["complete", ({ isComplete }) => isComplete],
  ["window", (_, { window }) => window?.kind ?? null],
  ["window_ms", (_, { window }) => window?.durationMs ?? null],
  ["sent", (_, { requests }) => requests.sent],
  ["finished", (_, { requests }) => requests.finished],
  ["failed", (_, { requests }) => requests.failed],
  ["cancelled", (_, { requests }) => requests.cancelled],
  ["abandoned", (_, { requests }) => requests.abandoned],
  ["good", (_, { requests }) => requests.good],
  ["prompt_tokens_mean", (_, { tokens }) => tokens.promptTokens?.mean ?? null],
  ["output_tokens_mean", (_, { tokens }) => tokens.outputTokens?.mean ?? null],
  ["cached_prompt_share", (_, { tokens }) => tokens.cachedPromptShare],
];

/** What the file is of; the same in every line. */
function identityOf({ startedAt, build, machine, target, options }: BenchmarkResult): [string, Cell][] {
  const { model, url = null } = target;
  const { path, fingerprint } = (typeof model === "object" ? model : {}) as Readonly<Record<string, unknown>>;
  return [
    ["started_at", startedAt],
    ["infernode", build.infernode],
    ["llama_cpp", build.llamaCpp],
    ["machine", JSON.stringify(machine)],
    ["url", url === null ? null : String(url)],
    ["model", typeof model === "string" ? model : String(path ?? "")],
    ["model_fingerprint", fingerprint === undefined ? null : String(fingerprint)],
    ["options", JSON.stringify(options)],
  ];
}

/** With a heading; lines end with CR LF, and what was not measured is empty. */
export function csvOf(result: BenchmarkResult): string {
  const identity = identityOf(result);
  const heading = [
    ...columns.map(([name]) => name),
    ...metrics.map(({ name, unit }) => `${name} (${unit})`),
    ...identity.map(([name]) => name),
  ];
  const lines = result.points.flatMap((point) =>
    point.repeats.map((repeat, at) => [
      ...columns.map(([, value]) => value(point, repeat, at)),
      ...metrics.map(({ of }) => of(repeat)),
      ...identity.map(([, value]) => value),
    ]),
  );
  return [heading, ...lines].map((cells) => `${cells.map(spelled).join(",")}\r\n`).join("");
}

function spelled(cell: Cell): string {
  const text = String(cell ?? "");
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
