// What `infernode convert` and `infernode inspect` say of a checkpoint: its size as a file, and
// what became of the weights at which error. Its notes go to stderr. Pure.
import type { LoadedCheckpoint } from "../index.js";
import { checkpointLines } from "../models/checkpoint-text.js";
import type { NativePackedCheckpoint } from "../native-checkpoint.js";

/** Of a checkpoint that was written as a file. */
export function convertedText(target: string, written: NativePackedCheckpoint): string {
  const first = `${target}: ${sizeText(written.bytes)}, made of ${written.description}`;
  return [first, ...indented(checkpointLines(written))].join("\n");
}

/** Of one that was loaded. */
export function checkpointText(checkpoint: LoadedCheckpoint): string {
  const { description, file } = checkpoint;
  const place = file === null ? "packed as it is read, nothing is kept" : `loaded from ${file}`;
  return [`\nCheckpoint: ${description}, ${place}`, ...indented(checkpointLines(checkpoint))].join("\n");
}

function indented(lines: readonly string[]): readonly string[] {
  return lines.map((line) => `  ${line}`);
}

function sizeText(bytes: number): string {
  return bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(2)} GB`;
}
