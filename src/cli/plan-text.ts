// A plan as the command line prints it. Pure: values in, text out.
import type { ModelPlan, PlanBand, PlanGuideRow, PlanRow } from "../index.js";
import { bytes, table } from "./format.js";

const heading = ["device", "fits", "slots", "tokens/s", "ceiling", "first token", "between tokens", "$/Mtok"];

/** A plan for a person to read. */
export function planText(plan: ModelPlan): string {
  const { architecture, parameters, bitsPerWeight, memory, slots, contextLength, kvBytesPerToken } = plan;
  const { weightBytes, kvBytes, computeBytes, vocabularyBytes } = memory;
  const facts = [
    ["model", `${architecture}, ${count(parameters)} weights of ${bitsPerWeight.toFixed(2)} bits`],
    ["weights", bytes(weightBytes)],
    ["KV cache", `${bytes(kvBytes)}, ${bytes(kvBytesPerToken)} per token`],
    ["compute", bytes(computeBytes)],
    ["vocabulary", bytes(vocabularyBytes)],
    ["total", bytes(weightBytes + kvBytes + computeBytes + vocabularyBytes)],
  ];
  return [
    `Plan for ${slots} slots of ${contextLength} tokens`,
    table(facts),
    "",
    table([heading, ...plan.rows.map(cellsOf)]),
    "",
    "Estimates. The ceiling is what memory bandwidth and matrix rates allow; figures beside it are the",
    "range that measured runs reach. Requests hold half of their context on average; the first token",
    "comes after a prompt of half the context, at most 512 tokens, computed alone.",
    "",
    "What guides recommend by model size, at this model's bits per weight",
    table(plan.guide.map(guideCells)),
  ].join("\n");
}

function cellsOf(row: PlanRow): string[] {
  const fits =
    row.slots === 0 ? "no" : row.fits ? `yes, ${row.slotsThatFit} slots` : `${row.slotsThatFit} slots`;
  const { tokensPerSecond, timeToFirstTokenMs, interTokenLatencyMs, dollarsPerMillionTokens } = row;
  return [
    row.device,
    fits,
    row.slots === 0 ? "-" : String(row.slots),
    band(tokensPerSecond, ""),
    tokensPerSecond === null ? "-" : number(tokensPerSecond.ceiling),
    band(timeToFirstTokenMs, " ms"),
    band(interTokenLatencyMs, " ms"),
    band(dollarsPerMillionTokens, ""),
  ];
}

const outcomes: Readonly<Record<PlanGuideRow["fits"], string>> = {
  all: "fits",
  smallest: "only the smallest fits",
  none: "does not fit",
};

function guideCells({ models, gpu, weightBytes: [least, most], fits }: PlanGuideRow): string[] {
  return [models, gpu, `${bytes(least)} to ${bytes(most)} of weights`, outcomes[fits]];
}

function band(value: PlanBand | null, unit: string): string {
  return value === null ? "-" : `${number(value.low)}-${number(value.high)}${unit}`;
}

/** Three digits that count. */
function number(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(value >= 1 ? 3 : 2);
}

function count(weights: number): string {
  return weights >= 1e9 ? `${(weights / 1e9).toFixed(1)} billion` : `${number(weights / 1e6)} million`;
}
