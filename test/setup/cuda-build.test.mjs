// The CUDA build as CMake sees it, what is read back from its library, and what its progress
// says. Where the machine has a whole toolkit (cuBLAS, too; INFERNODE_CUDA_PYTHON may name one),
// two of ggml's own files are compiled for two architectures.
import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { groupOf, verifyLibrary } from "../../tools/setup/cuda-build.mjs";
import { findToolkit, requireParts } from "../../tools/setup/cuda-toolkit.mjs";
import { summaryOf } from "../../tools/setup/steps.mjs";

const root = path.resolve(import.meta.dirname, "../..");
const release = readFileSync(path.join(root, ".build/release/CMakeCache.txt"), "utf8");
const llama = /^INFERNODE_LLAMA_DIR:\w+=(.*)$/m.exec(release)[1];

let folder;
beforeEach(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), "infernode-cuda-build-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

function configure(...defines) {
  const wanted = [
    `INFERNODE_LLAMA_DIR=${llama}`,
    "INFERNODE_CUDA=ON",
    "INFERNODE_ADDON=OFF",
    "INFERNODE_TESTS=OFF",
  ];
  const args = ["-S", root, "-B", folder, ...[...wanted, ...defines].map((each) => `-D${each}`)];
  return spawnSync("cmake", args, { encoding: "utf8" });
}

describe("CMake's option", () => {
  it("refuses architectures as the command does", { timeout: 300_000 }, () => {
    const { status, stderr } = configure("INFERNODE_CUDA_ARCHITECTURES=80;banana");
    expect(status).toBe(1);
    expect(stderr.replace(/\s+/g, " ")).toContain(
      '"banana" is no CUDA architecture; expected numbers such as 80,90',
    );
  });

  it("builds ggml's files for the ones it names, without NCCL", { timeout: 1_800_000 }, async ({ skip }) => {
    const lacking = whatLacks();
    if (lacking !== null) {
      console.warn(`SKIPPED: compiling ggml's CUDA files: ${lacking}`);
      skip(lacking);
    }
    const { status, stdout, stderr } = configure("INFERNODE_CUDA_ARCHITECTURES=80;90");
    expect({ status, error: /CMake Error[\s\S]*/.exec(stderr)?.[0] }).toEqual({
      status: 0,
      error: undefined,
    });
    expect(stdout).toContain("building CUDA code for SASS 80, 90 and PTX 90 with CUDA");
    expect(readFileSync(path.join(folder, "CMakeCache.txt"), "utf8")).toMatch(/^GGML_CUDA_NCCL:\w+=OFF$/m);
    for (const name of ["acc", "scale"]) {
      const made = compile(`${name}.cu`);
      expect(await reads(made)).toEqual({ sass: ["80", "90"], ptx: ["90"] });
    }
  });
});

// What this machine lacks for CUDA code, or null.
function whatLacks() {
  try {
    requireParts(findToolkit(), {});
    return null;
  } catch (error) {
    return error.message;
  }
}

// Compiles one of ggml's files as the build tree would, by its list of commands.
function compile(name) {
  const commands = JSON.parse(readFileSync(path.join(folder, "compile_commands.json"), "utf8"));
  const { command, directory, output, file } = commands.find((each) =>
    each.file.endsWith(`ggml-cuda/${name}`),
  );
  const made = path.join(folder, `${name}.o`);
  const wanted = command.replace(/ -o \S+/, ` -o ${made}`);
  const { status, stderr } = spawnSync("/bin/sh", ["-c", wanted], { cwd: directory, encoding: "utf8" });
  expect({ status, stderr, output, file }).toMatchObject({ status: 0 });
  return made;
}

async function reads(file) {
  const { readCudaArchitectures } = await import("../../src/cuda-architectures.js");
  return readCudaArchitectures(file);
}

describe("what is read back from the library", () => {
  const name = "libinfernode-ggml-cuda-00000000.so";
  beforeEach(() => copyFileSync(path.join(root, "test/fixtures/cuda/library.so"), path.join(folder, name)));

  it("is what was asked for", async () => {
    expect(await verifyLibrary(folder, { arch: "90,80" })).toEqual({ sass: ["80", "90"], ptx: ["90"] });
  });

  it("is refused where it is anything else", async () => {
    await expect(verifyLibrary(folder, { arch: "80" })).rejects.toThrow(
      `${path.join(folder, name)} holds SASS 80, 90 and PTX 90, and SASS 80 and PTX 80 was asked for`,
    );
  });

  it("is refused where there is none", async () => {
    rmSync(path.join(folder, name));
    await expect(verifyLibrary(folder, { arch: "80" })).rejects.toThrow("the build made no CUDA library in");
    expect(existsSync(folder)).toBe(true);
  });
});

describe("the folder of a group", () => {
  it.each([
    [{ arch: "90,80" }, "80+90+ptx90"],
    [{ arch: "80", gpus: ["H100"] }, "80+90+ptx90"],
    [{ gpus: ["RTX 5090"] }, "120a"],
    [{ arch: "90", nccl: true }, "90+ptx90+nccl"],
  ])("%j: %s", async (wish, group) => {
    expect(await groupOf(wish)).toBe(group);
  });
});

describe("progress", () => {
  it.each([
    [{ share: 12 / 48, done: 12, of: 48 }, 60_000, "12 of 48 files, 25%, about 3 min left"],
    [{ share: 1 / 154, done: 1, of: 154 }, 60_000, "1 of 154 files, 0%, about 2.5 h left"],
    [{ share: 40 / 50, done: 40, of: 50 }, 60_000, "40 of 50 files, 80%, about 15 s left"],
    [{ share: 12 / 48, done: 12, of: 48 }, 900, "12 of 48 files, 25%"], // too early to tell
    [{ share: 1, done: 48, of: 48 }, 60_000, "48 of 48 files, 100%"],
    [{ share: 0.16 }, 60_000, "16%, about 5 min left"], // make tells no files
  ])("%j after %d ms: %s", (progress, elapsed, said) => {
    expect(summaryOf(progress, elapsed)).toBe(said);
  });
});
