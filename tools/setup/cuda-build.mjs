// What CMake needs to build the CUDA backend: architectures (cuda-architectures.mjs) and the
// toolkit's parts by path (cuda-toolkit.mjs), so that one toolkit is used whichever others CMake
// would find; and what the result holds, read back from the library.
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { run } from "./command.mjs";
import { architecturesFor, refuseUnbuildable, spelled } from "./cuda-architectures.mjs";
import { driverFunctions, findToolkit, headerFolder, libraryFile, requireParts } from "./cuda-toolkit.mjs";
import { SetupFailure } from "./failure.mjs";
import { paths } from "./paths.mjs";
import { say } from "./steps.mjs";
import { cmakeVersion } from "./toolchain.mjs";

// The wish that the environment states, for builds that have no command line.
export function wishOfEnvironment() {
  const { env } = process;
  return {
    arch: env.INFERNODE_CUDA_ARCHITECTURES || env.CMAKE_CUDA_ARCHITECTURES || undefined,
    nccl: env.INFERNODE_CUDA_NCCL === "1",
  };
}

// The name of what `wish` builds, e.g. "80+90+ptx90": a cache keeps one library for each.
export async function groupOf(wish) {
  const { group } = await architecturesFor(wish, () => findToolkit(wish));
  return wish.nccl ? `${group}+nccl` : group;
}

// The toolkit for `wish`, { arch?, gpus?, nccl?, python? }, and what is chosen; refuses a toolkit
// that lacks a part or cannot build it. Needs cmake.
export async function requireToolkit(wish) {
  const toolkit = findToolkit(wish);
  const chosen = await architecturesFor(wish, () => toolkit);
  refuseUnbuildable(chosen, toolkit, await cmakeVersion());
  requireParts(toolkit, wish);
  return { toolkit, chosen };
}

// CMake's variables for `wish`; says what is built with what.
export async function cudaDefines(wish) {
  const { toolkit, chosen } = await requireToolkit(wish);
  say(`building CUDA code for ${spelled(chosen)} with CUDA ${toolkit.version} in ${toolkit.folder}`);
  for (const note of chosen.notes) say(note);
  return {
    CMAKE_CUDA_ARCHITECTURES: chosen.cmake,
    CMAKE_CUDA_COMPILER: toolkit.nvcc,
    CMAKE_CUDA_FLAGS: flagsFor(toolkit, wish.nccl),
    CUDAToolkit_ROOT: toolkit.folder,
    CUDA_CUDART: libraryFile(toolkit, "libcudart.so"),
    CUDA_cudart_LIBRARY: libraryFile(toolkit, "libcudart.so"),
    CUDA_cublas_LIBRARY: libraryFile(toolkit, "libcublas.so"),
    CUDA_cublasLt_LIBRARY: libraryFile(toolkit, "libcublasLt.so"),
    CUDA_cuda_driver_LIBRARY: libraryFile(toolkit, "libcuda.so") ?? (await driverStub(toolkit)),
    INFERNODE_CUDA_NCCL: wish.nccl ? "ON" : "OFF",
    ...(wish.nccl && {
      NCCL_INCLUDE_DIR: headerFolder(toolkit, "nccl.h"),
      NCCL_LIBRARY: libraryFile(toolkit, "libnccl.so"),
    }),
  };
}

// Folders that nvcc does not search by itself.
function flagsFor(toolkit, nccl) {
  const headers = ["cuda_runtime.h", "cub/cub.cuh", "cublas_v2.h", ...(nccl ? ["nccl.h"] : [])];
  const folders = new Set(headers.map((header) => headerFolder(toolkit, header)));
  const more = [...folders].filter(
    (folder) => !toolkit.own.headers.includes(folder) && folder !== "/usr/include",
  );
  const linked = path.dirname(libraryFile(toolkit, "libcudart.so"));
  const flags = more.map((folder) => `-isystem ${folder}`);
  if (!toolkit.own.libraries.includes(linked)) flags.push(`-L${linked}`);
  return [process.env.CUDAFLAGS, ...flags].filter(Boolean).join(" ");
}

// A library that only a linker reads, in place of the driver's, which comes with the GPU: pip's
// packages have none. It defines every function that the driver's header declares.
async function driverStub(toolkit) {
  const names = driverFunctions(toolkit);
  if (names.length === 0) throw new SetupFailure(`the CUDA toolkit in ${toolkit.folder} lacks cuda.h.`);
  const folder = path.join(paths.state, `cuda-driver-stub-${toolkit.version}`);
  const library = path.join(folder, "libcuda.so");
  if (existsSync(library)) return library;
  mkdirSync(folder, { recursive: true });
  const source = path.join(folder, "stub.c");
  writeFileSync(source, names.map((name) => `void ${name}(void) {}\n`).join(""));
  const args = ["-w", "-shared", "-fPIC", "-Wl,-soname,libcuda.so.1", "-o", library, source];
  await run(process.env.CC || "cc", args, { what: "the C compiler" });
  return library;
}

// Says what the CUDA library in `folder` holds, and fails where that is not what was asked for.
// Resolves to { sass, ptx }.
export async function verifyLibrary(folder, wish) {
  const name = readdirSync(folder).find((each) => /^libinfernode-ggml-cuda-\w+\.so$/.test(each));
  if (name === undefined) throw new SetupFailure(`the build made no CUDA library in ${folder}.`);
  const held = await architecturesIn(path.join(folder, name));
  say(`${name} holds ${spelled(held)}`);
  const wanted = await architecturesFor(wish, () => findToolkit(wish));
  if (spelled(held) === spelled(wanted)) return held;
  throw new SetupFailure(
    `${path.join(folder, name)} holds ${spelled(held)}, and ${spelled(wanted)} was asked for; ` +
      "delete the folder of the build and build again.",
  );
}

// The product's own reader (src/cuda-architectures.ts), from dist/.
export async function architecturesIn(file) {
  const module = pathToFileURL(path.join(paths.dist, "cuda-architectures.js")).href;
  return (await import(module)).readCudaArchitectures(file);
}
