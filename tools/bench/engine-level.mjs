// The tables of llama-bench and llama-batched-bench of the pinned tree beside those of `infernode bench
// engine`, which has their columns: the same model, threads and widths, in turns. Theirs is llama.cpp
// alone; ours is the engine with its scheduler, sampler and events (docs/decisions/0065).
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { jsonResults, runQuietly } from "./child.mjs";
import { BenchFailure } from "./failure.mjs";
import { ensureModel } from "./make-model.mjs";
import { places } from "./places.mjs";
import { batchedRows, referenceFolder } from "./reference-programs.mjs";
import { number, table } from "./report.mjs";
import { medianOf, medianRatio, runRounds } from "./rounds.mjs";

const kOurs = "infernode";
const kTheirs = "llama.cpp";
const kPromptTokens = 128;
const kNewTokens = 32;
const kDepths = [0, 256];
const kRepeats = 3;
const kCellStep = 256; // llama.cpp pads each sequence's share of the context to it
const kPrograms = ["llama-bench", "llama-batched-bench"];

export const title = "Engine level";

export async function measure({ sequences, threads, ...options }) {
  const scratch = mkdtempSync(path.join(os.tmpdir(), "infernode-engine-level-"));
  try {
    const folder = await referenceFolder(kPrograms);
    const programs = kPrograms.map((program) => path.join(folder, program));
    const task = { model: ensureModel("small"), sequences, threads };
    const contenders = [
      { name: kOurs, measure: () => measureOurs(task, path.join(scratch, "run.json")) },
      { name: kTheirs, measure: () => measureTheirs(task, programs) },
    ];
    const onFigure = (round, name, figures) =>
      options.onFigure(round, `${name}, tg${kNewTokens}`, figures[`tg${kNewTokens}`]);
    return { rows: [{ sequences, threads, ...(await runRounds(contenders, { ...options, onFigure })) }] };
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

async function measureOurs({ model, sequences, threads }, file) {
  await runQuietly(process.execPath, [
    ...[places.commandLine, "bench", "engine", model, "--json", file, "--gpu-layers", "0"],
    ...["--pp", String(kPromptTokens), "--tg", String(kNewTokens), "--depth", kDepths.join(",")],
    ...["--pl", sequences.join(","), "--threads", String(threads), "--repeats", String(kRepeats)],
  ]);
  const { llamaBench, llamaBatchedBench } = JSON.parse(readFileSync(file, "utf8"));
  return figuresOf(llamaBench, llamaBatchedBench);
}

async function measureTheirs({ model, sequences, threads }, [single, batched]) {
  const own = ["-m", model, "-t", String(threads), "-ngl", "0"];
  const lengths = ["-p", String(kPromptTokens), "-n", String(kNewTokens), "-d", kDepths.join(",")];
  const alone = await jsonResults(single, [...own, ...lengths, "-r", String(kRepeats), "-o", "jsonl"]);
  const cells = Math.ceil((kPromptTokens + kNewTokens) / kCellStep) * kCellStep * Math.max(...sequences);
  const work = ["-c", String(cells), "-npp", String(kPromptTokens), "-ntg", String(kNewTokens)];
  const together = await batchedRows(batched, [...own, ...work], sequences);
  return figuresOf(alone, together);
}

// Tokens/s by the name of each test; both sides have those tools' field names.
function figuresOf(alone, together) {
  const figures = {};
  for (const { n_prompt, n_gen, n_depth, avg_ts } of alone) {
    const test = n_gen === 0 ? `pp${n_prompt}` : `tg${n_gen}`;
    figures[n_depth === 0 ? test : `${test} @ d${n_depth}`] = avg_ts;
  }
  for (const { pl, speed_pp, speed_tg, speed } of together)
    Object.assign(figures, { [`B ${pl} S_PP`]: speed_pp, [`B ${pl} S_TG`]: speed_tg, [`B ${pl} S`]: speed });
  return figures;
}

export const bars = () => [];

export function report({ rows: [{ results: rounds, threads }] }) {
  const tests = Object.keys(rounds[0][kOurs]);
  const missing = tests.filter((test) => !(rounds[0][kTheirs][test] > 0));
  if (missing.length > 0)
    throw new BenchFailure(`llama.cpp's tools have no figure of ${missing.join(", ")}.`);
  const body = tests.map((test) => {
    const of = (figures) => figures[test];
    const tool = test.startsWith("B ") ? kPrograms[1] : kPrograms[0];
    const speeds = [kOurs, kTheirs].map((name) => number(medianOf(rounds, name, of)));
    return [test, ...speeds, tool, number(medianRatio(rounds, kOurs, kTheirs, of), 3)];
  });
  return [
    `Tokens/s by the columns of llama.cpp's own tools, ${threads} threads, prompts of ${kPromptTokens} tokens and ${kNewTokens} generated ones; B is the number of requests at once; medians of ${rounds.length} alternated rounds.`,
    table(["test", "infernode bench engine", "llama.cpp", "its tool", "ratio"], body),
  ];
}
