// Where the set-up's things lie, each named once. Everything that a clone makes is below
// .build, build, dist, node_modules or third_party/.sources, all git-ignored. An installed
// package, which has no src/, writes below the user's cache folder only.
import { existsSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");

const below = (...parts) => path.join(root, ...parts);

const isInstalled = existsSync(below("dist")) && !existsSync(below("src"));
const cache = path.join(cacheHome(), "infernode");
const state = isInstalled ? path.join(cache, "build") : below(".build");
const sources = isInstalled ? path.join(state, "sources") : below("third_party/.sources");

export const paths = {
  root,
  cache,
  state,
  stamps: path.join(state, "stamps"),
  downloads: path.join(state, "downloads"),
  reports: path.join(state, "reports"),
  realModels: path.join(state, "real-models"),
  lock: path.join(state, "setup.lock"),
  release: path.join(state, "release"),
  addonFolder: below("build/Release"),
  dist: below("dist"),
  types: path.join(state, "types"),
  pin: below("third_party/llama.cpp.json"),
  headerPins: below("third_party/headers.json"),
  sources,
  llamaSource: path.join(sources, "llama.cpp"),
  nodeModules: below("node_modules"),
  cmakeJs: below("node_modules/cmake-js/bin/cmake-js"),
  tsc: below("node_modules/typescript/bin/tsc"),
  vitest: below("node_modules/vitest/vitest.mjs"),
};

// Relative paths are to be ignored, says the specification of XDG_CACHE_HOME.
function cacheHome() {
  const named = process.env.XDG_CACHE_HOME;
  return named && path.isAbsolute(named) ? named : path.join(os.homedir(), ".cache");
}

// For messages: short, and free of the machine's own folders.
export function shown(file) {
  const relative = path.relative(root, file);
  return relative.startsWith("..") ? file : relative;
}
