// The native files of a platform package: addon, chat program and llama.cpp's libraries,
// with one CPU backend per CPU generation, chosen when they are loaded. Built in a tree of
// its own, stripped, and judged by the symbols they need of the system.
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { run } from "../setup/command.mjs";
import { cudaDefines, verifyLibrary, wishOfEnvironment } from "../setup/cuda-build.mjs";
import { SetupFailure } from "../setup/failure.mjs";
import { ensureLlamaSource } from "../setup/llama-source.mjs";
import { buildTargets, configure, definesFor, dropForeignTree } from "../setup/native-build.mjs";
import { paths } from "../setup/paths.mjs";
import { say, step } from "../setup/steps.mjs";
import { buildToolsFor, platformOf } from "./platforms.mjs";

// The newest symbol versions that the packages may need: those of Debian 12 and
// Ubuntu 22.04. RHEL 9 has GLIBCXX_3.4.29 and is not served.
const kNewest = { GLIBC: "2.34", GLIBCXX: "3.4.30" };

// Builds the files for a platform. `variants` are the CPU variants by upstream's names, all
// that the compiler takes where there are none. Resolves to the files' paths.
export async function buildNativeFiles(platform, variants = []) {
  const { toolchain } = buildToolsFor(platform);
  const folder = path.join(paths.state, `package-${platform}`);
  dropForeignTree(folder);
  const source = await ensureLlamaSource();
  const cuda = process.env.INFERNODE_CUDA === "1" ? wishOfEnvironment() : null;
  const defines = {
    ...definesFor(source),
    ...(cuda && (await cudaDefines(cuda))),
    INFERNODE_CPU_ALL_VARIANTS: "ON",
    INFERNODE_CPU_VARIANTS: variants.join(";"),
    INFERNODE_TESTS: "OFF",
    ...(toolchain && { CMAKE_TOOLCHAIN_FILE: toolchain }),
  };
  await step(`configuring ${platform}`, (progress) => configure(folder, defines, progress));
  for (const line of linesOf(folder, "cpu-variants-left-out.txt")) say(`${platform} goes without ${line}`);
  await step(`compiling ${platform} (a CPU backend per generation: many minutes)`, (progress) =>
    buildTargets(folder, ["infernode_addon"], progress),
  );
  if (cuda) await verifyLibrary(path.join(folder, "bin"), cuda);
  return linesOf(folder, "runtime-files.txt");
}

function linesOf(folder, name) {
  return readFileSync(path.join(folder, name), "utf8").split("\n").filter(Boolean);
}

// The platform and the native files of a folder in which a build left them.
export function nativeFilesIn(folder) {
  const addon = path.join(folder, "infernode.node");
  if (!existsSync(addon)) {
    throw new SetupFailure(`--native must name a folder that holds infernode.node, got ${folder}.`);
  }
  const names = readdirSync(folder).filter((name) =>
    /^(infernode\.node|infernode-chat|lib.*\.so)$/.test(name),
  );
  return { platform: platformOf(addon), files: names.map((name) => path.join(folder, name)) };
}

// Copies the files into a package, without symbols that only a debugger reads.
export async function placeNativeFiles(files, folder, platform) {
  const { prefix } = buildToolsFor(platform);
  mkdirSync(folder, { recursive: true });
  for (const file of files) {
    if (platformOf(file) !== platform) throw new SetupFailure(`${file} is not for ${platform}.`);
    const target = path.join(folder, path.basename(file));
    cpSync(file, target);
    await run(`${prefix}strip`, ["--strip-unneeded", target], { what: "strip" });
    await refuseNewerSymbols(target, prefix);
  }
}

async function refuseNewerSymbols(file, prefix) {
  const listed = await run(`${prefix}objdump`, ["-T", file], { what: "objdump" });
  for (const [family, newest] of Object.entries(kNewest)) {
    const needed = [...listed.matchAll(new RegExp(`\\(?\\b${family}_([0-9.]+)\\)?`, "g"))].map(
      ([, version]) => version,
    );
    const newer = needed.find((version) => isNewer(version, newest));
    if (newer === undefined) continue;
    throw new SetupFailure(
      `${path.basename(file)} needs ${family}_${newer}, and packages may need ${newest} at most; ` +
        "build them on Debian 12 or Ubuntu 22.04.",
    );
  }
}

export function isNewer(version, than) {
  const [a, b] = [version, than].map((each) => each.split(".").map(Number));
  for (let i = 0; i < Math.max(a.length, b.length); i += 1) {
    if ((a[i] ?? 0) !== (b[i] ?? 0)) return (a[i] ?? 0) > (b[i] ?? 0);
  }
  return false;
}
