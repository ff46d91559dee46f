// `infernode bench`: throughput and latency of a model in this process or of an endpoint. The
// table or the JSON is the output; progress is news. Ctrl-C prints and keeps what was measured.
import { Command } from "commander";
import { type BenchmarkCall, type BenchmarkResult, runBenchmark } from "../bench/benchmark.js";
import { coldStarts } from "../bench/cold-start.js";
import { openEndpoint } from "../bench/endpoint-target.js";
import { openEngine } from "../bench/engine-target.js";
import {
  type BenchmarkOptions,
  engineShape,
  type JudgedBenchmark,
  judgeBenchmark,
} from "../bench/options.js";
import { LoadPlan } from "../bench/sweep.js";
import { TargetFailure } from "../bench/target.js";
import { embeddedModelPath, InferenceError } from "../index.js";
import { messageOfThrown } from "../thrown.js";
import { benchCompareCommand } from "./bench-compare.js";
import { benchEngineCommand } from "./bench-engine.js";
import { BenchFiles } from "./bench-files.js";
import { benchFlags, compatFlag } from "./bench-flags.js";
import { benchGpusCommand } from "./bench-gpus.js";
import { benchmarkProgress } from "./bench-progress.js";
import { benchmarkText } from "./bench-text.js";
import { modelForms } from "./flags.js";
import { fetched } from "./opened-model.js";
import { exitCodes, listenForInterruption, notice, print, refusal } from "./terminal.js";

/** As commander gives them: the options they become, and what only the command line has. */
type Flags = Omit<BenchmarkOptions, "model"> & {
  readonly apiKeyEnv?: string;
  readonly json?: string | true;
  readonly csv?: string;
  readonly html?: string;
  readonly compat?: readonly string[];
};

/** The command; it sets the process's exit code. */
export function benchCommand(): Command {
  const command = new Command("bench")
    .description("measure throughput and latency of a model, in this process or behind an address")
    .argument(
      "[model]",
      `${modelForms} (default: the small story model); with --url its name there (default: the first listed)`,
    );
  for (const flag of benchFlags()) command.addOption(flag);
  return command
    .enablePositionalOptions() // --json of a command below is its own
    .addCommand(benchCompareCommand())
    .addCommand(benchGpusCommand())
    .addCommand(benchEngineCommand())
    .option("--json [file]", "write the result to a file, or print it as JSON instead of the table")
    .option("--csv <file>", "write a line for each repeat of each load point")
    .addOption(compatFlag())
    .option("--html <file>", "write a report with charts: one file without scripts or requests")
    .action(async (model: string | undefined, flags: Flags) => {
      process.exitCode = await bench(model, flags);
    });
}

async function bench(
  model: string | undefined,
  { json, csv, html, compat, apiKeyEnv, ...flags }: Flags,
): Promise<number> {
  const options = judgeBenchmark({ ...flags, model, ...keyOf(apiKeyEnv, flags) });
  const files = new BenchFiles({ json: json === true ? undefined : json, csv, html, compat });
  const { total } = new LoadPlan(options);
  const interruption = listenForInterruption();
  const { signal } = interruption;
  try {
    const result = await runBenchmark(options, {
      ...benchmarkProgress(total === null ? null : total * options.repeats),
      ...{ open: opener(options), cold: (until) => coldStartsOf(options, until), signal },
      onResult: (known) => files.keep(known),
    });
    const text = json === true ? JSON.stringify(result) : benchmarkText(result);
    await print(`${text}\n`, new AbortController().signal);
    if (result.ended.sentence !== null) notice(`the results are partial: ${result.ended.sentence}`);
    for (const path of await files.finish(result)) notice(`written: ${path}`);
    return codeOf(result);
  } catch (thrown) {
    if (interruption.interrupted() && isCancelled(thrown)) {
      notice("interrupted before anything was measured");
      return exitCodes.interrupted;
    }
    if (!(thrown instanceof TargetFailure)) throw thrown;
    notice(messageOfThrown(thrown));
    return exitCodes.failure;
  } finally {
    interruption.stop();
  }
}

function opener(options: JudgedBenchmark): BenchmarkCall["open"] {
  const { url, model, threads, gpuLayers, kvType, ignoreEos, api, apiKey, pollInterval: pollMs } = options;
  if (url !== undefined) {
    return (signal) => openEndpoint({ url: new URL(url), api, apiKey, model, ignoreEos, pollMs }, signal);
  }
  if (model === undefined) notice("no model given, using the embedded story model");
  return async (signal, traceTokens) => {
    const path = model === undefined ? embeddedModelPath() : await fetched(model, signal);
    const shape = engineShape(options, traceTokens);
    return openEngine({ model: path, threads, gpuLayers, kvType, ignoreEos, ...shape }, signal);
  };
}

async function coldStartsOf(options: JudgedBenchmark, signal: AbortSignal) {
  const { model, cold = 0, threads, gpuLayers, kvType } = options;
  const path = model === undefined ? embeddedModelPath() : await fetched(model, signal);
  const order = { path, threads, gpuLayers, kvType, ...engineShape(options) };
  return coldStarts(order, cold, signal, ({ totalMs }) =>
    notice(`cold start: ${totalMs.toFixed(0)} ms until the first token`),
  );
}

/** The key out of the variable that the person names. */
function keyOf(name: string | undefined, { apiKey }: Flags): Pick<BenchmarkOptions, "apiKey"> {
  if (name === undefined) return {};
  if (apiKey !== undefined) throw refusal("give the key as --api-key or as --api-key-env, not both");
  const value = process.env[name];
  if (!value) throw refusal(`--api-key-env: the environment has no variable ${name}`);
  return { apiKey: value };
}

function isCancelled(thrown: unknown): boolean {
  return thrown instanceof TargetFailure || (thrown instanceof InferenceError && thrown.code === "CANCELLED");
}

function codeOf({ ended, points, reference }: BenchmarkResult): number {
  if (ended.reason === "interrupted") return exitCodes.interrupted;
  if (reference?.isSame === false) {
    notice(`the answers at temperature 0 are not those of ${reference.path} (--reference)`);
    return exitCodes.failure;
  }
  if (reference?.isSameNll === false) {
    notice(`the losses are not those of ${reference.path} (--reference): ${reference.nllDifference}`);
    return exitCodes.failure;
  }
  const finished = points.some(({ repeats }) => repeats.some(({ requests }) => requests.finished > 0));
  return ended.reason === "finished" && finished ? exitCodes.ok : exitCodes.failure;
}
