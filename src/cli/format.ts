// Figures and tables as the command line prints them. Pure: values in, text out.
import type { GenerateResult, MemoryNeeded, MetadataValue, ModelFile, TensorInfo } from "../index.js";

/** What a run tells at its end, in prose or as one JSON line. */
export type RunSummary = Pick<GenerateResult, "text" | "finishReason" | "usage" | "timings">;

/** One line: what went in, what came out and how fast. */
export function figuresLine({ finishReason, usage, timings }: RunSummary): string {
  const parts = [
    `${usage.promptTokens} prompt tokens (${usage.cachedPromptTokens} cached)`,
    `${usage.completionTokens} tokens generated`,
    `${timings.tokensPerSecond.toFixed(1)} tokens/s`,
    `first token after ${timings.timeToFirstTokenMs.toFixed(1)} ms`,
    `finished: ${finishReason}`,
  ];
  return `[${parts.join(" · ")}]`;
}

const bytesPerUnit = 1024;
const byteUnits = ["B", "KiB", "MiB", "GiB", "TiB"] as const;

/** Bytes in the largest unit that keeps the number above 1: "12.3 MiB". */
export function bytes(count: number): string {
  let value = count;
  let unit = 0;
  while (value >= bytesPerUnit && unit < byteUnits.length - 1) {
    value /= bytesPerUnit;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${byteUnits[unit]}`;
}

/** How long ago something was, in the largest unit that fits: "5 days ago". */
export function ago(milliseconds: number): string {
  const minutes = Math.floor(milliseconds / 60_000);
  const units = [
    [24 * 60, "day"],
    [60, "hour"],
    [1, "minute"],
  ] as const;
  const found = units.find(([size]) => minutes >= size);
  if (found === undefined) return "now";
  const count = Math.floor(minutes / found[0]);
  return `${count} ${found[1]}${count === 1 ? "" : "s"} ago`;
}

/** Rows of cells, columns padded to equal width; the last one is left ragged. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, column) => {
      widths[column] = Math.max(widths[column] ?? 0, cell.length);
    });
  }
  const line = (row: readonly string[]) =>
    row.map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0)));
  return rows.map((row) => line(row).join("  ")).join("\n");
}

const shownText = 72;
const shownItems = 8;

/** A metadata value on one line. */
export function metadataText(value: MetadataValue): string {
  if (typeof value === "string") return clip(JSON.stringify(value));
  if (typeof value !== "object") return String(value);
  if ("arrayLength" in value) return `array of ${value.arrayLength}`;
  const more = value.length > shownItems ? `, … ${value.length} in all` : "";
  const items = value.slice(0, shownItems).map((item) => JSON.stringify(item));
  return `[${clip(items.join(", "))}${more}]`;
}

function clip(text: string): string {
  return text.length <= shownText ? text : `${text.slice(0, shownText)}…`;
}

/** A model file's header for a person to read. */
export function modelFileText(file: ModelFile): string {
  const metadata = Object.entries(file.metadata).map(([key, value]) => [key, metadataText(value)]);
  const tensors = file.tensors.map((tensor) => [
    tensor.name,
    tensor.type,
    tensor.shape.join(" x "),
    bytes(tensor.bytes),
  ]);
  return [
    `GGUF version ${file.version}, ${bytes(file.fileBytes)}`,
    `\nMetadata (${metadata.length})`,
    table(metadata),
    `\nTensors (${tensors.length}): ${typeShares(file.tensors)}`,
    table(tensors),
  ].join("\n");
}

/** How many bytes each number type takes: "q8_0 12.0 MiB, f32 3.1 KiB". */
function typeShares(tensors: readonly TensorInfo[]): string {
  const shares = new Map<string, number>();
  for (const { type, bytes: size } of tensors) shares.set(type, (shares.get(type) ?? 0) + size);
  const largestFirst = [...shares].sort(([, left], [, right]) => right - left);
  return largestFirst.map(([type, size]) => `${type} ${bytes(size)}`).join(", ");
}

/** Memory an engine of some shape needs, and what is free, for a person to read. */
export function memoryText(measured: {
  readonly slots: number;
  readonly contextLength: number;
  readonly needed: MemoryNeeded;
  readonly freeBytes: number;
}): string {
  const { slots, contextLength, needed, freeBytes } = measured;
  const { weightBytes, kvBytes, computeBytes, vocabularyBytes, hostCacheBytes } = needed;
  const engine = weightBytes + kvBytes + computeBytes + vocabularyBytes;
  const rows = [
    ["weights", bytes(weightBytes)],
    ["KV cache", bytes(kvBytes)],
    ["compute", bytes(computeBytes)],
    ["vocabulary", bytes(vocabularyBytes)],
    ["host cache, at most", bytes(hostCacheBytes)],
    ["total", bytes(engine + hostCacheBytes)],
    ["free now", bytes(freeBytes)],
  ];
  const fits = engine <= freeBytes;
  const advice = fits ? "" : "\nThis does not fit: use fewer slots, a shorter context or a smaller model.";
  return `\nMemory needed with ${slots} slots of ${contextLength} tokens\n${table(rows)}${advice}`;
}
