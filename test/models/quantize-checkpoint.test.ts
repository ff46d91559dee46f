// Plain checkpoints quantized by llama.cpp's quantizer, from JavaScript.
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { inspectModel, loadModel } from "../../src/index.js";
import type { FileWorkCalls } from "../../src/models/file-work.js";
import { defaultPacking, packCheckpoint } from "../../src/models/pack-checkpoint.js";
import { quantizeCheckpoint } from "../../src/models/quantize-checkpoint.js";
import { needsQuantizer, quantizeTypeSchema, quantizeTypes } from "../../src/models/quantize-types.js";
import { native } from "../../src/native-addon.js";

const fixture = (name: string) => resolve("test/fixtures/checkpoints", name);
let folder = "";

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "infernode-quantize-"));
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

function order(name: string, type: (typeof quantizeTypes)[number]) {
  return { directory: fixture(name), target: join(folder, "out.gguf"), type, checkpoint: defaultPacking };
}

test("the types are those of the quantizer, in any case", () => {
  expect([...quantizeTypes].sort()).toEqual([...native().quantizeTypes()].sort());
  expect(quantizeTypeSchema.parse("Q4_K_M")).toBe("q4_k_m");
  expect(quantizeTypeSchema.safeParse("q4_k_x").error?.issues[0]?.message).toContain("q4_k_m");
  expect(quantizeTypes.filter((type) => !needsQuantizer(type))).toEqual(["q8_0", "f16", "bf16", "f32"]);
});

test("a plain checkpoint becomes a quantized file that loads and carries the values", async () => {
  const fractions: number[] = [];
  const values = { "infernode.test": "abc" };
  const quantized = await quantizeCheckpoint(
    { ...order("llama-f16", "q5_k_m"), values },
    { onProgress: (fraction) => fractions.push(fraction) },
  );
  expect(readdirSync(folder)).toEqual(["out.gguf"]);
  expect(fractions.at(-1)).toBe(1);
  expect(quantized.notes.join(" ")).toMatch(/whose width is not a multiple of a block of q5_k/);
  const file = join(folder, "out.gguf");
  expect((await inspectModel(file)).metadata["infernode.test"]).toBe("abc");
  const model = await loadModel(file);
  expect(model.info.architecture).toBe("llama");
  await model.close();
});

test("an aborted one leaves nothing and says so", async () => {
  const controller = new AbortController();
  const running = quantizeCheckpoint(order("llama-f16", "q4_0"), {
    signal: controller.signal,
    onProgress: () => controller.abort(),
  });
  await expect(running).rejects.toMatchObject({ code: "CANCELLED" });
  expect(readdirSync(folder)).toEqual([]);
});

test("a checkpoint that is quantized already is refused, and an exception of the listener passed on", async () => {
  await expect(quantizeCheckpoint(order("ar-awq", "q4_k_m"))).rejects.toMatchObject({
    code: "INVALID_OPTION",
    message: expect.stringContaining("profile"),
  });
  const thrown = new Error("mine");
  const running = quantizeCheckpoint(order("llama-f16", "q4_0"), {
    onProgress: () => {
      throw thrown;
    },
  });
  await expect(running).rejects.toBe(thrown);
  expect(readdirSync(folder)).toEqual([]);
});

// At the last report the file is whole already.
describe.each(["quantized", "packed"])("a file that is %s and ended at its last report", (how) => {
  const write = (calls: FileWorkCalls) =>
    how === "packed"
      ? packCheckpoint({ ...order("llama-f16", "q4_0"), packing: defaultPacking }, calls)
      : quantizeCheckpoint(order("llama-f16", "q4_0"), calls);

  test("by an exception is not on the disk", async () => {
    const thrown = new Error("mine");
    const onProgress = (fraction: number) => {
      if (fraction === 1) throw thrown;
    };
    await expect(write({ onProgress })).rejects.toBe(thrown);
    expect(readdirSync(folder)).toEqual([]);
  });

  test("by its signal is not on the disk", async () => {
    const controller = new AbortController();
    const onProgress = (fraction: number) => {
      if (fraction === 1) controller.abort();
    };
    const running = write({ onProgress, signal: controller.signal });
    await expect(running).rejects.toMatchObject({ code: "CANCELLED" });
    expect(readdirSync(folder)).toEqual([]);
  });
});
