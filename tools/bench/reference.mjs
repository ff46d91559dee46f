// llama-batched-bench of the pinned tree: decoding with nothing around it, no
// sampling, no text, no requests. Built twice by tools/setup, with our build
// options and with upstream's defaults; each is run with both KV layouts.

import path from "node:path";
import { jsonResults, results } from "./child.mjs";
import { BenchFailure } from "./failure.mjs";
import { places } from "./places.mjs";

const kProgram = "llama-batched-bench";
const kCellStep = 256; // llama.cpp pads each sequence's share of the context to it

const layouts = [
  { layout: "unified", flag: "--kv-unified" },
  { layout: "per sequence", flag: "--no-kv-unified" },
];

// Builds what is missing; the set-up prints the folder as its last line.
async function build(switches) {
  const onLine = (line) => (path.isAbsolute(line) ? line : undefined);
  const command = [places.referenceBuild, ...switches, kProgram];
  const [folder] = await results(process.execPath, command, onLine, { what: `building ${kProgram}` });
  return folder;
}

// The four ways to run it, each with a name for the report.
export async function referenceVariants() {
  const builds = [
    { options: "our options", folder: await build([]) },
    { options: "upstream defaults", folder: await build(["--upstream-defaults"]) },
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
  const { model, threads, sequences, promptTokens, newTokens, repeats } = task;
  const cells = Math.ceil((promptTokens + newTokens) / kCellStep) * kCellStep;
  const args = ["-m", model, "-c", String(cells * sequences), "-b", "2048", "-ub", "512", flag];
  args.push("-npp", String(promptTokens), "-ntg", String(newTokens));
  args.push("-npl", Array(repeats).fill(sequences).join(","));
  args.push("-t", String(threads), "-ngl", "0", "--output-format", "jsonl");
  const rows = await jsonResults(program, args, { what: kProgram });
  if (rows.length !== repeats || rows.some((row) => row.pl !== sequences)) {
    throw new BenchFailure(`${kProgram} did other work: ${JSON.stringify(rows)}`);
  }
  return rows.map((row) => row.speed_tg);
}
