// What travels to a machine with a GPU, and what is made of the figures that come back: a library
// thinned to one architecture, the model's file, a step's times, the table.
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { readCudaArchitectures } from "../../src/cuda-architectures.js";
import { inspectModel } from "../../src/index.js";
import { ensureModelFile, shapes } from "../../tools/gpu/model-file.mjs";
import { withEngine, withModel } from "../../tools/gpu/opened.mjs";
import { stepTimes } from "../../tools/gpu/steps.mjs";
import { thinLibrary } from "../../tools/gpu/thin.mjs";
import { compile, fatBinary, hasCompiler } from "../helpers/native-folder.js";
import { run } from "../helpers/programs.js";

const folder = mkdtempSync(join(tmpdir(), "infernode-bundle-"));
afterAll(() => rmSync(folder, { recursive: true }));

const prebuilt = fileURLToPath(new URL("../../.build/prebuilt-cuda/libggml-cuda.so", import.meta.url));
const isThere = existsSync(prebuilt);
const title = isThere ? "" : ": skipped, node tools/cuda/fetch-prebuilt.mjs fetches it";

describe(`another project's library${title}`, () => {
  it.skipIf(!isThere)("keeps the newest PTX that the GPU runs, every address, and nothing else", () => {
    const before = readCudaArchitectures(prebuilt);
    expect(before.sass.length + before.ptx.length).toBeGreaterThan(2);
    const target = join(folder, "thin.so");
    const kept = thinLibrary(prebuilt, target, 90);
    expect(readCudaArchitectures(target)).toEqual({ sass: [], ptx: ["90"] });
    expect(statSync(target).size).toBe(statSync(prebuilt).size);
    expect(kept).toBeLessThan(statSync(prebuilt).size / 4);
    rmSync(target);
  });

  it.skipIf(!isThere)("keeps machine code alone where there is some for the GPU", () => {
    const [exact] = readCudaArchitectures(prebuilt).sass.filter((name) => /^\d+$/.test(name));
    const target = join(folder, "exact.so");
    thinLibrary(prebuilt, target, Number(exact));
    expect(readCudaArchitectures(target)).toEqual({ sass: [exact], ptx: [] });
    rmSync(target);
  });
});

describe.skipIf(!hasCompiler)(`a library${hasCompiler ? "" : ": skipped, gcc is missing"}`, () => {
  it("is refused where nothing in it runs on the GPU", () => {
    const library = compile(folder, "newer.so", fatBinary("ptx", 100));
    const thin = () => thinLibrary(library, join(folder, "none.so"), 90);
    expect(thin).toThrow("holds no code for architecture 90; name another library.");
    expect(existsSync(join(folder, "none.so"))).toBe(false);
  });
});

describe("the model's file", () => {
  it("is a Q4_K model of the shape, which computes", async () => {
    const file = ensureModelFile("small", folder);
    const { tensors, metadata } = await inspectModel(file);
    expect(metadata["llama.embedding_length"]).toBe(shapes.small.width);
    const types = new Set(tensors.map(({ type }) => type.toLowerCase()));
    expect([...types].sort()).toEqual(["f32", "q4_k"]);
    const request = { prompt: [10, 11, 12], maxTokens: 4, temperature: 0, ignoreEos: true, logProbs: 2 };
    const { logProbs } = await withModel(file, { device: "cpu" }, (model) =>
      withEngine(model, { slots: 1, contextLength: 64 }, (engine) => engine.generate(request)),
    );
    expect(logProbs).toHaveLength(4);
    for (const { logProb } of logProbs) expect(logProb).toBeLessThanOrEqual(0);
    for (const { logProb } of logProbs) expect(Number.isFinite(logProb)).toBe(true);
  });
});

describe("a step's times", () => {
  const none = { decodePasses: 0, decodeMs: 0, sampleMs: 0, planMs: 0, emitMs: 0 };
  const after = { decodePasses: 10, decodeMs: 50, sampleMs: 20, planMs: 1, emitMs: 4 };

  it("name the part that costs most beyond the machine's limit", () => {
    const { stepMs, parts, next } = stepTimes(none, after, 100, 4.5);
    expect(stepMs).toBe(10);
    expect(parts).toEqual({ decode: 5, sample: 2, plan: 0.1, emit: 0.4, rest: 2.5 });
    expect(next).toBe("rest");
    expect(stepTimes(none, after, 76, 4.5).next).toBe("sample");
    expect(stepTimes(none, after, 76, null).next).toBe("decode");
  });
});

describe("the table", () => {
  it("names parts without a result, and bars that were missed", async () => {
    const row = { requests: 4, passes: 200, reused: 150 };
    const bar = { what: "4 at once: share of steps that reuse their graph", value: 0.75, atLeast: 0.95 };
    const report = { result: { rows: [row] }, missed: [bar] };
    const apart = { result: [{ worst: 0.01, parted: Number.POSITIVE_INFINITY }], missed: [] };
    writeFileSync(join(folder, "part1.json"), JSON.stringify(apart));
    writeFileSync(join(folder, "part2.json"), JSON.stringify(report));
    writeFileSync(join(folder, "part3.json"), "{ broken");
    const { code, stdout } = await run("tools/gpu/summary.mjs", { args: [folder] });
    expect(code).toBe(0);
    expect(stdout).toContain("at most 0.010 apart, texts part at gaps up to any number");
    expect(stdout).toContain("part 4: no result");
    expect(stdout).toContain("reuse: 4 at once, 150 of 200 steps (75 %)");
    expect(stdout).toContain(`missed: ${bar.what}: 0.750, bar >= 0.95`);
    expect(stdout).toContain("part 3: no result");
  });
});

describe("gpu:build", () => {
  it.each([
    [["--arch", "sm_90"], "--arch must be one architecture, such as 90; got sm_90"],
    [["--most", "much"], "--most must be a number of MiB above 0, got much"],
    [["--cuda", "/no/where"], "--cuda names /no/where, which does not exist."],
  ])("refuses %j in one sentence", async (args, sentence) => {
    const { code, stdout, stderr } = await run("tools/gpu/bundle.mjs", { args });
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toContain(sentence);
  });
});

describe("lent.sh", () => {
  it("names the archive that is missing and the command that makes it", () => {
    const env = { ...process.env, BUNDLE: join(folder, "none.tar.xz"), OUT: join(folder, "out") };
    const { status, stderr } = spawnSync("bash", ["tools/gpu/lent.sh"], { env, encoding: "utf8" });
    expect(status).toBe(2);
    expect(stderr).toContain("none.tar.xz is missing; `npm run gpu:build` makes it");
  });
});
