// `infernode generate`: loads a model and streams one generation to stdout, with a line
// of figures on stderr; or writes one line of JSON.
import { Command } from "commander";
import {
  type EngineOptions,
  embeddedModelPath,
  type GenerateRequest,
  type GenerationEvent,
  InferenceError,
  loadModel,
  type ModelOptions,
} from "../index.js";
import { figuresLine, jsonLine, type RunSummary } from "./format.js";
import {
  collect,
  exitCodes,
  type Interruption,
  isInputPiped,
  isOutputOpen,
  listenForInterruption,
  notice,
  parseLayers,
  parseNumber,
  parseSeed,
  print,
  readInput,
} from "./terminal.js";

const defaultPrompt = "Once upon a time";
const defaultMaxTokens = 256;

/** The flags as commander gives them: the names of the options they become. */
type Flags = Pick<EngineOptions, "contextLength" | "threads"> &
  Pick<ModelOptions, "gpuLayers"> &
  Omit<GenerateRequest, "prompt" | "signal"> & {
    readonly model?: string;
    readonly draftModel?: string;
    readonly prompt?: string;
    readonly echo?: boolean;
    readonly json?: boolean;
  };

/** The command; it sets the process's exit code. */
export function generateCommand(): Command {
  return new Command("generate")
    .description("generate text from a prompt and stream it to stdout")
    .argument("[words...]", `the prompt, instead of --prompt (default: "${defaultPrompt}")`)
    .option("-m, --model <file>", "GGUF model (default: the small story model in the package)")
    .option("--draft-model <file>", "smaller GGUF model of the same vocabulary that guesses ahead")
    .option("-p, --prompt <text>", "the prompt; - reads it from stdin, as a pipe is read without it")
    .option("-n, --max-tokens <count>", "tokens to generate at most", parseNumber, defaultMaxTokens)
    .option("-t, --temperature <number>", "0 takes the likeliest token (default: 0.7)", parseNumber)
    .option("--top-k <count>", "draw from the likeliest tokens, 0 for all (default: 0)", parseNumber)
    .option("--top-p <share>", "draw from this much probability (default: 0.95)", parseNumber)
    .option("--min-p <share>", "drop tokens less likely than this share of the best", parseNumber)
    .option("--repeat-penalty <factor>", "above 1 avoids tokens of prompt and text (default: 1)", parseNumber)
    .option("--frequency-penalty <number>", "-2 to 2, per occurrence in the text (default: 0)", parseNumber)
    .option("--presence-penalty <number>", "-2 to 2, once per token of the text (default: 0)", parseNumber)
    .option(
      "--penalty-window <count>",
      "last tokens the penalties see, -1 for all (default: -1)",
      parseNumber,
    )
    .option("-s, --seed <integer>", "same seed, same text (default: random)", parseSeed)
    .option("--stop <text>", "stop before this text; may be given up to 16 times", collect)
    .option("--ignore-eos", "go on past the model's end token")
    .option("--parse-special", "read special tokens written in the prompt as tokens")
    .option("-c, --context-length <tokens>", "prompt and answer together at most", parseNumber)
    .option("--gpu-layers <count>", 'layers to place on the GPU, or "all" (default)', parseLayers)
    .option("--threads <count>", "CPU threads of a pass (default: the CPUs allowed)", parseNumber)
    .option("--echo", "print the prompt before the text, as npm start does")
    .option("--json", "print only one JSON line: text, finishReason, usage, timings")
    .action(async (words: readonly string[], flags: Flags) => {
      process.exitCode = await generate(words, flags);
    });
}

async function generate(words: readonly string[], flags: Flags): Promise<number> {
  const prompt = await choosePrompt(words, flags.prompt);
  const interruption = listenForInterruption();
  if (flags.model === undefined) notice("no --model given, using the embedded story model");
  try {
    await run(prompt, flags, interruption.signal);
  } catch (thrown) {
    // Ctrl-C while the model was loaded.
    if (!(thrown instanceof InferenceError && thrown.code === "CANCELLED")) throw thrown;
  }
  return finish(interruption);
}

async function run(prompt: string, flags: Flags, signal: AbortSignal): Promise<void> {
  const {
    model: named,
    draftModel,
    prompt: _,
    echo,
    json,
    contextLength,
    threads,
    gpuLayers,
    ...rest
  } = flags;
  const model = await loadModel(named ?? embeddedModelPath(), { gpuLayers, signal });
  try {
    const draft = draftModel === undefined ? undefined : await loadModel(draftModel, { gpuLayers, signal });
    const speculation = draft !== undefined && { draftModel: draft };
    const engine = await model.createEngine({ slots: 1, contextLength, threads, speculation });
    await draft?.close(); // the engine keeps its weights
    try {
      const generation = engine.generate({ ...rest, prompt, signal });
      if (echo && !json) await print(prompt, signal);
      const summary = await stream(generation, json ? dropText : (text) => print(text, signal));
      await report(summary, json ?? false, signal);
    } finally {
      await engine.close();
    }
  } finally {
    await model.close();
  }
}

/** Output is the text or the JSON; the figures are news. */
async function report(summary: RunSummary, json: boolean, signal: AbortSignal): Promise<void> {
  if (json) return print(`${jsonLine(summary)}\n`, signal);
  if (!summary.text.endsWith("\n")) await print("\n", signal);
  if (isOutputOpen()) process.stderr.write(`${figuresLine(summary)}\n`);
}

function finish(interruption: Interruption): number {
  interruption.stop();
  return interruption.interrupted() ? exitCodes.interrupted : exitCodes.ok;
}

async function choosePrompt(words: readonly string[], flag: string | undefined): Promise<string> {
  if (flag !== undefined && words.length > 0) {
    throw new InferenceError("INVALID_OPTION", "give the prompt as words or as --prompt, not both");
  }
  if (flag === "-") return readInput();
  if (flag !== undefined) return flag;
  if (words.length > 0) return words.join(" ");
  return (isInputPiped() && (await readInput())) || defaultPrompt;
}

async function dropText(): Promise<void> {}

/** Passes text on as it comes. @returns everything, with the figures of the end */
async function stream(
  run: AsyncIterable<GenerationEvent>,
  write: (text: string) => Promise<void>,
): Promise<RunSummary> {
  let text = "";
  for await (const event of run) {
    if (event.type === "end") {
      const { finishReason, usage, timings } = event;
      return { text, finishReason, usage, timings };
    }
    if (event.type !== "text-delta") continue;
    text += event.text;
    await write(event.text);
  }
  throw new Error("the generation had no end event");
}
