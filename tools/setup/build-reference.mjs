// Builds llama.cpp's own programs from the pinned tree, for tests and
// benchmarks to compare with: llama-simple, llama-quantize, llama-server and
// the like. On demand only, and in a build folder of its own:
//   node tools/setup/build-reference.mjs [--upstream-defaults | --portable] target...
// Without a switch the kernels are compiled with our flags; with --upstream-defaults as
// upstream's defaults have them (GGML_NATIVE, OpenMP); with --portable for any CPU with AVX2, and
// devices' backends are loaded from the programs' folder when they start. Prints the folder.
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
const language = { CMAKE_CXX_STANDARD: "17", CMAKE_CXX_EXTENSIONS: "OFF" };
const ours = {
  ...language,
  GGML_OPENMP: "OFF",
  CMAKE_PROJECT_INCLUDE: path.join(root, "cmake/ReferenceFlags.cmake"),
};
const portable = {
  ...language,
  GGML_NATIVE: "OFF",
  GGML_OPENMP: "OFF",
  GGML_BACKEND_DL: "ON",
  BUILD_SHARED_LIBS: "ON",
  CMAKE_BUILD_RPATH_USE_ORIGIN: "ON",
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

function kindOf(args) {
  if (args.includes("--upstream-defaults")) return { name: "reference-upstream", defines: {} };
  if (args.includes("--portable")) return { name: "reference-portable", defines: portable };
  return { name: "reference", defines: ours };
}

await runMain(async () => {
  const targets = process.argv.slice(2).filter((argument) => !argument.startsWith("--"));
  const { name, defines } = kindOf(process.argv);
  if (targets.length === 0) throw new SetupFailure("name at least one target, for example llama-simple.");
  const folder = path.join(paths.state, name);
  await withLock(() => build(folder, { ...common, ...defines }, targets));
  process.stdout.write(`${path.join(folder, "bin")}\n`);
});
