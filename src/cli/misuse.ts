// What was meant by a command line that other programs of this kind would understand.
import { existsSync } from "node:fs";

/** Commands of other programs. */
const otherNames: ReadonlyMap<string, string> = new Map([
  ["run", "infernode chat"],
  ["complete", "infernode generate"],
  ["completion", "infernode generate"],
  ["server", "infernode serve"],
  ["start", "infernode worker"],
  ["show", "infernode inspect"],
]);

/** Commands by which other programs fetch a model. */
const downloads: ReadonlySet<string> = new Set(["download", "get", "fetch"]);

/**
 * A sentence about arguments that name no command; undefined where none is known.
 * @param args without Node and the program
 */
export function misuseHint([first = "", second]: readonly string[]): string | undefined {
  if (downloads.has(first)) return hint(`infernode pull ${second ?? "hf:owner/name"}`);
  if (first === "inspect" && second === undefined) return "(Such as infernode inspect my-model.gguf.)";
  if (first === "-m" || first === "--model") return hint(`infernode chat ${second ?? "model.gguf"}`);
  if (first.endsWith(".gguf") && existsSync(first)) return hint(`infernode chat ${first}`);
  const meant = otherNames.get(first);
  return meant === undefined ? undefined : hint(meant);
}

function hint(command: string): string {
  return `(Did you mean ${command}?)`;
}
