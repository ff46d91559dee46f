// `npm run test:asan` and `npm run test:tsan`: our own code and the native
// tests, instrumented, in a build folder of their own. llama.cpp stays as the
// release build made it: its code is not ours to judge, and compiling it again
// would cost minutes. The thread sanitizer takes the core only.
import { availableParallelism } from "node:os";
import path from "node:path";
import { runForeground } from "./command.mjs";
import { runMain, SetupFailure } from "./failure.mjs";
import { ensureLlamaSource } from "./llama-source.mjs";
import { withLock } from "./lock.mjs";
import { buildTargets, configure, dropForeignTree, ensureAddon } from "./native-build.mjs";
import { ensurePackages } from "./packages.mjs";
import { paths } from "./paths.mjs";
import { step } from "./steps.mjs";
import { requirePrograms } from "./toolchain.mjs";

const kinds = {
  address: {
    folder: path.join(paths.state, "asan"),
    prepare: addressDefines,
    env: { ASAN_OPTIONS: "detect_leaks=1:strict_string_checks=1", UBSAN_OPTIONS: "print_stacktrace=1" },
  },
  thread: {
    folder: path.join(paths.state, "tsan"),
    prepare: async () => ({ INFERNODE_CORE_ONLY: "ON" }),
    env: { TSAN_OPTIONS: "halt_on_error=1:second_deadlock_stack=1" },
  },
};

async function addressDefines() {
  await ensurePackages();
  const source = await ensureLlamaSource();
  await ensureAddon(source);
  await step("compiling llama.cpp without our routines", (progress) =>
    buildTargets(paths.release, ["infernode_unmodified"], progress),
  );
  return {
    INFERNODE_ADDON: "OFF",
    INFERNODE_LLAMA_DIR: source.folder,
    INFERNODE_LLAMA_TREE: source.tree,
    INFERNODE_LLAMA_PREBUILT: path.join(paths.release, "bin"),
  };
}

async function build(kind, name) {
  requirePrograms("git", "cmake", "compiler", "make");
  const defines = await kind.prepare();
  dropForeignTree(kind.folder);
  await step(`compiling our code with the ${name} sanitizer`, async (progress) => {
    const settings = { ...defines, INFERNODE_SANITIZE: name, CMAKE_BUILD_TYPE: "RelWithDebInfo" };
    await configure(kind.folder, settings, progress);
    await buildTargets(kind.folder, ["all"], progress);
  });
}

await runMain(async () => {
  const name = process.argv[2];
  const kind = kinds[name];
  if (!kind) throw new SetupFailure("test-sanitized.mjs takes 'address' or 'thread'.");
  await withLock(() => build(kind, name));
  const env = { ...process.env, ...kind.env };
  return runForeground(
    "ctest",
    ["--test-dir", kind.folder, "--output-on-failure", "--parallel", `${availableParallelism()}`],
    { env },
  );
});
