// llama-batched-bench of the pinned tree: decoding with nothing around it, no
// sampling, no text, no requests. Built twice by tools/setup, with our build
// options and with upstream's defaults; each is run with both KV layouts.

import path from "node:path";
import { BenchFailure } from "./failure.mjs";
import { batchedRows, referenceFolder } from "./reference-programs.mjs";

const kProgram = "llama-batched-bench";
const kCellStep = 256; // llama.cpp pads each sequence's share of the context to it

const layouts = [
  { layout: "unified", flag: "--kv-unified" },
  { layout: "per sequence", flag: "--no-kv-unified" },
];

// The four ways to run it, each with a name for the report.
export async function referenceVariants() {
  const builds = [
    { options: "our options", folder: await referenceFolder([kProgram]) },
    { options: "upstream defaults", folder: await referenceFolder([kProgram], { upstreamDefaults: true }) },
  ];
  return builds.flatMap(({ options, folder }) =>
    layouts.map(({ layout, flag }) => ({
      name: `${options}, KV ${layout}`,
      program: path.join(folder, kProgram),
      flag,
    })),
  );
}

// Decoded tokens/s of each of `task.repeats` runs in one process.
export async function runReference({ program, flag }, task) {
  return (await repeatedRows([program], flag, task)).map((row) => row.speed_tg);
}

// The program's own rows of `task.repeats` runs in one process.
export async function repeatedRows([program, ...before], flag, task, env = {}) {
  const { model, threads, sequences, promptTokens, newTokens, repeats } = task;
  const cells = Math.ceil((promptTokens + newTokens) / kCellStep) * kCellStep;
  const args = [...before, "-m", model, "-c", String(cells * sequences), "-b", "2048", "-ub", "512", flag];
  args.push("-npp", String(promptTokens), "-ntg", String(newTokens), "-t", String(threads), "-ngl", "0");
  const rows = await batchedRows(program, args, Array(repeats).fill(sequences), { env });
  const isAsked = (row) => row.pp === promptTokens && row.tg === newTokens;
  if (!rows.every(isAsked)) throw new BenchFailure(`${kProgram} did other work: ${JSON.stringify(rows)}`);
  return rows;
}
