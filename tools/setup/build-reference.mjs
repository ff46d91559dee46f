// Builds llama.cpp's own programs from the pinned tree, for tests and
// benchmarks to compare with: llama-simple, llama-quantize, llama-server and
// the like. On demand only, and in a build folder of its own:
//   node tools/setup/build-reference.mjs [--upstream-defaults] target...
// Without the switch the kernels are compiled with our flags; with it, as
// upstream's defaults have them (GGML_NATIVE, OpenMP). Prints the folder.
import path from "node:path";
import { runMain, SetupFailure } from "./failure.mjs";
import { ensureLlamaSource } from "./llama-source.mjs";
import { withLock } from "./lock.mjs";
import { buildTargets, configure, dropForeignTree } from "./native-build.mjs";
import { paths, root } from "./paths.mjs";
import { step } from "./steps.mjs";
import { requirePrograms } from "./toolchain.mjs";

// Leaves out what needs downloads or other libraries, and warnings; changes no kernel.
const common = {
  CMAKE_BUILD_TYPE: "Release",
  LLAMA_BUILD_TESTS: "OFF",
  LLAMA_BUILD_UI: "OFF",
  LLAMA_USE_PREBUILT_UI: "OFF",
  LLAMA_OPENSSL: "OFF",
  LLAMA_ALL_WARNINGS: "OFF",
  GGML_ALL_WARNINGS: "OFF",
};
// The language as in our build, so that a compiler's cache serves both.
const ours = {
  GGML_OPENMP: "OFF",
  CMAKE_CXX_STANDARD: "17",
  CMAKE_CXX_EXTENSIONS: "OFF",
  CMAKE_PROJECT_INCLUDE: path.join(root, "cmake/ReferenceFlags.cmake"),
};

async function build(folder, defines, targets) {
  requirePrograms("cmake", "compiler", "make");
  const source = await ensureLlamaSource();
  dropForeignTree(folder, source.folder);
  if (process.env.INFERNODE_CUDA === "1") defines.GGML_CUDA = "ON";
  await step("configuring llama.cpp's own build", (progress) =>
    configure(folder, defines, progress, source.folder),
  );
  await step(`compiling ${targets.join(" ")}`, (progress) => buildTargets(folder, targets, progress));
}

await runMain(async () => {
  const targets = process.argv.slice(2).filter((argument) => !argument.startsWith("--"));
  const upstream = process.argv.includes("--upstream-defaults");
  if (targets.length === 0) throw new SetupFailure("name at least one target, for example llama-simple.");
  const folder = path.join(paths.state, upstream ? "reference-upstream" : "reference");
  await withLock(() => build(folder, upstream ? common : { ...common, ...ours }, targets));
  process.stdout.write(`${path.join(folder, "bin")}\n`);
});
