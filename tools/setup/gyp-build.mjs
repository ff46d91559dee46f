// What binding.gyp's one action runs: the same CMake build as `npm start`,
// with the Node headers node-gyp was given. Packages are the caller's matter.
import { runMain, SetupFailure } from "./failure.mjs";
import { ensureLlamaSource } from "./llama-source.mjs";
import { withLock } from "./lock.mjs";
import { ensureAddon } from "./native-build.mjs";

await runMain(async () => {
  const nodeInclude = process.argv[2];
  if (!nodeInclude) throw new SetupFailure("gyp-build.mjs takes the folder of node_api.h as its argument.");
  await withLock(async () => ensureAddon(await ensureLlamaSource(), { nodeInclude }));
});
