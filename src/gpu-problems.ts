// Why no GPU can be used, in sentences: what the backends' files, the dynamic linker and
// NVIDIA's driver said, and what to do about each.
import { basename } from "node:path";
import { cudaRemedy, hasNvidiaGpu } from "./cuda-packages.js";
import { native } from "./native-addon.js";
import type { NativeBackend } from "./native-devices.js";

/** One sentence, without a point at its end. */
export function whyNoGpu(): string {
  const problems = native()
    .backends()
    .filter(({ backend, problem }) => isOfGpu(backend) && problem !== "")
    .map(problemText);
  if (problems.length > 0) return problems.join("; ");
  if (hasGpu()) return cudaRemedy();
  return "this machine has no NVIDIA GPU, and no backend for another kind of GPU lies beside the addon";
}

/** A backend's problem and its remedy. */
export function problemText({ path, loaded, problem }: NativeBackend): string {
  const remedy = remedyFor(problem);
  const state = loaded ? "is loaded and offers no device" : "is not loaded";
  return `${basename(path)} ${state}: ${problem}${remedy === undefined ? "" : `; ${remedy}`}`;
}

/** Whether the machine has a GPU that the driver of NVIDIA, or the system, tells of. */
export function hasGpu(): boolean {
  return hasNvidiaGpu() || native().nvidiaDriver().gpus.length > 0;
}

/** Whether a backend's name is not one of the CPU's. */
export function isOfGpu(backend: string): boolean {
  return backend !== "cpu" && !backend.startsWith("cpu-");
}

/** What to do about a problem of a backend or the driver; undefined: nothing is known of it. */
export function remedyFor(problem: string): string | undefined {
  const [, library, version] = /needs lib(cublas|cudart)\w*\.so\.(\d+)/.exec(problem) ?? [];
  if (library !== undefined && version !== undefined) return cudaLibraryRemedy(library, version);
  const capability = /cannot run .*compute capability (\d+)\.(\d+)/.exec(problem);
  if (capability !== null) {
    const architecture = `${capability[1]}${capability[2]}`;
    return `\`infernode build --cuda --arch ${architecture}\` builds one that it can`;
  }
  return remedies.find(([words]) => words.test(problem))?.[1];
}

const remedies: readonly (readonly [words: RegExp, remedy: string])[] = [
  [
    /libcuda\.so/,
    "install NVIDIA's driver, or start the container with `--gpus all` and NVIDIA's container toolkit",
  ],
  [/driver version is insufficient/, "install a newer driver, or build with an older CUDA toolkit"],
  [
    /no CUDA-capable device/,
    "see what nvidia-smi lists and whether CUDA_VISIBLE_DEVICES hides it; a container needs `--gpus all`",
  ],
  [
    /built for the llama\.cpp of tree/,
    "build it again from this version (`infernode build --cuda`), or remove the file",
  ],
  [/libvulkan\.so/, "install the Vulkan loader (libvulkan1) and the GPU's driver"],
];

/** cuBLAS and the CUDA runtime come with the toolkit, and from pip. */
function cudaLibraryRemedy(library: string, version: string): string {
  const [what, wheel] =
    library === "cublas" ? ["cuBLAS", "nvidia-cublas"] : ["the CUDA runtime", "nvidia-cuda-runtime"];
  return (
    `install ${what} of CUDA ${version}: a CUDA toolkit in /usr/local or at CUDA_HOME, or ` +
    `\`pip install "${wheel}==${version}.*"\` in the active Python environment; or set ` +
    "INFERNODE_CUBLAS to the folder that holds it"
  );
}
