// docker/cuda-libraries.sh beside a backend that is linked as llama.cpp's CUDA backend is:
// with the runtime, which comes along, and with the driver, which is the host's.
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";

const script = path.resolve(import.meta.dirname, "../../docker/cuda-libraries.sh");
let folder;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "infernode-cuda-"));
  for (const name of ["toolkit", "driver", "package", "packages"]) mkdirSync(path.join(folder, name));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function library(file, ...links) {
  const args = ["-shared", "-x", "c", "/dev/null", "-x", "none", "-Wl,--no-as-needed", ...links];
  execFileSync("cc", ["-o", file, `-Wl,-soname,${path.basename(file)}`, ...args], { cwd: folder });
}

function pack() {
  execFileSync("tar", ["czf", "packages/one.tgz", "package"], { cwd: folder });
}

function collect(...places) {
  const LD_LIBRARY_PATH = places.map((place) => path.join(folder, place)).join(":");
  const env = { ...process.env, LD_LIBRARY_PATH };
  return spawnSync(script, [path.join(folder, "packages")], { env, encoding: "utf8" });
}

it("copies the runtime's libraries, and leaves the driver's to the host", () => {
  library("toolkit/libcudart.so.12");
  library("toolkit/libcublas.so.12");
  library("driver/libcuda.so.1");
  const links = ["toolkit/libcudart.so.12", "toolkit/libcublas.so.12", "driver/libcuda.so.1"];
  library("package/libinfernode-ggml-cuda-0.so", ...links);
  pack();
  for (const places of [["toolkit", "driver"], ["toolkit"]]) {
    expect(collect(...places).stderr).toBe("");
    expect(readdirSync(path.join(folder, "packages/cuda"))).toEqual(["libcublas.so.12", "libcudart.so.12"]);
  }
});

it("names a library that is missing, and a missing backend", () => {
  pack();
  const without = collect();
  expect([without.status, without.stderr]).toEqual([1, expect.stringContaining("holds a CUDA backend")]);
  library("toolkit/libcudart.so.12");
  library("package/libinfernode-ggml-cuda-0.so", "toolkit/libcudart.so.12");
  pack();
  const missing = collect("driver");
  expect([missing.status, missing.stderr]).toEqual([
    1,
    expect.stringContaining("libcudart.so.12 is not installed"),
  ]);
  expect(existsSync(path.join(folder, "packages/cuda/libcudart.so.12"))).toBe(false);
});
