// Where the benchmarks' things lie: everything made or installed for them is
// below .build, which git ignores.
import path from "node:path";
import { fileURLToPath } from "node:url";

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");

const below = (...parts) => path.join(root, ...parts);

export const places = {
  product: below("dist/index.js"),
  commandLine: below("dist/cli/main.js"),
  mock: below("dist/bench-mock.js"),
  models: below(".build/bench"),
  results: below(".build/bench/results"),
  peers: below(".build/peers"),
  vocabularies: below("third_party/.sources/llama.cpp/models"),
  referenceBuild: below("tools/setup/build-reference.mjs"),
  native: below(".build/release"),
  engines: below("tools/bench/engines"),
  document: below("docs/benchmarks.md"),
};
