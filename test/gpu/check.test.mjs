// `npm run gpu:check` without a GPU: every part runs dry on the CPU, and the judge of parity sees
// what it must not let pass.
import { describe, expect, it } from "vitest";
import { compare } from "../../tools/gpu/alike.mjs";
import { isSoftware } from "../../tools/gpu/parity.mjs";
import { run } from "../helpers/programs.js";

const timeout = 300_000;
const check = (...args) => run("tools/gpu/main.mjs", { args, deadlineMs: timeout });

describe("gpu:check", { timeout }, () => {
  it("part 1 finds the CPU alike itself, for each model and layout", async () => {
    const { code, stdout, stderr } = await check("--part", "1", "--device", "cpu", "--small");
    expect(code, stderr).toBe(0);
    const { result, bars, machine } = JSON.parse(stdout);
    expect(result.length).toBeGreaterThanOrEqual(12);
    expect(bars).toHaveLength(2 * result.length);
    for (const { common } of result) expect(common).toEqual([16, 16, 16]);
    expect(machine.devices[0].name).toBe("CPU");
  });

  it("part 2 counts the steps that reuse their graph, and says where the model lies", async () => {
    const { code, stdout, stderr } = await check("--part", "2", "--device", "cpu");
    expect(code, stderr).toBe(0);
    const { places, rows } = JSON.parse(stdout).result;
    expect(places).toMatchObject([{ name: "CPU", layers: [0, 1, 2, 3], hasOutput: true }]);
    for (const { passes, reused } of rows) expect(reused / passes).toBeGreaterThanOrEqual(0.95);
  });

  it("part 3 measures widths beside what the machine allows", async () => {
    const { code, stdout, stderr } = await check("--part", "3", "--device", "cpu", "--small");
    expect(code, stderr).toBe(0);
    const { rows } = JSON.parse(stdout).result;
    expect(rows.map(({ width }) => width)).toEqual([1, 8]);
    for (const { tokensPerSecond, ceiling, step, ratio } of rows) {
      expect(tokensPerSecond).toBeGreaterThan(0);
      expect(ceiling).toBeGreaterThan(0);
      expect(ratio).toBeNull(); // beside nothing, which is said
      expect(Object.keys(step.parts)).toContain(step.next);
      expect(step.steps).toBeGreaterThan(0);
    }
    expect(stderr).toContain("beside nothing");
  });

  it("part 4 serves clients over HTTP", async () => {
    const { code, stdout, stderr } = await check("--part", "4", "--device", "cpu", "--small");
    expect(code, stderr).toBe(0);
    const { rows } = JSON.parse(stdout).result;
    expect(rows.map(({ clients }) => clients)).toEqual([2, 4]);
    for (const { tokensPerSecond } of rows) expect(tokensPerSecond).toBeGreaterThan(0);
  });

  it.each([
    [["--part", "9"], "--part must be one of 1, 2, 3, 4, got 9"],
    [["--part", "1", "--seconds", "soon"], "--seconds must be a number above 0, got soon"],
    [["--part", "2", "--device", "CUDA7"], "CUDA7"],
    [["--part", "4", "--device", "cpu", "--small", "--reference", "assets"], "where llama-server is not"],
    [["--part", "2", "--device", "gpu"], 'device is "gpu", and no GPU can be used'],
  ])("refuses %j in one sentence, with exit code 2", async (args, sentence) => {
    const { code, stdout, stderr } = await check(...args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr.trimEnd().split("\n")).toHaveLength(1);
    expect(stderr).toContain(sentence);
  });
});

// A wide pass of experts ends the process on Mesa's driver.
describe("Mesa's software driver", () => {
  const there = [
    { name: "CPU", type: "cpu", description: "a CPU" },
    { name: "Vulkan0", type: "gpu", description: "llvmpipe (LLVM 15.0.6, 256 bits)" },
  ];
  it.each([
    ["gpu", true],
    ["vulkan0", true],
    ["cpu", false],
  ])("is --device %s: %s", (device, expected) => expect(isSoftware(device, there)).toBe(expected));
});

describe("two answers", () => {
  const token = (id, logProb, ...others) => ({
    token: id,
    logProb,
    top: [{ token: id, logProb }, ...others.map(([other, value]) => ({ token: other, logProb: value }))],
  });
  const answer = (...logProbs) => ({ logProbs });

  it("are as far apart as their log probabilities", () => {
    const [one, other] = [answer(token(1, -0.5), token(2, -1)), answer(token(1, -0.45), token(2, -1.2))];
    const { common, worst, parted } = compare(one, other);
    expect({ common, parted }).toEqual({ common: 2, parted: 0 });
    expect(worst).toBeCloseTo(0.2, 10);
  });

  it("part at a near tie by the larger of both gaps", () => {
    const one = answer(token(1, -0.5), token(2, -1, [3, -1.02]));
    const other = answer(token(1, -0.5), token(3, -1, [2, -1.05]));
    const { common, parted } = compare(one, other);
    expect(common).toBe(1);
    expect(parted).toBeCloseTo(0.05, 10);
  });

  it("part without bound where one never thought of the other's token, or ended", () => {
    const one = answer(token(1, -0.5), token(2, -1));
    expect(compare(one, answer(token(1, -0.5), token(3, -1))).parted).toBe(Number.POSITIVE_INFINITY);
    expect(compare(one, answer(token(1, -0.5))).parted).toBe(Number.POSITIVE_INFINITY);
  });
});
