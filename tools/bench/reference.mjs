// llama-batched-bench of the pinned tree: decoding with nothing around it, no
// sampling, no text, no requests. Built twice by tools/setup, with our build
// options and with upstream's defaults; each is run with both KV layouts.

import path from "node:path";
import { jsonResults } from "./child.mjs";
import { BenchFailure } from "./failure.mjs";
import { referenceFolder } from "./reference-programs.mjs";

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
  return (await batchedRows([program], flag, task)).map((row) => row.speed_tg);
}

// The program's own rows of `task.repeats` runs in one process. Its log is written by a thread that it does
// not wait for at its end, so that the last line is lost now and then: a run of one sequence goes last.
export async function batchedRows([program, ...before], flag, task, env = {}) {
  const { model, threads, sequences, promptTokens, newTokens, repeats } = task;
  const cells = Math.ceil((promptTokens + newTokens) / kCellStep) * kCellStep;
  const args = [...before, "-m", model, "-c", String(cells * sequences), "-b", "2048", "-ub", "512", flag];
  args.push("-npp", String(promptTokens), "-ntg", String(newTokens));
  args.push("-npl", [...Array(repeats).fill(sequences), 1].join(","));
  args.push("-t", String(threads), "-ngl", "0", "--output-format", "jsonl");
  const rows = (await jsonResults(program, args, { env, what: kProgram })).slice(0, repeats);
  const isAsked = (row) => row.pl === sequences && row.pp === promptTokens && row.tg === newTokens;
  if (rows.length !== repeats || !rows.every(isAsked)) {
    throw new BenchFailure(`${kProgram} did other work: ${JSON.stringify(rows)}`);
  }
  return rows;
}
