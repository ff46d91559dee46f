// The native files of a platform package: addon, chat program and llama.cpp's libraries,
// with one CPU backend per x86 generation, chosen when they are loaded. Built in a tree of
// its own, stripped, and judged by the symbols they need of the system.
import { cpSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { run } from "../setup/command.mjs";
import { SetupFailure } from "../setup/failure.mjs";
import { ensureLlamaSource } from "../setup/llama-source.mjs";
import { buildTargets, configure, definesFor, dropForeignTree } from "../setup/native-build.mjs";
import { paths } from "../setup/paths.mjs";
import { step } from "../setup/steps.mjs";

// The newest symbol versions that the packages may need: those of Debian 12 and
// Ubuntu 22.04. RHEL 9 has GLIBCXX_3.4.29 and is not served.
const kNewest = { GLIBC: "2.34", GLIBCXX: "3.4.30" };

// Builds the files for this machine's platform. Resolves to their paths.
export async function buildNativeFiles(platform) {
  const folder = path.join(paths.state, `package-${platform}`);
  dropForeignTree(folder);
  const source = await ensureLlamaSource();
  const defines = { ...definesFor(source), INFERNODE_CPU_ALL_VARIANTS: "ON", INFERNODE_TESTS: "OFF" };
  await step(`configuring ${platform}`, (progress) => configure(folder, defines, progress));
  await step(`compiling ${platform} (a CPU backend per generation: many minutes)`, (progress) =>
    buildTargets(folder, ["infernode_addon"], progress),
  );
  return readFileSync(path.join(folder, "runtime-files.txt"), "utf8").split("\n").filter(Boolean);
}

// The native files of a folder in which a build left them.
export function nativeFilesIn(folder) {
  const names = readdirSync(folder).filter((name) =>
    /^(infernode\.node|infernode-chat|lib.*\.so)$/.test(name),
  );
  return names.map((name) => path.join(folder, name));
}

// Copies the files into a package, without symbols that only a debugger reads.
export async function placeNativeFiles(files, folder) {
  mkdirSync(folder, { recursive: true });
  for (const file of files) {
    const target = path.join(folder, path.basename(file));
    cpSync(file, target);
    await run("strip", ["--strip-unneeded", target], { what: "strip" });
    await refuseNewerSymbols(target);
  }
}

async function refuseNewerSymbols(file) {
  const listed = await run("objdump", ["-T", file], { what: "objdump" });
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
