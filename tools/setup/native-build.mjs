// The native build: one CMake tree in .build/release, configured by cmake-js
// (or plain cmake under node-gyp), and copies of what it made in build/Release,
// where node-gyp-build looks. Which files to copy, CMake itself has listed.
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import os from "node:os";
import path from "node:path";
import { findProgram, run } from "./command.mjs";
import { cudaDefines, verifyLibrary, wishOfEnvironment } from "./cuda-build.mjs";
import { filesBelow, fingerprint, isCurrent, markCurrent, markStale } from "./fingerprint.mjs";
import { lockedVersion } from "./packages.mjs";
import { paths, root } from "./paths.mjs";
import { say, step } from "./steps.mjs";
import { requireCmakeVersion, requireGlslc, requirePrograms } from "./toolchain.mjs";

// Environment variables that change what is built.
const kBuildVariables = ["CC", "CXX", "CFLAGS", "CXXFLAGS", "LDFLAGS", "CMAKE_CUDA_ARCHITECTURES"];
const kCudaVariables = [
  "INFERNODE_CUDA_ARCHITECTURES",
  "INFERNODE_CUDA_NCCL",
  "INFERNODE_CUDA_PYTHON",
  "CUDACXX",
  "CUDAFLAGS",
  "CUDAHOSTCXX",
  "CUDA_HOME",
  "CUDA_PATH",
];
const kSwitches = [
  "INFERNODE_CUDA",
  "INFERNODE_VULKAN",
  "INFERNODE_CPU_ALL_VARIANTS",
  "INFERNODE_WERROR",
  "INFERNODE_CHAT_BRIDGE",
];

const jobs = () => Number(process.env.INFERNODE_JOBS) || os.availableParallelism();

// Builds the addon unless it is current. `source` is ensureLlamaSource()'s.
export async function ensureAddon(source, { nodeInclude } = {}) {
  const print = fingerprint(addonInputs(source));
  if (!nodeInclude && isCurrent("addon", print)) return;
  await buildAddon(source, { nodeInclude });
  markCurrent("addon", print, filesBelow(paths.addonFolder).filter(isOurs));
}

// Builds the addon, the native tests and the program the parity test runs.
export async function ensureNativeTests(source) {
  const inputs = addonInputs(source);
  const print = fingerprint({ ...inputs, files: [...inputs.files, ...filesBelow("test/native")] });
  if (isCurrent("native-tests", print)) return;
  await ensureAddon(source);
  markStale("native-tests");
  await step("compiling the native tests", (progress) =>
    buildTargets(paths.release, ["all", "llama-simple"], progress),
  );
  markCurrent("native-tests", print, filesBelow(path.join(paths.release, "bin")));
}

async function buildAddon(source, { nodeInclude }) {
  requirePrograms("cmake", "compiler", "make");
  await requireCmakeVersion();
  if (process.env.INFERNODE_VULKAN === "1") await requireGlslc();
  const cuda = process.env.INFERNODE_CUDA === "1" ? wishOfEnvironment() : null;
  const defines = { ...definesFor(source), ...(cuda && (await cudaDefines(cuda))) };
  markStale("addon");
  dropForeignTree(paths.release);
  await step("configuring the native build", (progress) => {
    if (nodeInclude) {
      return configure(paths.release, { ...defines, INFERNODE_NODE_API_INCLUDE: nodeInclude }, progress);
    }
    return configureByCmakeJs(defines, progress);
  });
  await step("compiling (llama.cpp takes minutes the first time)", (progress) =>
    buildTargets(paths.release, ["infernode_addon"], progress),
  );
  copyRuntime(paths.release, paths.addonFolder);
  if (cuda) await verifyLibrary(paths.addonFolder, cuda);
}

// What the native files are made from, as fingerprint() takes it.
export function addonInputs({ tree, folder }) {
  const values = {
    tree,
    folder,
    platform: `${process.platform}-${process.arch}`,
    cpu: cpuFlags(),
    addonApi: lockedVersion("node-addon-api"),
    headers: lockedVersion("node-api-headers"),
    variables: [...kBuildVariables, ...kCudaVariables, ...kSwitches].map((name) => process.env[name] ?? ""),
  };
  const files = filesBelow(
    "CMakeLists.txt",
    "cmake",
    "native",
    "test/native/CMakeLists.txt",
    "third_party/headers.json",
  );
  return { values, files };
}

// The line CMake reads the instruction sets from: another CPU builds anew.
export function cpuFlags() {
  try {
    return /^flags\s*:\s*(.*)$/m.exec(readFileSync("/proc/cpuinfo", "utf8"))?.[1] ?? "";
  } catch {
    return os.cpus()[0]?.model ?? "";
  }
}

// `switches` decide before the environment does.
export function definesFor({ folder, tree }, switches = {}) {
  const defines = { INFERNODE_LLAMA_DIR: folder, INFERNODE_LLAMA_TREE: tree };
  for (const name of kSwitches) defines[name] = (switches[name] ?? process.env[name] === "1") ? "ON" : "OFF";
  return defines;
}

function configureByCmakeJs(defines, progress) {
  const custom = Object.entries(defines).map(([name, value]) => `--CD${name}=${value}`);
  const args = [
    paths.cmakeJs,
    "configure",
    "--directory",
    root,
    "--out",
    paths.release,
    "--config",
    "Release",
  ];
  return run(process.execPath, [...args, ...custom], { onLine: progress.line, what: "cmake-js configure" });
}

// Configures any build folder with plain cmake.
export function configure(folder, defines, progress, source = root) {
  const generator =
    !existsSync(path.join(folder, "CMakeCache.txt")) && findProgram("ninja") ? ["-G", "Ninja"] : [];
  const custom = Object.entries(defines).map(([name, value]) => `-D${name}=${value}`);
  return run("cmake", ["-S", source, "-B", folder, ...generator, ...custom], {
    onLine: progress.line,
    what: "cmake",
  });
}

// A build that was killed may have left half-written objects which make takes
// for whole ones: if the next build fails, it is tried once more from clean.
export async function buildTargets(folder, targets, progress, count = jobs()) {
  const marker = path.join(folder, ".building");
  const interrupted = existsSync(marker);
  const args = ["--build", folder, "--parallel", String(count), "--target", ...targets];
  const build = (extra) =>
    run("cmake", [...args, ...extra], { onLine: progress.line, what: "the native build" });
  writeFileSync(marker, "");
  try {
    await build([]);
  } catch (error) {
    if (!interrupted) throw error;
    say("the last build was interrupted and this one failed; building again from clean");
    await build(["--clean-first"]);
  } finally {
    rmSync(marker, { force: true });
  }
}

// A tree configured elsewhere (a moved checkout) is of no use to cmake here.
export function dropForeignTree(folder, source = root) {
  const cache = path.join(folder, "CMakeCache.txt");
  if (!existsSync(cache)) return;
  const home = /^CMAKE_HOME_DIRECTORY:INTERNAL=(.*)$/m.exec(readFileSync(cache, "utf8"))?.[1];
  if (home !== source) rmSync(folder, { recursive: true, force: true });
}

export const isOurs = (file) =>
  /(^infernode\.node|^infernode-chat|^libinfernode-.*\.(so|dylib))$/.test(path.basename(file));

// Copies what a build tree has made, by rename: a running process keeps the file it has mapped.
export function copyRuntime(tree, folder) {
  const made = readFileSync(path.join(tree, "runtime-files.txt"), "utf8").split("\n").filter(Boolean);
  mkdirSync(folder, { recursive: true });
  const names = made.map((file) => path.basename(file));
  for (const file of made) {
    const target = path.join(folder, path.basename(file));
    copyFileSync(file, `${target}.partial`);
    renameSync(`${target}.partial`, target);
  }
  for (const name of readdirSync(folder)) {
    if (name.endsWith(".partial") || (isOurs(name) && !names.includes(name))) {
      rmSync(path.join(folder, name), { force: true });
    }
  }
}
