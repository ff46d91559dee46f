// `infernode bench`: throughput and latency of a model in this process or of an endpoint. The
// table or the JSON is the output; progress is news. Ctrl-C prints and keeps what was measured.
import { Command, InvalidArgumentError, Option } from "commander";
import { type BenchmarkResult, runBenchmark } from "../bench/benchmark.js";
import { openEndpoint } from "../bench/endpoint-target.js";
import { openEngine } from "../bench/engine-target.js";
import {
  type BenchmarkOptions,
  engineShape,
  type JudgedBenchmark,
  judgeBenchmark,
  loadsOf,
} from "../bench/options.js";
import { type Target, TargetFailure } from "../bench/target.js";
import { embeddedModelPath, InferenceError } from "../index.js";
import { messageOfThrown } from "../thrown.js";
import { benchCompareCommand } from "./bench-compare.js";
import { BenchFiles } from "./bench-files.js";
import { benchmarkProgress } from "./bench-progress.js";
import { benchmarkText } from "./bench-text.js";
import { modelForms, parseNumber } from "./flags.js";
import { fetched } from "./opened-model.js";
import { exitCodes, listenForInterruption, notice, print, refusal } from "./terminal.js";

/** As commander gives them: the options they become, and what only the command line has. */
type Flags = Omit<BenchmarkOptions, "model"> & {
  readonly apiKeyEnv?: string;
  readonly json?: string | true;
  readonly csv?: string;
  readonly html?: string;
};

/** The command; it sets the process's exit code. */
export function benchCommand(): Command {
  const command = new Command("bench")
    .description("measure throughput and latency of a model, in this process or behind an address")
    .argument(
      "[model]",
      `${modelForms} (default: the small story model); with --url its name there (default: the first listed)`,
    );
  for (const flag of [...targetFlags(), ...loadFlags(), ...workloadFlags(), ...engineFlags()])
    command.addOption(flag);
  return command
    .enablePositionalOptions() // --json of a command below is its own
    .addCommand(benchCompareCommand())
    .option("--json [file]", "write the result to a file, or print it as JSON instead of the table")
    .option("--csv <file>", "write a line for each repeat of each load point")
    .option("--html <file>", "write a report with charts: one file without scripts or requests")
    .action(async (model: string | undefined, flags: Flags) => {
      process.exitCode = await bench(model, flags);
    });
}

function targetFlags(): Option[] {
  return [
    new Option("--url <address>", "an endpoint of OpenAI's API, such as http://localhost:8000/v1"),
    new Option("--api <name>", "the endpoint's address: /chat/completions or /completions")
      .choices(["chat", "completions"])
      .default("chat"),
    new Option("--api-key <key>", "the endpoint's key; other users of this machine may see it"),
    new Option("--api-key-env <name>", "the environment variable that holds the key"),
  ];
}

function loadFlags(): Option[] {
  return [
    new Option("--concurrency <list>", "requests in flight, one load point each (default: 1,4,16)").argParser(
      parseList,
    ),
    new Option("--rate <list>", "requests per second, one load point each").argParser(parseList),
    new Option("--arrivals <process>", "when requests of a rate arrive")
      .choices(["poisson", "gamma", "constant"])
      .default("poisson"),
    numeric("--burstiness <number>", "shape of gamma: below 1 more bursts, above 1 fewer (default: 1)"),
    numeric(
      "--requests <count>",
      "measured requests of a repeat (default: 4 x concurrency or rate, at least 16)",
    ),
    numeric("--duration <seconds>", "instead of --requests: seconds in which they begin"),
    numeric("--warmup <count>", "requests before the measured ones (default: as many as are in flight)"),
    numeric("--repeats <count>", "runs of each load point, for confidence intervals (default: 3)"),
    numeric("--slo-ttft <ms>", "a good request's first token comes within (default: 500)"),
    numeric("--slo-itl <ms>", "and 99 % of its gaps between tokens are at most (default: 50)"),
    numeric("--timeout <seconds>", "a request that takes longer has failed (default: 600)"),
    new Option("--no-calibrate", "do not measure this client's own error, which takes seconds"),
  ];
}

function workloadFlags(): Option[] {
  const forms = "N, uniform:LEAST,MOST, normal:MEAN,SD or lognormal:MEAN,SD";
  return [
    new Option("--prompt-tokens <length>", `prompt lengths: ${forms} (default: 128)`),
    new Option("--output-tokens <length>", "answer lengths, likewise (default: 64)"),
    numeric("--shared-prefix <share>", "share of each prompt that all have in common, 0 to 1 (default: 0)"),
    new Option("--prompts <file>", "instead: JSONL of {prompt | messages, max_tokens}"),
    numeric("-t, --temperature <number>", "0 always picks the likeliest token (default: 0)"),
    numeric("-s, --seed <integer>", "same seed, same requests and arrivals (default: 0)"),
    new Option("--no-ignore-eos", "let answers end before their length"),
  ];
}

function engineFlags(): Option[] {
  return [
    numeric(
      "--slots <count>",
      "requests computed at once (default: the highest --concurrency, 16 for rates)",
    ),
    numeric("-c, --context-length <tokens>", "tokens of prompt and answer (default: what the lengths need)"),
    numeric("--threads <count>", "CPU threads (default: the CPUs this process may use)"),
    new Option("--gpu-layers <count>", 'layers to place on the GPU, or "all" (default)').argParser((text) =>
      text === "all" ? text : parseNumber(text),
    ),
    new Option("--kv-type <type>", "number type of the KV cache (default: f16)").choices([
      "f16",
      "f32",
      "q8_0",
    ]),
  ];
}

function numeric(flags: string, description: string): Option {
  return new Option(flags, description).argParser(parseNumber);
}

/** "1,4,16". */
function parseList(text: string): number[] {
  const values = text.split(",").map((each) => (each.trim() === "" ? Number.NaN : Number(each)));
  if (values.some((value) => Number.isNaN(value)))
    throw new InvalidArgumentError("Expected numbers such as 1,4,16.");
  return values;
}

async function bench(
  model: string | undefined,
  { json, csv, html, apiKeyEnv, ...flags }: Flags,
): Promise<number> {
  const options = judgeBenchmark({ ...flags, model, ...keyOf(apiKeyEnv, flags) });
  const files = new BenchFiles({ json: json === true ? undefined : json, csv, html });
  const interruption = listenForInterruption();
  const { signal } = interruption;
  try {
    const result = await runBenchmark(options, {
      ...benchmarkProgress(loadsOf(options).length * options.repeats),
      ...{ open: opener(options), signal },
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

function opener(options: JudgedBenchmark): (signal: AbortSignal) => Promise<Target> {
  const { url, model, threads, gpuLayers, kvType, ignoreEos, api, apiKey } = options;
  if (url !== undefined) {
    return (signal) => openEndpoint({ url: new URL(url), api, apiKey, model, ignoreEos }, signal);
  }
  if (model === undefined) notice("no model given, using the embedded story model");
  return async (signal) => {
    const path = model === undefined ? embeddedModelPath() : await fetched(model, signal);
    return openEngine(
      { model: path, threads, gpuLayers, kvType, ignoreEos, ...engineShape(options) },
      signal,
    );
  };
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

function codeOf({ ended, points }: BenchmarkResult): number {
  if (ended.reason === "interrupted") return exitCodes.interrupted;
  const finished = points.some(({ repeats }) => repeats.some(({ requests }) => requests.finished > 0));
  return ended.reason === "finished" && finished ? exitCodes.ok : exitCodes.failure;
}
