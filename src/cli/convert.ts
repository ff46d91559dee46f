// `infernode convert`: writes a Hugging Face checkpoint as one GGUF file. Progress is a line
// per tenth on stderr, which is readable in the log of an image's build; stdout has the report.
// The file is whole or not there, whatever ends the command.
import { accessSync, constants, existsSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { Command, InvalidArgumentError, Option } from "commander";
import { InferenceError } from "../errors.js";
import { kindOf } from "../models/folder-files.js";
import { defaultPacking, packCheckpoint } from "../models/pack-checkpoint.js";
import { quantizeCheckpoint } from "../models/quantize-checkpoint.js";
import { needsQuantizer, type QuantizeType, quantizeTypeSchema } from "../models/quantize-types.js";
import type { NativePacking } from "../native-checkpoint.js";
import { convertedText } from "./convert-report.js";
import { fetched } from "./opened-model.js";
import { exitCodes, listenForInterruption, notice, print, refusal } from "./terminal.js";

interface Flags {
  readonly out: string;
  readonly profile: string;
  readonly quantize?: QuantizeType;
  readonly preTokenizer?: string;
  readonly force?: boolean;
  readonly json?: boolean;
}

/** What ended the command from outside: 128 and the signal's number. */
const terminated = 143;
const profiles = ["auto", "lossless", "q4_1", "q4_k", "q5_0", "q8_0", "f32"];

/** The command; it sets the process's exit code. */
export function convertCommand(): Command {
  return new Command("convert")
    .description("write a Hugging Face checkpoint (safetensors, AWQ and GPTQ too) as one GGUF file")
    .argument("<model>", "a folder with config.json, tokenizer and .safetensors files, or hf:owner/name")
    .requiredOption("-o, --out <file>", "the GGUF file to write; its folder must exist")
    .addOption(
      new Option("--profile <name>", "what quantized weights become").choices(profiles).default("auto"),
    )
    .addOption(
      new Option(
        "--quantize <type>",
        "what plain weights become (default: they stay; bf16 becomes f16)",
      ).argParser(parseType),
    )
    .option("--pre-tokenizer <name>", "llama.cpp's pre-tokenizer, where it is not recognized")
    .option("--force", "replace the file if it is there")
    .option("--json", "print the report as one line of JSON")
    .action(async (model: string, flags: Flags) => {
      process.exitCode = await convert(model, flags);
    });
}

async function convert(model: string, flags: Flags): Promise<number> {
  const target = judgeTarget(flags);
  const packing = packingOf(flags);
  const interruption = listenForInterruption();
  const ending = new AbortController();
  const onTermination = () => ending.abort();
  process.once("SIGTERM", onTermination);
  const signal = AbortSignal.any([interruption.signal, ending.signal]);
  try {
    const text = await converted(await folderOf(model, signal), target, packing, flags, signal);
    await print(`${text}\n`, signal);
    return exitCodes.ok;
  } catch (thrown) {
    if (!isCancelled(thrown)) throw thrown;
    if (ending.signal.aborted) return terminated;
    if (!interruption.interrupted()) throw thrown;
    notice("interrupted; nothing was written");
    return exitCodes.interrupted;
  } finally {
    interruption.stop();
    process.off("SIGTERM", onTermination);
  }
}

/** Writes the file. @returns the report */
async function converted(
  directory: string,
  target: string,
  packing: NativePacking,
  { quantize, json }: Flags,
  signal: AbortSignal,
): Promise<string> {
  const calls = { signal, onProgress: progressLines() };
  const order = { directory, target };
  const written =
    quantize !== undefined && needsQuantizer(quantize)
      ? await quantizeCheckpoint({ ...order, type: quantize, checkpoint: packing }, calls)
      : await packCheckpoint({ ...order, packing }, calls);
  for (const note of written.notes) notice(note);
  return json ? JSON.stringify({ path: target, ...written }) : convertedText(target, written);
}

/** The checkpoint's folder, downloaded where it must be. */
async function folderOf(model: string, signal: AbortSignal): Promise<string> {
  const found = resolve(await fetched(model, signal));
  if (kindOf(found) === "folder") return found;
  const problem = existsSync(found) ? "is a file" : "does not exist";
  throw refusal(
    `the model must be a folder with config.json and .safetensors files, or a repository with them; ${found} ${problem}`,
  );
}

/** Judged before anything is fetched or computed. */
function judgeTarget({ out, force }: Flags): string {
  const target = resolve(out);
  const folder = dirname(target);
  if (kindOf(folder) !== "folder") throw refusal(`--out: there is no folder ${folder}; make it first`);
  try {
    accessSync(folder, constants.W_OK);
  } catch {
    throw refusal(`--out: nothing can be written to ${folder}; name a file in another folder`);
  }
  if (!existsSync(target)) return target;
  if (statSync(target).isDirectory())
    throw refusal(`--out must be a file's path, and ${target} is a directory`);
  if (!force) throw refusal(`--out: ${target} is there already; remove it, or replace it with --force`);
  return target;
}

function packingOf({ profile, quantize, preTokenizer }: Flags): NativePacking {
  if (preTokenizer !== undefined && !/^[\w.-]{1,64}$/.test(preTokenizer))
    throw refusal(`--pre-tokenizer must be a pre-tokenizer's name such as llama-bpe, got "${preTokenizer}"`);
  const isPacked = quantize !== undefined && !needsQuantizer(quantize);
  return {
    ...defaultPacking,
    profile,
    plainType: isPacked ? quantize : null,
    preTokenizer: preTokenizer ?? null,
  };
}

/** A type in any case, as users of llama.cpp write them. */
function parseType(text: string): QuantizeType {
  const { data, error } = quantizeTypeSchema.safeParse(text);
  if (data === undefined) throw new InvalidArgumentError(`Expected ${error.issues[0]?.message}.`);
  return data;
}

function isCancelled(thrown: unknown): boolean {
  return thrown instanceof InferenceError && thrown.code === "CANCELLED";
}

/** Tells each tenth once. */
function progressLines(): (fraction: number) => void {
  const started = performance.now();
  let told = 0;
  return (fraction) => {
    const tenth = Math.floor(fraction * 10);
    if (tenth <= told) return;
    told = tenth;
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    notice(`${tenth * 10} % written after ${seconds} s`);
  };
}
