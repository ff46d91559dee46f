// What is built for the GPUs that somebody names: words, numbers and names of GPUs, judged
// against what a toolkit of a version can.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  architecturesFor,
  judgeWish,
  refuseUnbuildable,
  spelled,
} from "../../tools/setup/cuda-architectures.mjs";
import { gpuTable } from "../../tools/setup/gpu-table.mjs";

// What nvcc --list-gpu-arch prints in these versions.
const cuda13 = {
  version: "13.0",
  folder: "/opt/cuda",
  architectures: [75, 80, 86, 87, 88, 89, 90, 100, 103, 110, 120, 121],
};
const cuda124 = {
  version: "12.4",
  folder: "/opt/cuda",
  architectures: [50, 52, 53, 60, 61, 62, 70, 72, 75, 80, 86, 87, 89, 90],
};
const cuda128 = { ...cuda124, version: "12.8", architectures: [...cuda124.architectures, 100, 101, 120] };
const cmake = [3, 25, 1];

const chosen = (wish, toolkit = cuda13) => architecturesFor(wish, () => toolkit);
const judged = async (arch, toolkit, version = cmake) =>
  refuseUnbuildable(await chosen({ arch }), toolkit, version);

describe("architectures", () => {
  it.each([
    ["80,90", "SASS 80, 90 and PTX 90", "80-real;90", "80+90+ptx90"],
    ["90;80,90", "SASS 80, 90 and PTX 90", "80-real;90", "80+90+ptx90"],
    ["8.6", "SASS 86 and PTX 86", "86", "86+ptx86"],
    ["sm_89", "SASS 89 and PTX 89", "89", "89+ptx89"],
    ["10.0", "SASS 100 and PTX 100", "100", "100+ptx100"],
    ["120", "SASS 120a", "120a-real", "120a"],
    ["12.1", "SASS 121a", "121a-real", "121a"],
    ["90,120", "SASS 90, 120a and PTX 90", "90;120a-real", "90+120a+ptx90"],
    ["90a", "SASS 90a", "90a-real", "90a"],
    ["120f", "SASS 120f", "120f-real", "120f"],
    ["75-virtual,80-real", "SASS 80 and PTX 75", "80-real;75-virtual", "80+ptx75"],
    [
      "runpod",
      "SASS 80, 86, 89, 90, 100, 120a and PTX 100",
      "80-real;86-real;89-real;90-real;100;120a-real",
      "80+86+89+90+100+120a+ptx100",
    ],
  ])("%s: %s", async (arch, sentence, forCmake, group) => {
    const result = await chosen({ arch });
    expect({ sentence: spelled(result), cmake: result.cmake, group: result.group }).toEqual({
      sentence,
      cmake: forCmake,
      group,
    });
  });

  it("all: what the toolkit can", async () => {
    expect(spelled(await chosen({ arch: "all" }))).toBe(
      "SASS 75, 80, 86, 87, 88, 89, 90, 100, 103, 110, 120a, 121a and PTX 110",
    );
    expect(spelled(await chosen({ arch: "all" }, cuda124))).toMatch(/^SASS 50, .* 90 and PTX 90$/);
  });

  it("runpod is the product's table of GPUs", async () => {
    const capabilities = new Set((await gpuTable()).map(({ capability }) => capability.replace(".", "")));
    const { sass } = await chosen({ arch: "runpod" });
    expect(sass.map((name) => name.replace("a", "")).sort()).toEqual([...capabilities].sort());
  });

  it("120: what ggml makes of it, and that no later GPU runs it, is said", async () => {
    const { notes } = await chosen({ arch: "120" });
    expect(notes[0]).toBe("ggml compiles 120 as 120a");
    expect(notes[1]).toMatch(/^code for 120a runs on no later GPU, not even as PTX/);
    expect((await chosen({ arch: "80,90" })).notes).toEqual([]);
  });

  it.each(["banana", "", "80,", "8", "1234", "80-fast", "90b", "ampere"])(
    "%j is no architecture",
    async (arch) => {
      const last = arch.split(",").at(-1);
      await expect(judgeWish({ arch })).rejects.toThrow(
        `"${last}" is no CUDA architecture; expected numbers such as 80,90 (compute capability 8.0 and 9.0), or native, all or runpod.`,
      );
    },
  );
});

describe("GPUs by name", () => {
  it.each([
    ["RTX 4090", "89"],
    ["rtx4090", "89"],
    ["NVIDIA GeForce RTX 4090", "89"],
    ["NVIDIA GeForce RTX 3090 Ti", "86"],
    ["NVIDIA A100-SXM4-80GB", "80"],
    ["A100", "80"],
    ["NVIDIA H100 80GB HBM3", "90"],
    ["NVIDIA RTX 6000 Ada Generation", "89"],
    ["NVIDIA RTX A6000", "86"],
    ["NVIDIA RTX PRO 6000 Blackwell Server Edition", "120a"],
    ["L40S", "89"],
    ["NVIDIA B200", "100"],
  ])("%s: %s", async (name, architecture) => {
    expect((await chosen({ gpus: [name] })).sass).toEqual([architecture]);
  });

  it("several, and numbers with them", async () => {
    expect(spelled(await chosen({ arch: "75", gpus: ["L4", "H100"] }))).toBe("SASS 75, 89, 90 and PTX 90");
  });

  it.each([
    ["RTX 4080", "RTX 4090"],
    ["RTX 6000", "RTX PRO 6000"], // three generations have one
    ["Quadro RTX 4000", "RTX 4000 Ada"],
    ["A100X", "A100 SXM"],
    ["", "RTX A4000"],
  ])("%j is unknown, and near is %s", async (name, near) => {
    const failure = await judgeWish({ gpus: [name] }).catch((error) => error);
    expect(failure.message).toMatch(new RegExp(`^"${name}" is no GPU of infernode's table; near ones are `));
    expect(failure.message).toContain(near);
  });
});

describe("a toolkit that cannot build an architecture", () => {
  it.each([
    ["70", cuda13, "70 (CUDA 9.0 to 12.9 can)"],
    ["50,80", cuda13, "50 (CUDA 7.0 to 12.9 can)"],
    ["101", cuda13, "101 (CUDA 12.8 to 12.9 can)"],
    ["100", cuda124, "100 (CUDA 12.8 and newer can)"],
    ["120", cuda124, "120 (CUDA 12.8 and newer can)"],
    ["90,103", cuda128, "103 (CUDA 12.9 and newer can)"],
    ["120f", cuda128, "120f (CUDA 12.9 and newer can)"],
    ["88", cuda128, "88 (CUDA 13.0 and newer can)"],
    ["sm_70,8.0", cuda13, "sm_70 (CUDA 9.0 to 12.9 can)"],
  ])("%s", async (arch, toolkit, which) => {
    await expect(judged(arch, toolkit)).rejects.toThrow(
      `the CUDA toolkit ${toolkit.version} in /opt/cuda cannot build for ${which}; it can for ${toolkit.architectures.join(", ")}. Leave it out, or name another toolkit's nvcc in CUDACXX.`,
    );
  });

  // Another toolkit would not help there.
  it.each([
    ["87a", "87a (no CUDA toolkit known to infernode does)", "it"],
    ["85", "85 (no CUDA toolkit known to infernode does)", "it"],
    ["80.5", "80.5 (no CUDA toolkit known to infernode does)", "it"],
    ["85,70", "70 (CUDA 9.0 to 12.9 can), 85 (no CUDA toolkit known to infernode does)", "these"],
  ])("is named by the word that was given: %s", async (arch, which, them) => {
    await expect(judged(arch, cuda13)).rejects.toThrow(
      `cannot build for ${which}; it can for ${cuda13.architectures.join(", ")}. Leave ${them} out.`,
    );
  });

  it.each([
    ["75,80,90,100,120", cuda13],
    ["90a", cuda124],
    ["50,120", cuda128],
  ])("is not refused for %s", async (arch, toolkit) => {
    await expect(judged(arch, toolkit)).resolves.toBeUndefined();
  });

  it.each([
    [[3, 25, 1], false],
    [[3, 31, 8], true],
    [[4, 0, 1], false],
    [[4, 0, 2], true],
    [[4, 1, 0], true],
  ])("cmake %j takes a family: %s", async (version, takes) => {
    const judging = judged("120f", cuda13, version);
    if (takes) await expect(judging).resolves.toBeUndefined();
    else await expect(judging).rejects.toThrow(/does not take 120f; .* Build for 120a instead/);
  });
});

describe("native", () => {
  let folder;
  let before;
  beforeEach(() => {
    folder = mkdtempSync(path.join(os.tmpdir(), "infernode-smi-"));
    before = process.env.PATH;
  });
  afterEach(() => {
    process.env.PATH = before;
    rmSync(folder, { recursive: true });
  });
  // A driver's program that prints `text`.
  const withDriver = (text) => {
    writeFileSync(path.join(folder, "nvidia-smi"), `#!/bin/sh\nprintf '${text}'\n`, { mode: 0o755 });
    process.env.PATH = `${folder}:${before}`;
  };

  it("is every GPU that the driver tells of", async () => {
    withDriver("8.9\\n9.0\\n8.9\\n");
    expect(spelled(await chosen({ arch: "native" }))).toBe("SASS 89, 90 and PTX 90");
    expect(spelled(await chosen({}))).toBe("SASS 89, 90 and PTX 90");
  });

  it("is refused where it tells of none", async () => {
    withDriver("No devices were found\\n");
    await expect(chosen({ arch: "native" })).rejects.toThrow(
      /^nvidia-smi tells of no GPU in this machine, .*--arch 80,90/,
    );
  });
});
