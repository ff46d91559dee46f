// Folders of native files for tests of the loader: this clone's files beside libraries that gcc
// compiles for the test. INFERNODE_NATIVE names such a folder to a child process.
import { execFileSync, spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const built = fileURLToPath(new URL("../../build/Release", import.meta.url));

/** Whether this machine can compile the libraries. */
export const hasCompiler = spawnSync("gcc", ["--version"]).status === 0;

/** The first digits of llama.cpp's tree hash, as in the names of this clone's files. */
export const pin = readdirSync(built)
  .map((name) => /^libinfernode-llama-([0-9a-f]{8})\.so$/.exec(name)?.[1])
  .find((found) => found !== undefined) as string;

/** A new folder with this clone's native files but GPU backends; the caller removes it. */
export function nativeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "infernode-native-"));
  for (const name of readdirSync(built)) {
    if (/-ggml-(?!base-|cpu)/.test(name) && /-ggml-\w+-/.test(name)) continue;
    if (name === "infernode.node") copyFileSync(join(built, name), join(folder, name));
    else symlinkSync(join(built, name), join(folder, name));
  }
  return folder;
}

/** Absolute path of the folder's CPU backend. */
export function cpuBackend(folder: string): string {
  const name = readdirSync(folder).find((each) => /-ggml-cpu(-\w+)?-\w+\.so$/.test(each));
  if (name === undefined) throw new Error(`${folder} has no CPU backend`);
  return join(folder, name);
}

/**
 * Compiles a shared library.
 * @param flags after the source, so that libraries among them are searched for its symbols
 * @returns its absolute path
 */
export function compile(folder: string, name: string, source: string, flags: readonly string[] = []): string {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `${name}.c`);
  writeFileSync(file, source);
  const out = join(folder, name);
  execFileSync("gcc", ["-shared", "-fPIC", "-w", "-o", out, file, "-Wl,--no-as-needed", ...flags]);
  return out;
}

/** cublas and cublasLt of a CUDA version, with the version nodes that the dynamic linker asks for. */
export function compileCublas(folder: string, version: string): void {
  mkdirSync(folder, { recursive: true });
  for (const library of ["cublasLt", "cublas"]) {
    const name = `lib${library}.so.${version}`;
    const map = join(folder, `${name}.map`);
    writeFileSync(map, `${name} { global: *; };\n`);
    const light = library === "cublas" ? [`-L${folder}`, `-l:libcublasLt.so.${version}`] : [];
    const flags = [`-Wl,-soname,${name}`, `-Wl,--version-script=${map}`, ...light];
    compile(folder, name, `int ${library}Create_v2(void) { return 0; }\n`, flags);
  }
}

/** The bytes of a fat binary with code for one architecture, as a C array in its section. */
export function fatBinary(kind: "ptx" | "sass", architecture: number): string {
  const payload = 8;
  const headerSize = 64;
  const bytes = Buffer.alloc(16 + headerSize + payload);
  bytes.writeUInt32LE(0xba55ed50, 0);
  bytes.writeUInt16LE(1, 4);
  bytes.writeUInt16LE(16, 6);
  bytes.writeBigUInt64LE(BigInt(headerSize + payload), 8);
  bytes.writeUInt16LE(kind === "ptx" ? 1 : 2, 16);
  bytes.writeUInt32LE(headerSize, 16 + 4);
  bytes.writeBigUInt64LE(BigInt(payload), 16 + 8);
  bytes.writeUInt32LE(architecture, 16 + 28);
  const values = [...bytes].join(",");
  return `__attribute__((section(".nv_fatbin"), used, aligned(8))) const unsigned char fat[] = {${values}};\n`;
}

/** A driver of NVIDIA's with one GPU, or one that says an error's number. */
export function compileDriver(folder: string, capability: string, error = 0): void {
  const [major, minor] = capability.split(".");
  compile(
    folder,
    "libcuda.so.1",
    `#include <stddef.h>
    #include <string.h>
    int cuInit(unsigned flags) { return ${error}; }
    int cuDriverGetVersion(int* version) { *version = 13000; return 0; }
    int cuDeviceGetCount(int* count) { *count = 1; return 0; }
    int cuDeviceGetName(char* name, int length, int device) { strcpy(name, "Test GPU"); return 0; }
    int cuDeviceGetAttribute(int* value, int which, int device) {
      *value = which == 75 ? ${major} : which == 76 ? ${minor} : 0;
      return 0;
    }
    int cuDeviceTotalMem_v2(size_t* bytes, int device) { *bytes = (size_t)8 << 30; return 0; }
    int cuGetErrorString(int error, const char** text) {
      *text = error == 100 ? "no CUDA-capable device is detected" : "unknown error";
      return 0;
    }\n`,
    ["-Wl,-soname,libcuda.so.1"],
  );
}
