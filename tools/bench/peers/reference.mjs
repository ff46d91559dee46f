// Where llama.cpp's own programs are: in a folder that was named, with their libraries, or built by
// the set-up with our build's compiler flags.
import path from "node:path";
import { referenceFolder } from "../reference-programs.mjs";

export const kReferencePrograms = ["llama-server", "llama-bench", "llama-batched-bench", "llama-quantize"];

export async function referenceProgram(name, folder) {
  return path.join(folder ?? (await referenceFolder([name])), name);
}

// Their libraries lie beside them, wherever the folder was moved to.
export const referenceEnvironment = (program) => ({
  ...process.env,
  LD_LIBRARY_PATH: path.dirname(program),
});
