// `infernode pull`: downloads a model into the cache and prints where it lies. Progress goes to
// stderr; Ctrl-C leaves what was fetched for the next pull.
import { basename } from "node:path";
import { Command } from "commander";
import { InferenceError } from "../errors.js";
import { type PulledModel, pullModel } from "../models/pull-model.js";
import { LoadingLine } from "./loading-line.js";
import { exitCodes, listenForInterruption, notice } from "./terminal.js";

interface Flags {
  readonly revision?: string;
  readonly quant?: string;
  readonly file?: string;
  readonly cacheFolder?: string;
}

/** The command. */
export function pullCommand(): Command {
  return new Command("pull")
    .description("download a model into the cache that Hugging Face's tools share, and print its path")
    .argument("<model>", "hf:owner/name[:file-or-type][@revision], owner/name or https://….gguf[#sha256=…]")
    .option("--revision <revision>", "a branch, a tag or a commit (default: main)")
    .option("--quant <type>", "the GGUF file of this type, such as Q4_K_M (default: by preference)")
    .option("--file <path>", "this GGUF file of the repository")
    .option(
      "--cache-folder <folder>",
      "the hub's cache (default: HF_HUB_CACHE, else HF_HOME/hub, else ~/.cache/huggingface/hub)",
    )
    .addHelpText(
      "after",
      "\nHF_TOKEN opens gated and private repositories; HF_ENDPOINT, HTTPS_PROXY and NO_PROXY are read.",
    )
    .action(run);
}

async function run(reference: string, flags: Flags): Promise<void> {
  const interruption = listenForInterruption();
  const line = new LoadingLine(reference.split(/[?#]/)[0] ?? "", "downloading");
  try {
    const { quant: quantization, revision, file, cacheFolder } = flags;
    const pulled = await pullModel(reference, {
      ...{ quantization, revision, file, cacheFolder },
      signal: interruption.signal,
      onProgress: (progress) => line.showBytes(progress),
      onNotice: (sentence) => line.tell(sentence),
    });
    line.erase();
    tell(pulled);
  } catch (thrown) {
    line.erase();
    if (!isInterruption(thrown) || !interruption.interrupted()) throw thrown;
    notice("interrupted; what was fetched is kept, the same command goes on from there");
    process.exitCode = exitCodes.interrupted;
  } finally {
    interruption.stop();
  }
}

/** What was chosen and verified to the person, the path to programs. */
function tell({ path, chosenAmong, downloaded, sha256 }: PulledModel): void {
  if (chosenAmong > 1)
    notice(`took ${basename(path)} of ${chosenAmong} GGUF models; --quant or --file names another`);
  if (sha256 !== undefined) notice(`its SHA-256 is ${sha256}`);
  if (!downloaded) notice("it was there already");
  process.stdout.write(`${path}\n`);
}

function isInterruption(thrown: unknown): boolean {
  return thrown instanceof InferenceError && thrown.code === "CANCELLED";
}
