// CUDA libraries among the native files: which lie there, and whether one has code for this
// machine's GPUs. Loads nothing.
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { type CudaArchitectures, cudaCodeFor, readCudaArchitectures } from "./cuda-architectures.js";

/** What decides whether a library is for a GPU. */
interface Gpu {
  readonly name: string;
  /** "9.0". */
  readonly capability: string;
}

/**
 * Why a CUDA library is of no use here; undefined: it is, or its code cannot be read, which is
 * the dynamic linker's to say.
 * @param gpus this machine's, as the driver tells; called where the answer depends on them
 */
export function unfitCudaLibrary(file: string, gpus: () => readonly Gpu[]): string | undefined {
  const held = architecturesOf(file);
  if (held === undefined || held.sass.length + held.ptx.length === 0) return undefined;
  const there = gpus();
  if (there.length === 0 || there.some(({ capability }) => cudaCodeFor(held, capability))) return undefined;
  const names = there.map(({ name, capability }) => `${name} of compute capability ${capability}`);
  return `it has ${heldText(held)}, which this machine's GPU cannot run (${[...new Set(names)].join(", ")})`;
}

/** "code for 80 and 86, and PTX 86". */
export function heldText({ sass, ptx }: CudaArchitectures): string {
  const parts = [
    ...(sass.length > 0 ? [`code for ${sass.join(", ")}`] : []),
    ...(ptx.length > 0 ? [`PTX ${ptx.join(", ")}`] : []),
  ];
  return parts.length === 0 ? "no code for GPUs" : parts.join(" and ");
}

/** Undefined: the file cannot be read as a CUDA library. */
export function architecturesOf(file: string): CudaArchitectures | undefined {
  try {
    return readCudaArchitectures(file);
  } catch {
    return undefined;
  }
}

/** Absolute paths of the CUDA libraries that lie in a folder. */
export function cudaLibrariesIn(folder: string): readonly string[] {
  try {
    const names = readdirSync(folder).filter((name) => /^libinfernode-ggml-cuda.*\.so$/.test(name));
    return names.sort().map((name) => join(folder, name));
  } catch {
    return [];
  }
}
