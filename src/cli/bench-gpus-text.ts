// Results of several machines as the command line prints them: a table for a terminal, or the guides'
// table in Markdown. Pure: values in, text out.
import { digits } from "../bench/load-text.js";
import { type GuideLine, guideLines, type MachineRow } from "../bench/machines.js";
import { table } from "./format.js";

const heading = [
  ...[
    "machine",
    "model",
    "load",
    "out tok/s",
    "per GPU",
    "tok/s/user",
    "TTFT ms p50",
    "p99",
    "ITL ms p50",
    "p99",
  ],
  ...["SLO", "$/Mtok out", "blended"],
];

/** One line a machine, the cheapest first; those without a price last, the fastest first. */
export function machinesText(rows: readonly MachineRow[]): string {
  return [
    table([heading, ...byCost(rows).map(cells)]),
    "",
    "Each machine at its load of the most output tokens with 99 % of requests within the limits (SLO kept), or of the most at all.",
    ...(rows.some(({ dollarsOutput }) => dollarsOutput === null)
      ? ["A dash under $/Mtok: no price is known; measure with --gpu or --price-per-hour."]
      : []),
  ].join("\n");
}

/** Cheapest first. */
export function byCost(rows: readonly MachineRow[]): readonly MachineRow[] {
  const cost = ({ dollarsOutput }: MachineRow) => dollarsOutput ?? Number.MAX_VALUE;
  return [...rows].sort(
    (left, right) => cost(left) - cost(right) || right.gpuTokensPerSecond - left.gpuTokensPerSecond,
  );
}

function cells(row: MachineRow): string[] {
  return [
    ...[row.machine, row.model, row.load, digits(row.outputTokensPerSecond), digits(row.gpuTokensPerSecond)],
    ...[row.userTokensPerSecond, row.ttftMsP50, row.ttftMsP99, row.itlMsP50, row.itlMsP99].map(digits),
    ...[row.keepsSlo ? "kept" : "missed", digits(row.dollarsOutput), digits(row.dollarsBlended)],
  ];
}

const guideHeading = ["Model size", "GPU", "Throughput", "Latency", "$/Mtok out"];

/** The table of guides in Markdown; a line that nobody measured says so. */
export function guideMarkdown(rows: readonly MachineRow[]): string {
  const lines = [guideHeading, guideHeading.map(() => "---"), ...guideLines(rows).map(guideCells)];
  return lines.map((line) => `| ${line.join(" | ")} |`).join("\n");
}

function guideCells({ models, gpu, row }: GuideLine): string[] {
  const place = [models, gpu].map((text) => text.replaceAll("|", "\\|"));
  if (row === null) return [...place, "not measured", "not measured", "-"];
  const missed = row.keepsSlo ? "" : ", beyond the limits";
  return [
    ...place,
    `${digits(row.outputTokensPerSecond)} tok/s (${row.load})`,
    `TTFT ${digits(row.ttftMsP50)} ms, ITL ${digits(row.itlMsP50)} ms (p50)${missed}`,
    digits(row.dollarsOutput),
  ];
}
