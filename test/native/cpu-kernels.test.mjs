// What the compiler holds native/cpu to: upstream's declarations, and the instruction
// sets on which the routines were measured. Compiled with the build's own commands.
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const root = path.resolve(import.meta.dirname, "../..");
const database = JSON.parse(readFileSync(path.join(root, ".build/release/compile_commands.json"), "utf8"));
const kernels = {
  attention: "llama_attention.cpp",
  batches: "llama_q8_batches.cpp",
  floats: "llama_floats.cpp",
  panels: "llama_panels.cpp",
};
const ggml = path.join(path.dirname(path.dirname(sourceNamed("ggml-cpu/ops.cpp"))), "ggml-cpu");

const patience = { timeout: 240_000 }; // compilers on a busy machine

let altered;
beforeAll(() => {
  altered = mkdtempSync(path.join(os.tmpdir(), "infernode-headers-"));
});
afterAll(() => rmSync(altered, { recursive: true, force: true }));

function sourceNamed(ending) {
  return database.find((entry) => entry.file.endsWith(ending)).file;
}

// The compiler and its flags for a kernel, without output and instruction sets.
function commandFor(kernel) {
  const words = database.find((entry) => entry.file.endsWith(`native/cpu/${kernel}`)).command.split(/\s+/);
  const compiler = words.findIndex((word) => /(?:\+\+|clang|g\+\+|c\+\+)(?:-\d+)?$/.test(word));
  const flags = words.slice(compiler + 1).filter((word) => /^-(?:D|I|std=|isystem)/.test(word));
  return [words[compiler], flags];
}

function compile(kernel, extra) {
  const [compiler, flags] = commandFor(kernel);
  const source = path.join(root, "native/cpu", kernel);
  const result = spawnSync(compiler, [...extra, ...flags, source], { encoding: "utf8", maxBuffer: 1 << 26 });
  return { compiles: result.status === 0, output: result.stdout, errors: result.stderr };
}

const avx2 = ["-mavx2", "-mfma", "-mf16c"];
const vnni = ["-mavx512f", "-mavx512vl", "-mavx512dq", "-mavx512bw", "-mavx512vnni"];
const setsOf = { [kernels.panels]: [...avx2, ...vnni] };

// Compiles a kernel against a copy of an upstream header with one thing replaced.
function compileAgainst(kernel, header, before, after) {
  const folder = mkdtempSync(path.join(altered, "case-"));
  const copy = path.join(folder, header);
  mkdirSync(path.dirname(copy), { recursive: true });
  const original = path.join(header === "ggml-common.h" ? path.dirname(ggml) : ggml, header);
  const text = readFileSync(original, "utf8");
  expect(text).toContain(before);
  copyFileSync(original, copy);
  writeFileSync(copy, text.replace(before, after));
  return compile(kernel, ["-fsyntax-only", ...(setsOf[kernel] ?? avx2), `-I${folder}`]);
}

describe("a kernel compiles against upstream's headers", () => {
  const params = "const struct ggml_compute_params * params";
  const attention = `void ggml_compute_forward_flash_attn_ext(${params}, struct ggml_tensor * dst);`;

  const extra =
    "bool ggml_cpu_extra_compute_forward(struct ggml_compute_params * params, struct ggml_tensor * op);";

  it.each([
    ["as they are", kernels.attention, "ops.h", attention, attention],
    ["as they are", kernels.batches, "llamafile/sgemm.h", "int, int, int);", "int, int, int);"],
    ["as they are", kernels.panels, "ggml-common.h", "#define QK4_1 32", "#define QK4_1 32"],
    ["as they are", kernels.floats, "traits.h", extra, extra],
  ])("%s: %s", patience, (_, kernel, header, before, after) => {
    expect(compileAgainst(kernel, header, before, after)).toMatchObject({ compiles: true, errors: "" });
  });

  it.each([
    ["another parameter", kernels.attention, "ops.h", attention, attention.replace("dst)", "dst, int more)")],
    ["another parameter", kernels.floats, "traits.h", extra, extra.replace("op)", "op, int more)")],
    ["another result", kernels.attention, "ops.h", attention, attention.replace("void", "bool")],
    [
      "another name",
      kernels.attention,
      "ops.h",
      attention,
      attention.replace("flash_attn_ext", "flash_attn"),
    ],
    ["another parameter", kernels.batches, "llamafile/sgemm.h", "int, int, int);", "int, int);"],
    ["wider numbers", kernels.batches, "llamafile/sgemm.h", "int, int, int);", "int64_t, int, int);"],
    ["other blocks", kernels.panels, "ggml-common.h", "#define QK4_1 32", "#define QK4_1 64"],
    ["other blocks", kernels.panels, "ggml-common.h", "#define QK5_0 32", "#define QK5_0 64"],
    ["other blocks", kernels.batches, "ggml-common.h", "#define QK8_0 32", "#define QK8_0 64"],
    [
      "a scale elsewhere",
      kernels.batches,
      "ggml-common.h",
      "    ggml_half d;       // delta\n    int8_t  qs[QK8_0]; // quants\n",
      "    int8_t  qs[QK8_0]; // quants\n    ggml_half d;       // delta\n",
    ],
  ])("not with %s: %s, %s", patience, (_, kernel, header, before, after) => {
    const { compiles, errors } = compileAgainst(kernel, header, before, after);
    expect(errors).toContain("error:");
    expect(compiles).toBe(false);
  });
});

// The CPU variants upstream builds for packages, by their features.
function upstreamVariants() {
  const text = readFileSync(path.join(path.dirname(ggml), "CMakeLists.txt"), "utf8");
  const x86 = text.slice(
    text.indexOf("ggml_add_cpu_backend_variant(x64)"),
    text.indexOf('STREQUAL "ARM")\n        if'),
  );
  const calls = x86.matchAll(/ggml_add_cpu_backend_variant\((\w+)\s*([^)]*)\)/g);
  return [...calls].map(([, name, features]) => [name, features.split(/\s+/).filter(Boolean)]);
}

const flagsOf = {
  SSE42: ["-msse4.2"],
  AVX512: ["-mavx512f", "-mavx512cd", "-mavx512vl", "-mavx512dq", "-mavx512bw"],
};
const flagFor = (feature) =>
  flagsOf[feature] ?? [`-m${feature.toLowerCase().replace("_", feature.startsWith("AMX") ? "-" : "")}`];

describe.runIf(process.arch === "x64")("each routine is there where it was measured", () => {
  const withVnni = ["cascadelake", "icelake", "cooperlake", "zen4", "sapphirerapids"];
  const of256Bits = ["haswell", "alderlake"];
  const measured = [
    [kernels.attention, "INFERNODE_ATTENTION 1", [...withVnni, ...of256Bits]],
    [kernels.batches, "INFERNODE_Q8_BATCHES 1", ["haswell"]],
    [kernels.panels, "INFERNODE_PANELS 512", withVnni],
    [kernels.panels, "INFERNODE_PANELS 256", of256Bits],
    [kernels.panels, "INFERNODE_TILES 1", ["sapphirerapids"]],
    [kernels.floats, "INFERNODE_F16_PRODUCTS 1", [...withVnni, ...of256Bits]],
    [kernels.floats, "INFERNODE_BF16_PRODUCTS 1", ["cascadelake", "icelake", "sapphirerapids", ...of256Bits]],
  ];

  it.each(measured)("%s: %s", patience, (kernel, macro, sets) => {
    const variants = upstreamVariants();
    expect(variants.length).toBeGreaterThan(12);
    const having = variants.filter(([, features]) => {
      const { output, errors } = compile(kernel, ["-E", "-dM", ...features.flatMap(flagFor)]);
      expect(errors).toBe("");
      return output.includes(`#define ${macro}\n`);
    });
    expect(having.map(([name]) => name).sort()).toEqual([...sets].sort());
  });

  // A build for one machine contains them only if its processor has AVX-VNNI and no AVX-512.
  it("panels compile with the dot products of AVX-VNNI", patience, () => {
    const wanted = ["-fsyntax-only", ...avx2, "-mavxvnni"];
    expect(compile(kernels.panels, wanted)).toMatchObject({ compiles: true, errors: "" });
  });
});
