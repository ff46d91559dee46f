// Where the model that ships with the package lies: a small story writer, good
// for a first run, examples and tests, and used when no model is named.
import { join } from "node:path";
import { packageRoot } from "../package-root.js";

/**
 * Absolute path of the embedded model's GGUF file.
 * @throws InferenceError NATIVE_MISSING in a bundle that was moved away from node_modules
 */
export function embeddedModelPath(): string {
  return join(packageRoot(), "assets", "tinytale-q8_0.gguf");
}
