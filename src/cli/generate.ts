// `infernode generate`: loads a model and streams one generation to stdout, with a line
// of figures on stderr; or writes one line of JSON.
import { existsSync } from "node:fs";
import { Command } from "commander";
import { type GenerateRequest, type GenerationEvent, InferenceError } from "../index.js";
import { type AnswerFlags, answerFlags, type ModelFlags, modelFlag, modelFlags } from "./flags.js";
import { figuresLine, type RunSummary } from "./format.js";
import { openModel } from "./opened-model.js";
import {
  exitCodes,
  type Interruption,
  isInputPiped,
  isOutputOpen,
  listenForInterruption,
  notice,
  print,
  readInput,
} from "./terminal.js";

const defaultPrompt = "Once upon a time";
const defaultMaxTokens = 256;

/** The flags as commander gives them: the names of the options they become. */
type Flags = ModelFlags &
  AnswerFlags &
  Pick<GenerateRequest, "parseSpecial"> & {
    readonly model?: string;
    readonly prompt?: string;
    readonly echo?: boolean;
    readonly json?: boolean;
  };

/** The command; it sets the process's exit code. */
export function generateCommand(): Command {
  const command = new Command("generate")
    .description("generate text from a prompt and stream it to stdout")
    .argument("[words...]", `the prompt, instead of --prompt (default: "${defaultPrompt}")`)
    .addOption(modelFlag())
    .option("-p, --prompt <text>", "the prompt; - reads it from stdin (a pipe is read without it)");
  for (const flag of answerFlags(defaultMaxTokens)) command.addOption(flag);
  command.option("--parse-special", "read special tokens written in the prompt as tokens");
  for (const flag of modelFlags()) command.addOption(flag);
  return command
    .option("--echo", "print the prompt before the text")
    .option("--json", "print one line of JSON instead: text, finishReason, usage, timings")
    .action(async (words: readonly string[], flags: Flags) => {
      process.exitCode = await generate(words, flags);
    });
}

async function generate(words: readonly string[], flags: Flags): Promise<number> {
  const prompt = await choosePrompt(words, flags);
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
  const { model, draftModel, prompt: _, echo, json, contextLength, threads, gpuLayers, ...rest } = flags;
  const opened = await openModel(model, flags, { signal });
  try {
    const generation = opened.engine.generate({ ...rest, prompt, signal });
    if (echo && !json) await print(prompt, signal);
    const summary = await stream(generation, json ? dropText : (text) => print(text, signal));
    await report(summary, json ?? false, signal);
  } finally {
    await opened.close();
  }
}

/** Output is the text or the JSON; the figures are news. */
async function report(summary: RunSummary, json: boolean, signal: AbortSignal): Promise<void> {
  if (json) return print(`${JSON.stringify(summary)}\n`, signal);
  if (!summary.text.endsWith("\n")) await print("\n", signal);
  if (isOutputOpen()) process.stderr.write(`${figuresLine(summary)}\n`);
}

function finish(interruption: Interruption): number {
  interruption.stop();
  return interruption.interrupted() ? exitCodes.interrupted : exitCodes.ok;
}

async function choosePrompt(words: readonly string[], { model, prompt }: Flags): Promise<string> {
  if (prompt !== undefined && words.length > 0) {
    throw new InferenceError("INVALID_OPTION", "give the prompt as words or as --prompt, not both");
  }
  if (model === undefined) refuseModelAsPrompt(words);
  if (prompt === "-") return readInput();
  if (prompt !== undefined) return prompt;
  if (words.length > 0) return words.join(" ");
  return (isInputPiped() && (await readInput())) || defaultPrompt;
}

/** `infernode generate model.gguf` would continue the file's name with the story model. */
function refuseModelAsPrompt([first]: readonly string[]): void {
  if (first === undefined || !first.endsWith(".gguf") || !existsSync(first)) return;
  throw new InferenceError(
    "INVALID_OPTION",
    `the prompt begins with the name of a model file; the model is given as -m ${first}`,
  );
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
