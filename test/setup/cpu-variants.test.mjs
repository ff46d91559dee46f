// CPU variants that the build leaves out: those whose flags the compiler refuses, and those
// that nobody asked for. The compiler is this machine's, told to refuse one flag.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

const root = path.resolve(import.meta.dirname, "../..");
const cache = readFileSync(path.join(root, ".build/release/CMakeCache.txt"), "utf8");
const cached = (name) => new RegExp(`^${name}:\\w+=(.*)$`, "m").exec(cache)[1];
const patience = { timeout: 300_000 };

let folder;
beforeEach(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), "infernode-variants-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

// { variants, leftOut } of a build that is configured, not made.
function configure(...defines) {
  const wanted = [
    `INFERNODE_LLAMA_DIR=${cached("INFERNODE_LLAMA_DIR")}`,
    "INFERNODE_CPU_ALL_VARIANTS=ON",
    "INFERNODE_TESTS=OFF",
    ...defines,
  ];
  const args = ["-S", root, "-B", path.join(folder, "build"), ...wanted.map((each) => `-D${each}`)];
  const { status, stderr } = spawnSync("cmake", args, { encoding: "utf8" });
  expect({ status, error: /CMake Error[\s\S]*/.exec(stderr)?.[0] }).toEqual({ status: 0, error: undefined });
  const read = (name) => readFileSync(path.join(folder, "build", name), "utf8");
  return {
    variants: [...read("runtime-files.txt").matchAll(/-ggml-cpu-(.*)-\w+\.so$/gm)].map(([, name]) => name),
    leftOut: read("cpu-variants-left-out.txt"),
  };
}

describe.runIf(process.arch === "x64")("the CPU variants of a package", () => {
  it("are without those whose flags the compiler refuses, and the build says so", patience, () => {
    const compiler = path.join(folder, "c++");
    const refusal = `case " $* " in *" -mavx512bf16 "*) echo "unknown flag" >&2; exit 1;; esac`;
    const script = `#!/bin/sh\n${refusal}\nexec ${cached("CMAKE_CXX_COMPILER")} "$@"\n`;
    writeFileSync(compiler, script, { mode: 0o755 });
    const { variants, leftOut } = configure(`CMAKE_CXX_COMPILER=${compiler}`);
    expect(variants).toContain("haswell");
    const names = leftOut.split("\n").flatMap((line) => line.split(":")[0] || []);
    expect(names.sort()).toEqual(["cooperlake", "sapphirerapids", "zen4"]);
    expect(variants.filter((name) => names.includes(name))).toEqual([]);
    expect(leftOut).toMatch(/^zen4: \w+ [\d.]+ refuses -msse4\.2 .*-mavx512bf16/m);
  });

  it("are the ones that were asked for", patience, () => {
    const { variants, leftOut } = configure("INFERNODE_CPU_VARIANTS=x64;haswell");
    expect(variants).toEqual(["x64", "haswell"]);
    expect(leftOut).toBe("");
  });
});
