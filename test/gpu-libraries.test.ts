// The loader among GPU libraries: each that cannot be used has its reason and a remedy, whoever
// asks for a GPU hears them, and the one that can be used is loaded with cuBLAS from where it
// lies. The libraries are gcc's; a driver of NVIDIA's is one of them.
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Problem } from "../src/cli/doctor/problems.js";
import type { DoctorReport } from "../src/cli/doctor/report.js";
import {
  compile,
  compileCublas,
  compileDriver,
  cpuBackend,
  fatBinary,
  hasCompiler,
  nativeFolder,
  pin,
} from "./helpers/native-folder.js";
import { run } from "./helpers/programs.js";

const timeout = 120_000;
const isLinux = process.platform === "linux";
if (!hasCompiler)
  console.warn("SKIPPED: the loader among GPU libraries, which gcc compiles: there is no gcc");

describe.runIf(hasCompiler && isLinux)("the loader among GPU libraries", () => {
  let folder: string;
  beforeEach(() => {
    folder = nativeFolder();
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const cuda = `libinfernode-ggml-cuda-${"0".repeat(8)}.so`.replace("0".repeat(8), pin);
  type Variables = Readonly<Record<string, string>>;

  async function doctor(env: Variables = {}) {
    const { code, stdout, stderr } = await run("dist/cli/main.js", {
      args: ["doctor", "--json"],
      env: { INFERNODE_NATIVE: folder, HF_HOME: folder, ...env },
    });
    if (stdout === "") throw new Error(stderr);
    const report = JSON.parse(stdout) as DoctorReport & { readonly problems: readonly Problem[] };
    const library = report.libraries.find(({ path }) => path.includes("-cuda-"));
    return { code, report, library };
  }

  async function generateOnGpu(env: Variables = {}) {
    return await run("dist/cli/main.js", {
      args: ["generate", "Once", "--device", "gpu", "-n", "2"],
      env: { INFERNODE_NATIVE: folder, ...env },
    });
  }

  // A backend that hands out the CPU's devices, and tells which cuBLAS it was given.
  const working = () => `
    #define _GNU_SOURCE
    #include <dlfcn.h>
    #include <stdio.h>
    #include <stdlib.h>
    int cublasCreate_v2(void);
    void* ggml_backend_init(void) {
      Dl_info info;
      dladdr((void*)cublasCreate_v2, &info);
      FILE* told = fopen("${folder}/told", "w");
      fprintf(told, "%s", info.dli_fname);
      fclose(told);
      void* cpu = dlopen("${cpuBackend(folder)}", RTLD_NOW);
      return ((void* (*)(void))dlsym(cpu, "ggml_backend_init"))();
    }\n`;

  /** A CUDA backend that needs cuBLAS, which then lies in `place`. */
  function installNeedingCublas(place: string): void {
    const elsewhere = join(folder, "elsewhere");
    compileCublas(elsewhere, "97");
    compile(folder, cuda, working(), [
      `-L${elsewhere}`,
      "-l:libcublas.so.97",
      `-Wl,-rpath-link,${elsewhere}`,
    ]);
    mkdirSync(place, { recursive: true });
    for (const name of ["libcublas.so.97", "libcublasLt.so.97"])
      copyFileSync(join(elsewhere, name), join(place, name));
    rmSync(elsewhere, { recursive: true });
  }

  it("is silent about GPUs where there is no library", { timeout }, async () => {
    const { library, report } = await doctor();
    expect(library).toBeUndefined();
    expect(report.devices.map(({ name }) => name)).toEqual(["CPU"]);
    const { code, stderr } = await generateOnGpu();
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /loadModel\(\): device is "gpu", and no GPU can be used: .*\[DEVICE_UNAVAILABLE\]/,
    );
  });

  it("names a missing cuBLAS and each way to have it", { timeout }, async () => {
    installNeedingCublas(join(folder, "nobody-looks-here"));
    const { code, library, report } = await doctor();
    expect(code).toBe(1);
    expect(library).toMatchObject({ loaded: false, devices: 0 });
    expect(library?.problem).toMatch(/^it needs libcublasLt\.so\.97, which was not found/);
    const [problem] = report.problems;
    expect(problem?.what).toContain(cuda);
    expect(problem?.remedy).toContain("a CUDA toolkit in /usr/local or at CUDA_HOME");
    expect(problem?.remedy).toContain('`pip install "nvidia-cublas==97.*"`');
    expect(problem?.remedy).toContain("INFERNODE_CUBLAS");
    const { stderr } = await generateOnGpu();
    expect(stderr).toContain(`${cuda} is not loaded: it needs libcublasLt.so.97`);
    expect(stderr).toContain("INFERNODE_CUBLAS");
  });

  it.each([
    ["beside the library", "", () => ({})],
    ["where INFERNODE_CUBLAS says", "mine", () => ({ INFERNODE_CUBLAS: join(folder, "mine") })],
    ["in a toolkit", "cuda/lib64", () => ({ CUDA_HOME: join(folder, "cuda") })],
    [
      "in the active Python environment",
      "venv/lib/python3.11/site-packages/nvidia/cu13/lib",
      () => ({ VIRTUAL_ENV: join(folder, "venv") }),
    ],
    ["where the dynamic linker looks", "system", () => ({ LD_LIBRARY_PATH: join(folder, "system") })],
  ] as const)("takes cuBLAS %s", { timeout }, async (_, place, env) => {
    installNeedingCublas(join(folder, place));
    const { library } = await doctor(env());
    expect(library).toMatchObject({ loaded: true, problem: null });
    expect(readFileSync(join(folder, "told"), "utf8")).toBe(join(folder, place, "libcublas.so.97"));
  });

  it("refuses a library of another llama.cpp by name", { timeout }, async () => {
    compile(folder, "libinfernode-ggml-cuda-0123abcd.so", "int nothing;\n");
    const { code, library, report } = await doctor();
    expect(code).toBe(1);
    expect(library?.loaded).toBe(false);
    expect(library?.problem).toBe(
      `it was built for the llama.cpp of tree 0123abcd, and this addon's is ${pin}`,
    );
    expect(report.problems[0]?.remedy).toContain("infernode build --cuda");
  });

  it("keeps the dynamic linker's reason for a file that is no library", { timeout }, async () => {
    writeFileSync(join(folder, cuda), "not a library");
    const { library } = await doctor();
    expect(library?.problem).toContain("file too short");
    expect((await generateOnGpu()).stderr).toContain("file too short");
  });

  it("names the driver where the library needs it and it is not there", { timeout }, async () => {
    const driver = join(folder, "driver");
    compileDriver(driver, "8.6");
    compile(folder, cuda, "int cuInit(unsigned);\nint call(void) { return cuInit(0); }\n", [
      `-L${driver}`,
      "-l:libcuda.so.1",
    ]);
    const { library, report } = await doctor();
    expect(library?.problem).toContain("libcuda.so.1: cannot open shared object file");
    expect(report.problems[0]?.remedy).toContain("install NVIDIA's driver");
    expect(report.driver).toMatchObject({ problem: expect.stringContaining("libcuda.so.1"), gpus: [] });
  });

  it("keeps what the driver says where it fails", { timeout }, async () => {
    compileDriver(folder, "8.6", 100);
    const { report } = await doctor({ LD_LIBRARY_PATH: folder });
    expect(report.driver.problem).toBe("NVIDIA's driver says: no CUDA-capable device is detected");
    expect(report.driver.cudaVersion).toBe("13.0");
  });

  const forArchitecture = (kind: "ptx" | "sass", architecture: number) =>
    compile(
      folder,
      cuda,
      `${fatBinary(kind, architecture)}
      #include <dlfcn.h>
      void* ggml_backend_init(void) {
        void* cpu = dlopen("${cpuBackend(folder)}", RTLD_NOW);
        return ((void* (*)(void))dlsym(cpu, "ggml_backend_init"))();
      }\n`,
    );

  it.each([
    ["sass", 90],
    ["sass", 75],
    ["ptx", 90],
  ] as const)("refuses %s of architecture %s for a GPU of 8.6", { timeout }, async (kind, architecture) => {
    compileDriver(join(folder, "driver"), "8.6");
    forArchitecture(kind, architecture);
    const { code, library, report } = await doctor({ LD_LIBRARY_PATH: join(folder, "driver") });
    expect(code).toBe(1);
    expect(library?.loaded).toBe(false);
    const held = kind === "ptx" ? `PTX ${architecture}` : `code for ${architecture}`;
    expect(library?.problem).toBe(
      `it has ${held}, which this machine's GPU cannot run (Test GPU of compute capability 8.6)`,
    );
    expect(report.problems[0]?.remedy).toBe("`infernode build --cuda --arch 86` builds one that it can");
  });

  it.each([
    ["sass", 80, []],
    ["sass", 86, []],
    ["ptx", 80, ["advice"]],
  ] as const)(
    "loads %s of architecture %s for a GPU of 8.6",
    { timeout },
    async (kind, architecture, levels) => {
      compileDriver(join(folder, "driver"), "8.6");
      forArchitecture(kind, architecture);
      const { library, report } = await doctor({ LD_LIBRARY_PATH: join(folder, "driver") });
      expect(library).toMatchObject({ loaded: true, problem: null });
      const ofLibrary = report.problems.filter(({ what }) => what.includes(cuda));
      expect(ofLibrary.map(({ level }) => level)).toEqual(levels);
    },
  );
});
