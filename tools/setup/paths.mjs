// Where the set-up's things lie, each named once. Everything made is below
// .build, build, dist, node_modules or third_party/.sources, all git-ignored.
import path from "node:path";
import { fileURLToPath } from "node:url";

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");

const below = (...parts) => path.join(root, ...parts);

export const paths = {
  root,
  state: below(".build"),
  stamps: below(".build/stamps"),
  downloads: below(".build/downloads"),
  reports: below(".build/reports"),
  lock: below(".build/setup.lock"),
  release: below(".build/release"),
  addonFolder: below("build/Release"),
  dist: below("dist"),
  types: below(".build/types"),
  pin: below("third_party/llama.cpp.json"),
  sources: below("third_party/.sources"),
  llamaSource: below("third_party/.sources/llama.cpp"),
  nodeModules: below("node_modules"),
  cmakeJs: below("node_modules/cmake-js/bin/cmake-js"),
  tsc: below("node_modules/typescript/bin/tsc"),
  vitest: below("node_modules/vitest/vitest.mjs"),
};

// For messages: short, and free of the machine's own folders.
export function shown(file) {
  const relative = path.relative(root, file);
  return relative.startsWith("..") ? file : relative;
}
