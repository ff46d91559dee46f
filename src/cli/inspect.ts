// `infernode inspect`: a model file's metadata and tensors, and the memory an
// engine of a given shape needs. A file that cannot be loaded, for want of
// memory or of its architecture, still shows its header.
import { Command } from "commander";
import { type EngineOptions, InferenceError, inspectModel, loadModel, type MemoryNeeded } from "../index.js";
import { jsonLine, memoryText, modelFileText } from "./format.js";
import { notice, parseNumber } from "./terminal.js";

type Flags = Pick<EngineOptions, "slots" | "contextLength"> & { readonly json?: boolean };

interface Measured {
  readonly slots: number;
  readonly contextLength: number;
  readonly needed: MemoryNeeded;
}

/** The command. */
export function inspectCommand(): Command {
  return new Command("inspect")
    .description("show a model's metadata, its tensors and the memory it needs")
    .argument("<model>", "GGUF model")
    .option("--slots <count>", "generations at once, for the memory needed (default: 8)", parseNumber)
    .option("-c, --context-length <tokens>", "tokens per generation, likewise", parseNumber)
    .option("--json", "print one JSON line")
    .action(inspect);
}

async function inspect(path: string, flags: Flags): Promise<void> {
  const file = inspectModel(path);
  const measured = await measure(path, flags).catch(unmeasured);
  const output = flags.json
    ? jsonLine({ ...file, memory: measured })
    : `${modelFileText(file)}\n${measured === null ? "" : memoryText(measured)}`;
  process.stdout.write(`${output.trimEnd()}\n`);
}

/** Tells why there are no figures; a wrong flag stays an error. */
function unmeasured(thrown: unknown): null {
  if (!(thrown instanceof InferenceError) || thrown.code === "INVALID_OPTION") throw thrown;
  notice(`the memory needed is unknown: ${thrown.message} [${thrown.code}]`);
  return null;
}

const defaultSlots = 8;
const defaultContext = 4096;

/** Loads the model mapped and on the CPU: the cheapest way to ask it. */
async function measure(path: string, flags: Flags): Promise<Measured> {
  const model = await loadModel(path, { gpuLayers: 0 });
  try {
    const trained = model.info.contextLength;
    const { slots = defaultSlots, contextLength = Math.min(trained, defaultContext) } = flags;
    return { slots, contextLength, needed: model.memoryNeeded({ slots, contextLength }) };
  } finally {
    await model.close();
  }
}
