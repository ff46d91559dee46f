// Which architectures a CUDA library is for, read from what nvcc writes: from checked-in files
// of nvcc 13.0 everywhere, from what this machine's nvcc makes of the same kernel where there is
// one, and from another project's library where tools/cuda/fetch-prebuilt.mjs has fetched it.
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { cudaCodeFor, readCudaArchitectures } from "../src/cuda-architectures.js";

const fixture = (name: string) => fileURLToPath(new URL(`fixtures/cuda/${name}`, import.meta.url));
const prebuilt = fileURLToPath(new URL("../.build/prebuilt-cuda/libggml-cuda.so", import.meta.url));
const nvcc = spawnSync("nvcc", ["--list-gpu-arch"], { encoding: "utf8" });
const canCompile = (architecture: number) => (nvcc.stdout ?? "").includes(`compute_${architecture}\n`);

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "infernode-cuda-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** A copy of the fixture, changed by `change`. */
function changed(name: string, change: (bytes: Buffer) => void): string {
  const bytes = readFileSync(fixture(name));
  change(bytes);
  const file = join(folder, `changed-${name}`);
  writeFileSync(file, bytes);
  return file;
}

const made = [
  ["sm_80.fatbin", ["80"], []],
  ["sm_90a.fatbin", ["90a"], []],
  ["sm_120.fatbin", ["120"], []],
  ["sm_120a.fatbin", ["120a"], []],
  ["sm_120f.fatbin", ["120f"], []],
  ["compute_90.fatbin", [], ["90"]],
] as const;

describe("the architectures of what nvcc 13.0 made", () => {
  it.each(made)("%s", (name, sass, ptx) => {
    expect(readCudaArchitectures(fixture(name))).toEqual({ sass, ptx });
  });

  it("a library of two files for 80 and 90: each once", () => {
    expect(readCudaArchitectures(fixture("library.so"))).toEqual({ sass: ["80", "90"], ptx: ["90"] });
  });

  it("a library without code for GPUs: none", () => {
    expect(readCudaArchitectures(process.execPath)).toEqual({ sass: [], ptx: [] });
  });
});

describe("a file that is none, or damaged, is named", () => {
  it("not there", () => {
    expect(() => readCudaArchitectures(join(folder, "absent.so"))).toThrow(/ENOENT.*absent\.so/);
  });

  it("of another kind", () => {
    expect(() => readCudaArchitectures(fixture("kernel.cu"))).toThrow(
      /kernel\.cu is no CUDA library: expected a 64-bit little-endian ELF file or a fat binary of nvcc\./,
    );
  });

  it("cut short, at every length", () => {
    const whole = readFileSync(fixture("library.so")).length;
    const file = changed("library.so", () => {});
    for (let length = whole - 8; length > 64; length -= 997) {
      truncateSync(file, length);
      expect(() => readCudaArchitectures(file)).toThrow(/changed-library\.so is damaged: /);
    }
  });

  it("without a fat binary where one should begin", () => {
    const magic = (bytes: Buffer) => bytes.indexOf("50ed55ba", 0, "hex");
    const file = changed("library.so", (bytes) => bytes.writeUInt8(0xff, magic(bytes)));
    expect(() => readCudaArchitectures(file)).toThrow(
      /changed-library\.so is damaged: expected a fat binary at byte \d+, got ffed55ba/,
    );
  });

  it.each([
    ["whole's size", 0x0a, 0x01, /a fat binary ends at byte \d+, and its section at byte 3320/],
    ["part's header's size", 0x14, 0x08, /the part at byte 16 of a fat binary is said to have/],
    ["part's size", 0x1a, 0x01, /the part at byte 16 of a fat binary is said to have/],
  ])("wrong in a %s", (_what, at, value, sentence) => {
    const file = changed("sm_80.fatbin", (bytes) => bytes.writeUInt8(value, at));
    expect(() => readCudaArchitectures(file)).toThrow(sentence);
  });
});

describe("the code for a GPU", () => {
  it.each([
    [["80"], [], "8.0", "sass"],
    [["80"], [], "8.6", "sass"], // a later one of its generation
    [["86"], [], "8.0", undefined], // an earlier one
    [["80"], [], "9.0", undefined], // another generation
    [["80"], ["80"], "9.0", "ptx"],
    [["80"], ["90"], "8.9", "sass"],
    [[], ["90"], "8.9", undefined],
    [["90a"], [], "9.0", "sass"],
    [["120a"], [], "12.0", "sass"],
    [["120a"], ["120a"], "12.1", undefined], // a letter: this architecture alone
    [["120f"], [], "12.1", "sass"], // its family
    [["120f"], ["120f"], "13.0", undefined],
    [["100"], [], "10.3", "sass"],
    [["100"], [], "12.0", undefined],
    [[], [], "8.0", undefined],
  ] as const)("SASS %j, PTX %j on %s: %s", (sass, ptx, capability, expected) => {
    expect(cudaCodeFor({ sass, ptx }, capability)).toBe(expected);
  });
});

describe("what this machine's nvcc makes", () => {
  it.for([
    ["code=sm_80", 80, { sass: ["80"], ptx: [] }],
    ["code=sm_90a", 90, { sass: ["90a"], ptx: [] }],
    ["code=sm_120", 120, { sass: ["120"], ptx: [] }],
    ["code=sm_120a", 120, { sass: ["120a"], ptx: [] }],
    ["code=sm_120f", 120, { sass: ["120f"], ptx: [] }],
    ["code=compute_90", 90, { sass: [], ptx: ["90"] }],
  ] as const)("%s", { timeout: 120_000 }, ([code, architecture, expected], { skip }) => {
    if (!canCompile(architecture)) {
      console.warn(`SKIPPED: there is no nvcc that can make ${code}`);
      skip("no nvcc that can make it");
    }
    const file = join(folder, `${code}.fatbin`);
    const target = `arch=${code.replace(/code=[a-z]+/, "compute")},${code}`;
    execFileSync("nvcc", ["--fatbin", "-gencode", target, "-o", file, fixture("kernel.cu")]);
    expect(readCudaArchitectures(file)).toEqual(expected);
  });
});

describe("another project's library of the same llama.cpp", () => {
  it("of @node-llama-cpp/linux-x64-cuda 3.22.1: what ggml builds by default", ({ skip }) => {
    if (!existsSync(prebuilt)) {
      console.warn("SKIPPED: the prebuilt CUDA library; `node tools/cuda/fetch-prebuilt.mjs` fetches it");
      skip("the prebuilt library is not fetched");
    }
    expect(readCudaArchitectures(prebuilt)).toEqual({
      sass: ["86", "89", "120a", "121a"],
      ptx: ["75", "80", "90"],
    });
  });
});
