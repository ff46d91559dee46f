// `infernode inspect`: a model file's metadata and tensors, and the memory an
// engine of a given shape needs; of a Hugging Face directory also what a load makes of its weights,
// which is kept in the cache as any load keeps it. A file that cannot be loaded, for want of
// memory or of its architecture, still shows its header.
import { Command } from "commander";
import {
  type EngineOptions,
  InferenceError,
  inspectModel,
  type LoadedCheckpoint,
  loadModel,
  type MemoryNeeded,
} from "../index.js";
import { checkpointText } from "./convert-report.js";
import { parseNumber } from "./flags.js";
import { memoryText, modelFileText } from "./format.js";
import { notice } from "./terminal.js";

type Flags = Pick<EngineOptions, "slots" | "contextLength"> & { readonly json?: boolean };

interface Measured {
  readonly slots: number;
  readonly contextLength: number;
  readonly needed: MemoryNeeded;
  /** Memory of the container or host that is free. */
  readonly freeBytes: number;
}

interface Loaded {
  readonly measured: Measured;
  /** What the load told of a Hugging Face directory; null: it is a GGUF file. */
  readonly checkpoint: LoadedCheckpoint | null;
}

/** The command. */
export function inspectCommand(): Command {
  return new Command("inspect")
    .description("show a model's metadata, its tensors and the memory that an engine needs")
    .argument("<model>", "a GGUF file, a folder (of a checkpoint too), or a downloaded hf:owner/name[:type]")
    .option("--slots <count>", "requests computed at once, for the memory needed (default: 8)", parseNumber)
    .option(
      "-c, --context-length <tokens>",
      "tokens per request, for the memory needed (default: the model's, at most 4096)",
      parseNumber,
    )
    .option("--json", "print one line of JSON instead")
    .action(inspect);
}

async function inspect(path: string, flags: Flags): Promise<void> {
  const file = inspectModel(path);
  const loaded = await load(path, flags).catch(unmeasured);
  const { measured = null, checkpoint = null } = loaded ?? {};
  const output = flags.json
    ? JSON.stringify({ ...file, memory: measured, checkpoint })
    : [
        modelFileText(file),
        ...(checkpoint === null ? [] : [checkpointText(checkpoint)]),
        ...(measured === null ? [] : [memoryText(measured)]),
      ].join("\n");
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
async function load(path: string, flags: Flags): Promise<Loaded> {
  const freeBytes = process.availableMemory();
  const model = await loadModel(path, { gpuLayers: 0 });
  try {
    const { contextLength: trained, checkpoint } = model.info;
    const { slots = defaultSlots, contextLength = Math.min(trained, defaultContext) } = flags;
    const needed = model.memoryNeeded({ slots, contextLength });
    return { measured: { slots, contextLength, needed, freeBytes }, checkpoint };
  } finally {
    await model.close();
  }
}
