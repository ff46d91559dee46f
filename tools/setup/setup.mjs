// The set-up as one sentence: packages, llama.cpp's sources, the addon, the
// TypeScript. Every part is skipped when it is current, so a second run
// builds nothing and an interrupted one goes on where it stopped. The TypeScript
// comes before the addon: a CUDA build reads the product's table of GPUs.

import { existsSync } from "node:fs";
import { ensureLlamaSource } from "./llama-source.mjs";
import { withLock } from "./lock.mjs";
import { ensureAddon, ensureNativeTests } from "./native-build.mjs";
import { ensurePackages } from "./packages.mjs";
import { paths } from "./paths.mjs";
import { requireNode, requirePrograms } from "./toolchain.mjs";
import { ensureTypeScript } from "./typescript.mjs";

// All that `npm start` runs on.
export function setUpProduct() {
  requireNode();
  return withLock(async () => {
    requireToolsEarly();
    await ensurePackages();
    const source = await ensureLlamaSource();
    await ensureTypeScript();
    await ensureAddon(source);
  });
}

// All that `npm test` runs on.
export function setUpTests() {
  requireNode();
  return withLock(async () => {
    requireToolsEarly();
    await ensurePackages();
    const source = await ensureLlamaSource();
    await ensureTypeScript();
    await ensureAddon(source);
    await ensureNativeTests(source);
  });
}

// A fresh clone learns of a missing compiler now, not after the downloads.
function requireToolsEarly() {
  if (!existsSync(paths.stamps)) requirePrograms("git", "tar", "cmake", "compiler", "make");
}
