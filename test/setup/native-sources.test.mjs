// The lists of native sources: a name that is no file stops the build and is told.
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";

const root = path.resolve(import.meta.dirname, "../..");
const cache = readFileSync(path.join(root, ".build/release/CMakeCache.txt"), "utf8");
const llama = /^INFERNODE_LLAMA_DIR:\w+=(.*)$/m.exec(cache)[1];
const patience = { timeout: 300_000 };

let copy;
beforeEach(() => {
  copy = mkdtempSync(path.join(os.tmpdir(), "infernode-sources-"));
  cpSync(path.join(root, "CMakeLists.txt"), path.join(copy, "CMakeLists.txt"));
  cpSync(path.join(root, "cmake"), path.join(copy, "cmake"), { recursive: true });
  for (const name of ["native", "third_party", "node_modules", "package.json"])
    symlinkSync(path.join(root, name), path.join(copy, name));
});
afterEach(() => rmSync(copy, { recursive: true, force: true }));

function replace(file, before, after) {
  const text = readFileSync(path.join(copy, file), "utf8");
  expect(text).toContain(before);
  writeFileSync(path.join(copy, file), text.replace(before, after));
}

function configure(defines) {
  const custom = Object.entries({ INFERNODE_TESTS: "OFF", INFERNODE_LLAMA_DIR: llama, ...defines });
  const args = [
    "-S",
    copy,
    "-B",
    path.join(copy, "build"),
    ...custom.map(([name, value]) => `-D${name}=${value}`),
  ];
  const result = spawnSync("cmake", args, { encoding: "utf8", maxBuffer: 1 << 26 });
  // CMake breaks its lines.
  return { succeeds: result.status === 0, errors: result.stderr.replace(/\s+/g, " ") };
}

// With the libraries of the real build: llama.cpp itself is not configured.
const withLibraries = { INFERNODE_LLAMA_PREBUILT: path.join(root, ".build/release/bin") };

it("configures with the lists as they are", patience, () => {
  expect(configure(withLibraries)).toMatchObject({ succeeds: true });
});

it("refuses a file of test/native that nothing would run", patience, () => {
  mkdirSync(path.join(copy, "test/native"), { recursive: true });
  cpSync(path.join(root, "test/native/CMakeLists.txt"), path.join(copy, "test/native/CMakeLists.txt"));
  writeFileSync(path.join(copy, "test/native/fork_tests.cpp"), "");
  const { succeeds, errors } = configure({ ...withLibraries, INFERNODE_TESTS: "ON" });
  expect(succeeds).toBe(false);
  expect(errors).toContain("fork_tests.cpp: expected a name that ends in _test.cpp or _bench.cpp");
});

// CMake names the first one of each target.
const misspelt = [
  {
    "native/core/scheduling/publihser.cpp": "native/core/scheduling/publisher.cpp",
    "native/model/gguf_filf.cpp": "native/model/gguf_file.cpp",
    "native/napi/convret.cpp": "native/napi/convert.cpp",
    "native/chat/conversatoin.cpp": "native/chat/conversation.cpp",
  },
];
if (process.arch === "x64") {
  misspelt.push({
    "native/core/sampling/sampler_kernels_avx.cpp": "native/core/sampling/sampler_kernels_avx2.cpp",
  });
  misspelt.push({
    "native/core/sampling/sampler_kernels_avx521.cpp": "native/core/sampling/sampler_kernels_avx512.cpp",
  });
}

it.each(misspelt)("names the listed files that are not there: %o", patience, (names) => {
  for (const [wrong, right] of Object.entries(names)) replace("CMakeLists.txt", right, wrong);
  const { succeeds, errors } = configure(withLibraries);
  expect(succeeds).toBe(false);
  for (const name of Object.keys(names)) expect(errors).toContain(`Cannot find source file: ${name}`);
});

it("names a folder of libraries that holds none", patience, () => {
  const { succeeds, errors } = configure({ INFERNODE_LLAMA_PREBUILT: path.join(copy, "nowhere") });
  expect(succeeds).toBe(false);
  expect(errors).toContain("nowhere holds no libraries of the tree");
});

it("names a kernel that is not there, and a routine of llama.cpp's that a kernel has lost", patience, () => {
  replace("CMakeLists.txt", "native/cpu/llama_attention.cpp", "native/cpu/llama_atention.cpp");
  const kernel = configure({ INFERNODE_ADDON: "OFF" });
  expect(kernel.succeeds).toBe(false);
  expect(kernel.errors).toContain("native/cpu/llama_atention.cpp");
  replace(
    "cmake/InfernodeCpuKernels.cmake",
    "llamafile/sgemm.cpp llamafile_sgemm",
    "llamafile/gemm.cpp llamafile_sgemm",
  );
  const routine = configure({ INFERNODE_ADDON: "OFF" });
  expect(routine.succeeds).toBe(false);
  expect(routine.errors).toContain("ggml-cpu is not made of ggml-cpu/llamafile/gemm.cpp");
});
