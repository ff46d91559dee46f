// Chat templates of many models, as llama.cpp carries them for its own tests.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const sources =
  process.env.INFERNODE_LLAMA_CPP_DIR ?? join(import.meta.dirname, "../../third_party/.sources/llama.cpp");
const folder = join(sources, "models/templates");

/** Names without their extension. */
export const templateNames = readdirSync(folder)
  .filter((file) => file.endsWith(".jinja"))
  .map((file) => file.slice(0, -".jinja".length));

/** A template's text. */
export function templateText(name: string): string {
  return readFileSync(join(folder, `${name}.jinja`), "utf8");
}
