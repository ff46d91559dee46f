// CUDA backends that the user installs as packages: which one a GPU needs, which one is
// loaded, and what is said where none is. The library is a copy of the CPU backend: what is
// inside it is ggml's business.
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { cudaPackageFor, cudaPackages, hasNvidiaGpu } from "../src/cuda-packages.js";
import type { LogLine } from "../src/index.js";
import { run } from "./helpers/programs.js";

const root = fileURLToPath(new URL("..", import.meta.url));
const build = join(root, "build", "Release");
const platform = "@infernode/linux-x64";
const timeout = 60_000;

describe.runIf(process.platform === "linux" && process.arch === "x64")("on Linux x64", () => {
  it.each([
    ["8.0", "sm80"],
    ["8.7", "sm86"],
    ["8.9", "sm89"],
    ["9.0", "sm90"],
    ["10.3", "sm100"],
    ["12.1", "sm120"],
  ])("compute capability %s runs code for %s", (capability, architecture) => {
    expect(cudaPackageFor(capability)).toBe(`${platform}-cuda-${architecture}`);
  });

  it.each(["7.5", "11.0"])("compute capability %s has no package", (capability) => {
    expect(cudaPackageFor(capability)).toBeUndefined();
  });

  it("the packages that npm run package makes are the ones that are looked for", async () => {
    const { kBackends, packageName } = await import("../tools/package/manifests.mjs");
    expect(kBackends.map((name) => packageName("linux-x64", name))).toEqual(cudaPackages());
  });
});

describe("an NVIDIA GPU", () => {
  it.each([
    [["null", "nvidia0", "nvidiactl"], true],
    [["nvidia3"], true],
    [["nvidiactl", "nvidia-uvm", "tty0"], false],
  ])("with the devices %j: %s", (devices, present) => {
    const folder = mkdtempSync(join(tmpdir(), "infernode-devices-"));
    for (const name of devices) writeFileSync(join(folder, name), "");
    expect(hasNvidiaGpu(folder)).toBe(present);
    rmSync(folder, { recursive: true });
  });

  it("is absent where there is no such folder", () => {
    expect(hasNvidiaGpu(join(tmpdir(), "infernode-no-such-folder"))).toBe(false);
  });
});

describe.runIf(process.platform === "linux" && process.arch === "x64")("an installation", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "infernode-installed-"));
    const main = join(folder, "node_modules", "infernode");
    mkdirSync(main, { recursive: true });
    copyFileSync(join(root, "package.json"), join(main, "package.json"));
    // Copied: the loader looks beside the file's real place.
    mkdirSync(join(main, "dist"));
    for (const name of readdirSync(join(root, "dist")))
      if (/\.js$/.test(name)) copyFileSync(join(root, "dist", name), join(main, "dist", name));
    symlinkSync(join(root, "assets"), join(main, "assets"));
    const files = readdirSync(build).filter((name) => /\.so$|^infernode/.test(name));
    install(platform, { "./addon": "./infernode.node" });
    for (const name of files) copyFileSync(join(build, name), placeOf(platform, name));
    writeFileSync(join(folder, "probe.mjs"), probe);
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const placeOf = (name: string, file: string) => join(folder, "node_modules", name, file);

  function install(name: string, exports: Readonly<Record<string, string>>) {
    mkdirSync(join(folder, "node_modules", name), { recursive: true });
    writeFileSync(placeOf(name, "package.json"), JSON.stringify({ name, version: "0.1.0", exports }));
  }

  function installCuda(architecture: string) {
    const name = `${platform}-cuda-${architecture}`;
    const cpu = readdirSync(build).find((file) => /-ggml-cpu(-\w+)?-\w+\.so$/.test(file));
    if (cpu === undefined) throw new Error(`${build} has no CPU backend`);
    const file = cpu.replace(/-cpu(-\w+)?-(?=\w+\.so$)/, "-cuda-");
    install(name, { "./backend": `./${file}` });
    copyFileSync(join(build, cpu), placeOf(name, file));
    return placeOf(name, file);
  }

  // A machine whose nvidia-smi prints this; without it, one that has none.
  function nvidiaSmi(printed?: string): Readonly<Record<string, string>> {
    const programs = join(folder, "programs");
    mkdirSync(programs);
    if (printed !== undefined)
      writeFileSync(join(programs, "nvidia-smi"), `#!/bin/sh\necho "${printed}"\n`, { mode: 0o755 });
    return { PATH: programs };
  }

  async function generate(env: Readonly<Record<string, string>> = {}, nodeFlags: readonly string[] = []) {
    const { code, stdout, stderr } = await run(join(folder, "probe.mjs"), { env, nodeFlags });
    if (code !== 0) throw new Error(stderr);
    const { text, lines } = JSON.parse(stdout) as { readonly text: string; readonly lines: LogLine[] };
    expect(text).toMatch(/^, a little boy/);
    const backends = lines.map(({ text }) => /loaded CPU backend from (.*)$/.exec(text)?.[1]);
    const problems = lines.filter(({ level }) => level === "warn" || level === "error");
    return {
      cuda: backends.filter((file) => file?.includes("-ggml-cuda-")),
      problems: problems.map(({ text }) => text),
    };
  }

  it("loads the one CUDA package, whatever the GPU is", { timeout }, async () => {
    const file = installCuda("sm90");
    expect((await generate(nvidiaSmi())).cuda).toEqual([file]);
  });

  it("loads of several the one for the GPU", { timeout }, async () => {
    installCuda("sm80");
    const file = installCuda("sm86");
    expect((await generate(nvidiaSmi("8.7"))).cuda).toEqual([file]);
  });

  it.each([undefined, "7.5"])("loads none of several for capability %s", { timeout }, async (capability) => {
    installCuda("sm80");
    installCuda("sm90");
    expect((await generate(nvidiaSmi(capability))).cuda).toEqual([]);
  });

  it("loads none beside the folder that INFERNODE_NATIVE names", { timeout }, async () => {
    installCuda("sm90");
    expect((await generate({ INFERNODE_NATIVE: build })).cuda).toEqual([]);
  });

  it("says why a backend did not load, and goes on without it", { timeout }, async () => {
    const file = installCuda("sm90");
    writeFileSync(file, "not a library");
    const { cuda, problems } = await generate();
    expect(cuda).toEqual([]);
    expect(problems).toContainEqual(expect.stringContaining(`failed to load ${file}`));
  });

  describe("on a machine with an NVIDIA GPU", () => {
    const disguise = `const fs = require("node:fs"), { readdirSync } = fs;
      fs.readdirSync = (path, ...rest) => path === "/dev" ? ["nvidia0"] : readdirSync(path, ...rest);
      require("node:module").syncBuiltinESMExports();`;
    let nodeFlags: readonly string[];
    beforeEach(() => {
      writeFileSync(join(folder, "disguise.cjs"), disguise);
      nodeFlags = ["--require", join(folder, "disguise.cjs")];
    });

    it.each([
      ["9.0", "run `npm install @infernode/linux-x64-cuda-sm90` for compute capability 9.0"],
      [undefined, "install the package of its compute capability: @infernode/linux-x64-cuda-sm80, @inf"],
      ["7.5", "no package has a CUDA backend for compute capability 7.5; `npx infernode build --cuda`"],
    ])("of compute capability %s, says what to install", { timeout }, async (capability, remedy) => {
      const { problems } = await generate(nvidiaSmi(capability), nodeFlags);
      const sentence = `this machine has an NVIDIA GPU, and no CUDA backend uses it; ${remedy}`;
      expect(problems.filter((text) => text.startsWith(sentence))).toHaveLength(1);
    });

    it("NATIVE_MISSING says so too", { timeout }, async () => {
      rmSync(join(folder, "node_modules", platform), { recursive: true });
      const { stderr } = await run(join(folder, "probe.mjs"), { env: nvidiaSmi("8.9"), nodeFlags });
      expect(stderr).toContain(
        "; for the NVIDIA GPU run `npm install @infernode/linux-x64-cuda-sm89` for compute capability 8.9",
      );
    });
  });
});

const probe = `
import { embeddedModelPath, loadModel, setLogListener } from "./node_modules/infernode/dist/index.js";
const lines = [];
setLogListener((line) => lines.push(line));
const model = await loadModel(embeddedModelPath());
const engine = await model.createEngine({ slots: 1, threads: 1 });
const { text } = await engine.generate({ prompt: "Once upon a time", maxTokens: 8, temperature: 0 });
await engine.close();
await model.close();
console.log(JSON.stringify({ text, lines }));
`;
