// `infernode build`: compiles the native files for this machine, for systems that the
// platform packages do not fit and for CUDA. The work is the set-up's (tools/setup), which
// the package carries; it also sets the exit code. Here flags are judged.
import { existsSync, realpathSync } from "node:fs";
import { basename, dirname, join, resolve, sep } from "node:path";
import { pathToFileURL } from "node:url";
import { Command, InvalidArgumentError, Option } from "commander";
import { packageRoot } from "../package-root.js";

interface BuildOptions {
  readonly cpu: "native" | "all";
  readonly cuda: boolean;
  /** CUDA architectures, judged by the set-up. */
  readonly arch?: string;
  /** Names of GPUs, judged likewise. */
  readonly gpu?: readonly string[];
  readonly nccl: boolean;
  readonly cudaPython?: string;
  readonly vulkan: boolean;
  /** Compile jobs at once. */
  readonly jobs?: number;
  readonly out?: string;
}

interface NativeBuild {
  buildNative(options: BuildOptions): Promise<void>;
  misuseOf(options: Pick<BuildOptions, "arch" | "gpu">): Promise<string | undefined>;
}

/** Flags that say something about the CUDA backend alone. */
const cudaFlags = { arch: "--arch", gpu: "--gpu", nccl: "--nccl", cudaPython: "--cuda-python" } as const;

/** The command. */
export function buildCommand(): Command {
  return new Command("build")
    .description("compile the native files for this machine, outside of node_modules")
    .addOption(
      new Option("--cpu <which>", "this machine's CPU, or one backend for each generation")
        .choices(["native", "all"])
        .default("native"),
    )
    .option("--cuda", "the CUDA backend, too", false)
    .option(
      "--arch <list>",
      "with --cuda: CUDA architectures, such as 80,90; native (this machine's GPUs, the default), " +
        "all (what the toolkit can), runpod (RunPod's GPUs)",
    )
    .option("--gpu <name>", 'with --cuda: build for this GPU, such as "RTX 4090"; may be repeated', collect)
    .option("--nccl", "with --cuda: use NCCL between several GPUs", false)
    .option(
      "--cuda-python <folder>",
      "with --cuda: a Python environment with NVIDIA's packages of CUDA 13, in place of a system's toolkit or to complete it",
      parseFolder,
    )
    .option("--vulkan", "the Vulkan backend, too (experimental)", false)
    .option("--jobs <count>", "compile jobs at once (default: all cores)", parseJobs)
    .option("--out <folder>", "where to (default: a folder of these options in the user's cache)", parseOut)
    .action(build);
}

async function build(options: BuildOptions, command: Command): Promise<void> {
  for (const [name, flag] of Object.entries(cudaFlags)) {
    const value = options[name as keyof typeof cudaFlags];
    if (value !== undefined && value !== false && !options.cuda) command.error(`error: ${flag} needs --cuda`);
  }
  const module = pathToFileURL(join(packageRoot(), "tools/setup/build-native.mjs"));
  const { buildNative, misuseOf } = (await import(module.href)) as NativeBuild;
  const misuse = await misuseOf(options);
  if (misuse !== undefined) command.error(`error: ${misuse}`);
  await buildNative(options);
}

function collect(value: string, earlier: readonly string[] = []): readonly string[] {
  return [...earlier, value];
}

function parseJobs(text: string): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1)
    throw new InvalidArgumentError("Expected a whole number of at least 1.");
  return count;
}

function parseFolder(text: string): string {
  if (text === "") throw new InvalidArgumentError("Expected a folder.");
  return resolve(text);
}

function parseOut(text: string): string {
  const folder = parseFolder(text);
  if ([folder, realPathOf(folder)].some((path) => path.split(sep).includes("node_modules"))) {
    throw new InvalidArgumentError(
      "Expected a folder outside node_modules: the next install deletes what it finds there.",
    );
  }
  return folder;
}

/** Of a folder that may not exist yet: where its nearest ancestor really lies. */
function realPathOf(folder: string): string {
  if (existsSync(folder)) return realpathSync(folder);
  return join(realPathOf(dirname(folder)), basename(folder));
}
