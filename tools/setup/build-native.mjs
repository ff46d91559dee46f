// `infernode build`: compiles the native files for this machine into a folder that
// INFERNODE_NATIVE can name, from a clone or from the sources in an installed package.
// Owns one folder per set of options; writes to stdout the line that names it.
import { accessSync, constants, existsSync, mkdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { judgeWish, UnknownArchitecture } from "./cuda-architectures.mjs";
import { cudaDefines, groupOf, requireToolkit, verifyLibrary, wishOfEnvironment } from "./cuda-build.mjs";
import { runMain, SetupFailure } from "./failure.mjs";
import { filesBelow, fingerprint, isCurrent, markCurrent, markStale } from "./fingerprint.mjs";
import { ensureHeaders, headersArePresent } from "./headers.mjs";
import { ensureLlamaSource, readPin } from "./llama-source.mjs";
import { withLock } from "./lock.mjs";
import {
  addonInputs,
  buildTargets,
  configure,
  copyRuntime,
  cpuFlags,
  definesFor,
  dropForeignTree,
  isOurs,
} from "./native-build.mjs";
import { paths, root } from "./paths.mjs";
import { say, step } from "./steps.mjs";
import { requireCmakeVersion, requireGlslc, requirePrograms } from "./toolchain.mjs";

// `options`: { cpu: "native" | "all", cuda: boolean, arch?, gpu?, nccl?, cudaPython?, vulkan?, jobs?,
// out? }, judged by src/cli/build.ts. Sets the process's exit code.
export function buildNative(options) {
  return runMain(() => build(options));
}

// A sentence about architectures or GPUs that nobody knows; undefined where all are known.
export async function misuseOf({ arch, gpu }) {
  try {
    await judgeWish({ arch, gpus: gpu });
    return undefined;
  } catch (error) {
    if (error instanceof UnknownArchitecture) return error.message;
    throw error;
  }
}

// What of the command line the CUDA build is about; null without one.
function cudaWishOf({ cuda, arch, gpu, nccl, cudaPython }) {
  if (!cuda) return null;
  const environment = wishOfEnvironment();
  return {
    arch: arch ?? (gpu === undefined ? environment.arch : undefined),
    gpus: gpu,
    nccl: nccl || environment.nccl,
    python: cudaPython,
  };
}

async function build(given) {
  const options = { ...given, wish: cudaWishOf(given) };
  const key = await keyOf(options);
  const out = path.resolve(options.out ?? path.join(paths.cache, key));
  requireFolder(paths.state, "set XDG_CACHE_HOME to another folder");
  requireFolder(out, "name another one with --out");
  // Before waiting for another set-up: a wish that no tool here can fulfil is refused at once.
  if (!existsSync(path.join(out, "infernode.node"))) await requireTools(options);
  await withLock(async () => {
    const source = await ensureLlamaSource();
    const defines = definesFor(source, switchesOf(options));
    const { values, files } = addonInputs(source);
    const print = fingerprint({ values: { ...values, defines }, files });
    const stamp = `native-${fingerprint({ values: { out } }).slice(0, 16)}`;
    if (isCurrent(stamp, print)) return say("the native files are current");
    await compile({ key, out, defines, stamp, print }, options);
  });
  process.stdout.write(`INFERNODE_NATIVE=${quoted(out)}\n`);
}

// Before anything is downloaded.
async function requireTools({ wish, vulkan }) {
  const fetching = !existsSync(paths.llamaSource) || !headersArePresent();
  requirePrograms("git", "tar", "cmake", "compiler", "make", ...(fetching ? ["npm"] : []));
  await requireCmakeVersion();
  if (vulkan) await requireGlslc();
  if (wish !== null) await requireToolkit(wish);
}

async function compile({ key, out, defines, stamp, print }, options) {
  await requireTools(options);
  const { wish } = options;
  const cuda = wish === null ? {} : await cudaDefines(wish);
  const headers = await ensureHeaders();
  const tree = path.join(paths.state, "native", key);
  markStale(stamp);
  dropForeignTree(tree);
  await step("configuring the native build", (progress) =>
    configure(
      tree,
      {
        ...defines,
        ...cuda,
        ...headers,
        INFERNODE_TESTS: "OFF",
        INFERNODE_CCACHE_BASE: folderOfBoth(root, tree),
      },
      progress,
    ),
  );
  await step("compiling llama.cpp and the addon (minutes)", (progress) =>
    buildTargets(tree, ["infernode_addon"], progress, options.jobs),
  );
  copyRuntime(tree, out);
  if (wish !== null) await verifyLibrary(out, wish);
  markCurrent(stamp, print, filesBelow(out).filter(isOurs));
}

// One folder for each version of infernode and llama.cpp and set of options, and for each
// CPU that is built for: projects and machines with one cache load none of each other's files.
async function keyOf({ cpu, wish, vulkan }) {
  const { version } = JSON.parse(readFileSync(path.join(root, "package.json"), "utf8"));
  const devices = [...(wish === null ? [] : ["cuda", await groupOf(wish)]), ...(vulkan ? ["vulkan"] : [])];
  const platform = `${process.platform}-${process.arch}`;
  const cpus = cpu === "all" ? "cpu-all" : `cpu-${fingerprint({ values: cpuFlags() }).slice(0, 8)}`;
  return [version, readPin().tree.slice(0, 8), platform, cpus, ...devices].join("-");
}

function switchesOf({ cpu, cuda, vulkan }) {
  return { INFERNODE_CUDA: cuda, INFERNODE_VULKAN: vulkan, INFERNODE_CPU_ALL_VARIANTS: cpu === "all" };
}

function requireFolder(folder, remedy) {
  try {
    mkdirSync(folder, { recursive: true });
    accessSync(folder, constants.W_OK);
  } catch (error) {
    throw new SetupFailure(`the folder ${folder} cannot be written (${error.code}); ${remedy}.`);
  }
}

// The folder that holds both; the first where only the file system's root does.
function folderOfBoth(first, second) {
  const parts = first.split(path.sep);
  const other = second.split(path.sep);
  const end = parts.findIndex((part, index) => part !== other[index]);
  const shared = parts.slice(0, end === -1 ? parts.length : end);
  return shared.length > 1 ? shared.join(path.sep) : first;
}

// As a shell reads it.
function quoted(text) {
  return /^[\w./+@:-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
