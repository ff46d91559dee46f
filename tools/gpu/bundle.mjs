// `npm run gpu:build [-- options]`: everything that `gpu:check` needs on a machine with an NVIDIA
// GPU from which nothing can be fetched, built here, where there may be no GPU, as one archive.
// It holds Node.js, this clone's dist and native files (a CPU backend for each x86 generation), a
// CUDA library thinned to one architecture, and llama.cpp's own programs to compare with.
//   --arch 90           the GPU's architecture
//   --cuda FILE|FOLDER  the CUDA library, or a folder that `infernode build --cuda` made; else the
//                       one that tools/cuda/fetch-prebuilt.mjs fetches, whose PTX the driver compiles
//   --native FOLDER     native files that are there already, e.g. build/Release for this CPU alone
//   --reference FOLDER  llama.cpp's programs that are there already (build-reference.mjs --portable)
//   --most MIB          the most that archive and working tree may have together (default 64)
// Prints the archive's path. tools/gpu/lent.sh unpacks and uses it; docs/guides/gpu.md has the day.
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
} from "node:fs";
import path from "node:path";
import { parseArgs } from "node:util";
import { findProgram, run } from "../setup/command.mjs";
import { runMain, SetupFailure } from "../setup/failure.mjs";
import { readPin } from "../setup/llama-source.mjs";
import { paths, root } from "../setup/paths.mjs";
import { say, step } from "../setup/steps.mjs";
import { requirePrograms } from "../setup/toolchain.mjs";
import { thinLibrary } from "./thin.mjs";

const kMebibyte = 2 ** 20;
const kPrograms = ["llama-batched-bench", "llama-server"];
const kFolder = path.join(paths.state, "gpu-bundle");
const kArchive = `${kFolder}.tar.xz`;
const pin = readPin().tree.slice(0, 8);

await runMain(async () => {
  const options = readOptions();
  requirePrograms("tar");
  if (findProgram("xz") === null)
    throw new SetupFailure("xz is missing; install with: apt-get install xz-utils");
  rmSync(kFolder, { recursive: true, force: true });
  mkdirSync(path.join(kFolder, "native"), { recursive: true });
  await addNode();
  cpSync(paths.dist, path.join(kFolder, "dist"), { recursive: true });
  addNative(options.native ?? (await buildNative()));
  await addCudaLibrary(options);
  addReference(options.reference ?? (await buildReference()));
  await step("compressing (a minute or two)", () => compress());
  await judgeSize(options.most);
  process.stdout.write(`${kArchive}\n`);
});

function readOptions() {
  const { values } = parseArgs({
    options: {
      arch: { type: "string", default: "90" },
      cuda: { type: "string" },
      native: { type: "string" },
      reference: { type: "string" },
      most: { type: "string", default: "64" },
    },
  });
  const [arch, most] = [Number(values.arch), Number(values.most)];
  if (!/^\d{2,3}$/.test(values.arch)) {
    throw new SetupFailure(`--arch must be one architecture, such as 90; got ${values.arch}`);
  }
  if (!(most > 0)) throw new SetupFailure(`--most must be a number of MiB above 0, got ${values.most}`);
  for (const name of ["cuda", "native", "reference"]) {
    if (values[name] !== undefined && !existsSync(values[name])) {
      throw new SetupFailure(`--${name} names ${values[name]}, which does not exist.`);
    }
  }
  return { ...values, arch, most };
}

// Without its symbols, where `strip` is.
async function addNode() {
  const target = path.join(kFolder, "node");
  copyFileSync(realpathSync(process.execPath), target);
  chmodSync(target, 0o755);
  if (findProgram("strip") !== null) await run("strip", [target]);
}

// In a process of its own, which sets an exit code: `infernode build --cpu all`.
async function buildNative() {
  const out = path.join(paths.state, "gpu-native");
  const command = [path.join(paths.dist, "cli/main.js"), "build", "--cpu", "all", "--out", out];
  await step("building the native files for every CPU", (progress) =>
    run(process.execPath, command, { onLine: progress.line, what: "infernode build --cpu all" }),
  );
  return out;
}

async function buildReference() {
  const command = [path.join(root, "tools/setup/build-reference.mjs"), "--portable", ...kPrograms];
  const said = await step("building llama.cpp's own programs", (progress) =>
    run(process.execPath, command, { onLine: progress.line, what: "build-reference.mjs" }),
  );
  return said.trim().split("\n").at(-1);
}

function addNative(folder) {
  const names = readdirSync(folder).filter((name) => /^(infernode|libinfernode-)/.test(name));
  const own = names.filter((name) => !/-ggml-(cuda|vulkan)-/.test(name));
  if (!own.includes("infernode.node")) throw new SetupFailure(`${folder} holds no infernode.node.`);
  for (const name of own) copyFileSync(path.join(folder, name), path.join(kFolder, "native", name));
}

async function addCudaLibrary({ cuda, arch }) {
  const source = cuda === undefined ? await prebuilt() : libraryAt(cuda);
  const target = path.join(kFolder, "native", `libinfernode-ggml-cuda-${pin}.so`);
  const kept = thinLibrary(source, target, arch);
  say(`${path.basename(source)}: ${(kept / kMebibyte).toFixed(1)} MiB of code for architecture ${arch}`);
  // The name by which another project's library asks for ours.
  symlinkSync(`libinfernode-ggml-base-${pin}.so`, path.join(kFolder, "native/libggml-base.so"));
}

async function prebuilt() {
  const said = await run(process.execPath, [path.join(root, "tools/cuda/fetch-prebuilt.mjs")]);
  return said.trim();
}

function libraryAt(place) {
  if (!statSync(place).isDirectory()) return place;
  const name = readdirSync(place).find((each) => /ggml-cuda.*\.so$/.test(each));
  if (name === undefined) throw new SetupFailure(`--cuda names ${place}, which holds no CUDA library.`);
  return path.join(place, name);
}

// The programs, their libraries by the names they ask for, and the CUDA library beside them.
function addReference(folder) {
  const target = path.join(kFolder, "reference");
  mkdirSync(target);
  const names = readdirSync(folder).filter(
    (name) => kPrograms.includes(name) || /^lib.*\.so(\.0)?$/.test(name),
  );
  for (const name of kPrograms) {
    if (!names.includes(name)) throw new SetupFailure(`${folder} holds no ${name}.`);
  }
  const files = new Map(); // real path -> name
  for (const name of names) {
    const real = realpathSync(path.join(folder, name));
    if (files.has(real)) symlinkSync(files.get(real), path.join(target, name));
    else copyFileSync(real, path.join(target, name));
    files.set(real, files.get(real) ?? name);
  }
  const base = names.find((name) => /^libggml-base\.so/.test(name));
  const ours = `libinfernode-ggml-base-${pin}.so`;
  if (base !== undefined) symlinkSync(base, path.join(target, ours));
  symlinkSync(`../native/libinfernode-ggml-cuda-${pin}.so`, path.join(target, "libggml-cuda.so"));
}

async function compress() {
  rmSync(kArchive, { force: true });
  const filter = "xz -T0 --x86 --lzma2=preset=9";
  await run("tar", ["-C", kFolder, "-I", filter, "-cf", kArchive, "."], { what: "tar" });
}

// What the working tree has beside it: tracked files, and new ones that git does not ignore.
async function judgeSize(most) {
  const listed = await run("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
  const files = [...new Set(listed.split("\0"))].map((name) => path.join(root, name));
  const tree = files
    .filter((file) => existsSync(file) && statSync(file).isFile())
    .map((file) => statSync(file).size);
  const [archive, rest] = [statSync(kArchive).size, tree.reduce((sum, size) => sum + size, 0)];
  const told = `the archive has ${mib(archive)} MiB, the working tree ${mib(rest)} MiB`;
  if (archive + rest <= most * kMebibyte) return say(told);
  throw new SetupFailure(
    `${told}, more than ${most} MiB together; leave the tests behind for the day ` +
      "(`git sparse-checkout set --no-cone '/*' '!/test/'`, later `git sparse-checkout disable`).",
  );
}

// A declaration: the work above begins before the end of this file is reached.
function mib(bytes) {
  return (bytes / kMebibyte).toFixed(1);
}
