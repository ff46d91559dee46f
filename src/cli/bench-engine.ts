// `infernode bench engine`: how fast an engine of this process reads prompts and generates, with the
// columns of llama-bench and llama-batched-bench. Ctrl-C prints what was measured.
import { Command, InvalidArgumentError, Option } from "commander";
import { type BatchedTest, measureEngine, type SingleTest } from "../bench/engine-level.js";
import {
  batchedRow,
  type EngineLevelFacts,
  engineLevelText,
  singleRow,
} from "../bench/engine-level-tables.js";
import { buildIdentity, machineIdentity } from "../bench/identity.js";
import { OutputFile } from "../bench/output-file.js";
import { devices, embeddedModelPath, InferenceError, loadModel, type Model } from "../index.js";
import { modelForms, parseNumber } from "./flags.js";
import { fetched } from "./opened-model.js";
import { exitCodes, listenForInterruption, notice, print } from "./terminal.js";

interface Flags {
  readonly pp: readonly number[];
  readonly tg: readonly number[];
  readonly pl: readonly number[];
  readonly depth: readonly number[];
  readonly repeats: number;
  readonly seed: number;
  readonly threads?: number;
  readonly gpuLayers?: number | "all";
  readonly kvType?: "f16" | "f32" | "q8_0";
  readonly json?: string | true;
}

const mostSlots = 256;
const mostTokens = 2 ** 20;
/** Tokens beside prompt and answer. */
const spareTokens = 8;

/** The command; it sets the process's exit code. */
export function benchEngineCommand(): Command {
  return new Command("engine")
    .description("measure an engine alone, with the columns of llama-bench and llama-batched-bench")
    .argument("[model]", `${modelForms} (default: the small story model)`)
    .addOption(counts("--pp <list>", "prompt tokens, one test each", [512]))
    .addOption(counts("--tg <list>", "generated tokens, one test each", [128]))
    .addOption(
      counts("--pl <list>", "requests at once, one line each (at most 256)", [1, 2, 4, 8], {
        most: mostSlots,
      }),
    )
    .addOption(
      counts("-d, --depth <list>", "tokens in the KV cache before --pp or --tg, one test each", [0], {
        least: 0,
      }),
    )
    .addOption(
      new Option("--repeats <count>", "measured runs of each test")
        .argParser((text) => parseCount(text))
        .default(5),
    )
    .addOption(new Option("-s, --seed <integer>", "of the prompts' tokens").argParser(parseSeed).default(0))
    .addOption(
      new Option("--threads <count>", "CPU threads (default: the CPUs this process may use)").argParser(
        parseNumber,
      ),
    )
    .addOption(
      new Option("--gpu-layers <count>", 'layers to place on the GPU, or "all" (default)').argParser(
        (text) => (text === "all" ? text : parseNumber(text)),
      ),
    )
    .addOption(
      new Option("--kv-type <type>", "number type of the KV cache (default: f16)").choices([
        "f16",
        "f32",
        "q8_0",
      ]),
    )
    .option("--json [file]", "write the result to a file, or print it as JSON instead of the tables")
    .action(async (model: string | undefined, flags: Flags) => {
      process.exitCode = await benchEngine(model, flags);
    });
}

async function benchEngine(given: string | undefined, flags: Flags): Promise<number> {
  const interruption = listenForInterruption();
  const { signal } = interruption;
  try {
    return await measured(given, flags, signal);
  } catch (thrown) {
    const isCancelled = thrown instanceof InferenceError && thrown.code === "CANCELLED";
    if (!interruption.interrupted() || !isCancelled) throw thrown;
    notice("interrupted before anything was measured");
    return exitCodes.interrupted;
  } finally {
    interruption.stop();
  }
}

async function measured(given: string | undefined, flags: Flags, signal: AbortSignal): Promise<number> {
  const { pp, tg, pl, depth, repeats, seed, json } = flags;
  const file = typeof json === "string" ? new OutputFile("--json", json) : undefined;
  if (given === undefined) notice("no model given, using the embedded story model");
  const path = given === undefined ? embeddedModelPath() : await fetched(given, signal);
  const model = await loadModel(path, { gpuLayers: flags.gpuLayers, signal });
  const single: SingleTest[] = [];
  const batched: BatchedTest[] = [];
  try {
    const contextLength = Math.max(...depth) + Math.max(...pp) + Math.max(...tg) + spareTokens;
    const { threads, kvType } = flags;
    const engine = await model.createEngine({ slots: Math.max(...pl), contextLength, threads, kvType });
    try {
      const facts = factsOf(model, engine.options);
      await measureEngine({ model, engine }, { pp, tg, pl, depth, repeats, seed }, signal, (test) => {
        if ("single" in test) single.push(test.single);
        else batched.push(test.batched);
        file?.write(textOf(facts, { single, batched }, true)); // whatever ends the process
      });
      file?.write(textOf(facts, { single, batched }, signal.aborted));
      const result = JSON.stringify(resultOf(facts, { single, batched }, signal.aborted));
      const text = json === true ? result : engineLevelText(facts, single, batched);
      await print(`${text}\n`, new AbortController().signal);
      if (signal.aborted) notice("interrupted: these results are partial");
    } finally {
      await engine.close();
    }
  } finally {
    await model.close();
  }
  return signal.aborted ? exitCodes.interrupted : exitCodes.ok;
}

function factsOf(
  model: Model,
  engine: { readonly threads: number; readonly kvType: string },
): EngineLevelFacts {
  const computing = model.info.devices.filter(({ layers, hasOutput }) => layers.length > 0 || hasOutput);
  const all = devices();
  const backends = computing.map(({ name }) => all.find((device) => device.name === name)?.backend ?? name);
  const { threads, kvType } = engine;
  return { info: model.info, path: model.path, threads, kvType, backend: [...new Set(backends)].join(",") };
}

function textOf(...result: Parameters<typeof resultOf>): string {
  return `${JSON.stringify(resultOf(...result), null, 1)}\n`;
}

function resultOf(
  facts: EngineLevelFacts,
  { single, batched }: { readonly single: readonly SingleTest[]; readonly batched: readonly BatchedTest[] },
  isPartial: boolean,
) {
  return {
    ...{ schema: "infernode-bench-engine/1", isPartial },
    ...{ machine: machineIdentity(), build: buildIdentity() },
    model: { path: facts.path, description: facts.info.description, fingerprint: facts.info.fingerprint },
    llamaBench: single.map((test) => singleRow(facts, test)),
    llamaBatchedBench: batched.map(batchedRow),
  };
}

interface CountLimits {
  readonly least?: number;
  readonly most?: number;
}

function counts(
  flags: string,
  description: string,
  standard: readonly number[],
  limits: CountLimits = {},
): Option {
  return new Option(flags, description)
    .argParser((text) => text.split(",").map((each) => parseCount(each, limits)))
    .default(standard, standard.join(","));
}

function parseCount(text: string, { least = 1, most = mostTokens }: CountLimits = {}): number {
  const value = Number(text);
  if (text.trim() !== "" && Number.isInteger(value) && value >= least && value <= most) return value;
  throw new InvalidArgumentError(`Expected integers from ${least} to ${most}, such as 128 or 1,2,4.`);
}

function parseSeed(text: string): number {
  const value = Number(text);
  if (text.trim() !== "" && Number.isSafeInteger(value) && value >= 0) return value;
  throw new InvalidArgumentError("Expected an integer from 0.");
}
