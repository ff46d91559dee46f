// What a user sees of a device that is short of memory or fails, through the public calls and the
// worker's exit codes: on the limited device, because no real one fails when it is told to.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import type { EngineOptions, GenerateOptions, ModelDevice, ModelOptions } from "../../src/index.js";
import { describeLimited, type Limits } from "../helpers/limited-device.js";
import { runFixture } from "../helpers/programs.js";

interface Job {
  readonly modelOptions?: ModelOptions;
  readonly engineOptions?: EngineOptions;
  readonly requests?: readonly (GenerateOptions & { readonly prompt: string })[];
}

interface Ended {
  readonly text?: string;
  readonly finishReason?: string;
  readonly code?: string;
  readonly message?: string;
}

interface Result {
  readonly error?: Ended;
  readonly devices: readonly ModelDevice[];
  readonly needed: readonly { readonly name: string; readonly kvBytes: number }[];
  readonly endings: readonly Ended[];
  readonly healthy: boolean;
  readonly failedPasses: number;
}

const command = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
const mebibyte = 2 ** 20;
const story = { prompt: "Once upon a time", maxTokens: 12, temperature: 0, ignoreEos: true };
const small = { slots: 2, contextLength: 256, prefillChunk: 64 };

describeLimited("a device with limits", (environment) => {
  async function on(limits: Limits, job: Job): Promise<Result> {
    const ended = await runFixture("on-devices.mjs", {
      input: JSON.stringify({ engineOptions: small, ...job }),
      env: environment(limits),
    });
    if (ended.code !== 0) throw new Error(`on-devices.mjs ended with ${ended.code}: ${ended.stderr}`);
    return JSON.parse(ended.stdout);
  }

  /** Where layers lie, "CUDA0 0-3 and output": each device has one run of them. */
  const lies = ({ devices }: Result) =>
    devices
      .map(({ name, layers, hasOutput }) => {
        const [first, last] = [layers[0], layers.at(-1)];
        const run = first === undefined ? [] : [first === last ? `${first}` : `${first}-${last}`];
        return `${name} ${[...run, ...(hasOutput ? ["output"] : [])].join(" and ")}`;
      })
      .filter((told) => !told.endsWith(" "))
      .join(", ");

  describe("a model's place", () => {
    it.each([
      [{}, "Limited0 0-2, Limited1 3 and output"],
      [{ device: "cpu" }, "CPU 0-3 and output"],
      [{ gpuLayers: 0 }, "CPU 0-3 and output"],
      [{ device: "Limited1" }, "Limited1 0-3 and output"],
      [{ device: ["Limited1", "Limited0"], tensorSplit: [2, 1] }, "Limited1 0-3, Limited0 output"],
      [{ gpuLayers: 4 }, "Limited0 1-2, Limited1 3 and output, CPU 0"],
      [{ splitMode: "none", mainGpu: 1 }, "Limited1 0-3 and output"],
      [{ splitMode: "none", mainGpu: "limited0" }, "Limited0 0-3 and output"],
    ] as const)("is what %j asks for", async (modelOptions, expected) => {
      const result = await on({ count: 2 }, { modelOptions, requests: [story] });
      expect(result.error).toBeUndefined();
      expect(lies(result)).toEqual(expected);
      expect(result.endings).toMatchObject([{ finishReason: "length" }]);
    });

    it.each([
      [{ splitMode: "row" }, '"row" is not possible on Limited0'],
      [{ tensorSplit: [1, 1, 1] }, "must have a number for each device, 2 for Limited0, Limited1; got 3"],
      [{ splitMode: "none", mainGpu: 2 }, "must be one of the devices chosen, Limited0, Limited1; got 2"],
      [{ device: "CUDA0" }, 'must name devices of this machine, Limited0, Limited1; got "CUDA0"'],
    ] as const)("is refused with %j", async (modelOptions, sentence) => {
      const { error } = await on({ count: 2 }, { modelOptions });
      expect(error).toMatchObject({ code: "INVALID_OPTION", message: expect.stringContaining(sentence) });
    });

    it("has as many layers there as fit, of two devices too", async () => {
      const modelOptions = { gpuLayers: "auto" } as const;
      for (const memory of [[270 * mebibyte], [275 * mebibyte, 275 * mebibyte]]) {
        const limits = { memory, count: memory.length as 1 | 2 };
        const { devices, endings, error } = await on(limits, { modelOptions, requests: [story] });
        expect(error).toBeUndefined();
        const there = devices.filter(({ name }) => name !== "CPU").flatMap(({ layers }) => layers);
        const here = devices.find(({ name }) => name === "CPU")?.layers ?? [];
        expect(there.length).toBeGreaterThan(0);
        expect(here.length).toBeGreaterThan(0);
        expect([...here, ...there]).toEqual([0, 1, 2, 3]);
        expect(endings).toMatchObject([{ finishReason: "length" }]);
      }
    });

    it("has its cells in host memory with kvOffload false", async () => {
      for (const kvOffload of [true, false]) {
        const engineOptions = { ...small, kvOffload };
        const { needed, endings } = await on({}, { engineOptions, requests: [story] });
        expect(needed).toMatchObject([{ name: "Limited0" }]);
        expect((needed[0]?.kvBytes ?? 0) > 0).toBe(kvOffload);
        expect(endings).toMatchObject([{ finishReason: "length" }]);
      }
    });

    it("is refused by the device's numbers where it does not fit", async () => {
      const { error } = await on({ memory: [64 * mebibyte] }, {});
      expect(error?.code).toBe("OUT_OF_MEMORY");
      expect(error?.message).toMatch(/ on Limited0 \(.*64 MiB of 64 MiB are free there/);
    });
  });

  it("does not hold what deterministic promises: refused by the device's name", async () => {
    const { error } = await on({}, { engineOptions: { ...small, deterministic: true } });
    expect(error).toMatchObject({ code: "INVALID_OPTION", message: expect.stringContaining("Limited0") });
    const cpu = await on(
      {},
      {
        modelOptions: { device: "cpu" },
        engineOptions: { ...small, deterministic: true },
        requests: [story],
      },
    );
    expect(cpu.endings).toMatchObject([{ finishReason: "length" }]);
  });

  describe("a pass that fails", () => {
    const requests = [story, { ...story, prompt: "The dog" }, { ...story, prompt: "A cat" }];

    it.each(["fails", "throws", "memory"] as const)("once (%s) costs nobody anything", async (manner) => {
      const expected = await on({}, { requests });
      const { endings, healthy, failedPasses } = await on({ computeAt: 9, once: true, manner }, { requests });
      expect(failedPasses).toBeGreaterThan(0);
      expect(healthy).toBe(true);
      expect(endings).toEqual(expected.endings);
    });

    it.each([
      ["fails", "DEVICE_FAILED"],
      ["throws", "DEVICE_FAILED"],
      ["aborts", "DEVICE_FAILED"],
      ["memory", "OUT_OF_MEMORY"],
    ] as const)("for good (%s) ends each request once with %s", async (manner, code) => {
      const { endings, healthy } = await on({ computeAt: 9, manner }, { requests });
      expect(endings).toMatchObject([{ code }, { code }, { code }]);
      expect(healthy).toBe(false);
    });
  });

  describe("infernode worker", () => {
    const cwd = mkdtempSync(join(tmpdir(), "infernode-limited-"));
    afterAll(() => rmSync(cwd, { recursive: true, force: true }));

    async function worker(limits: Limits) {
      const input = JSON.stringify({ input: { prompt: "Hi", params: { max_tokens: 64, ignore_eos: true } } });
      const env = { PATH: process.env.PATH, MAX_NUM_SEQS: "1", ...environment(limits) };
      const child = spawn(process.execPath, [command, "worker", "--test_input", input], { cwd, env });
      let said = "";
      for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (said += chunk));
      const [code] = await once(child, "close");
      return { code, said };
    }

    it.each([
      ["fails", 3],
      ["aborts", 3],
      ["memory", 4],
    ] as const)("leaves when its device %s for good, with exit code %i", async (manner, code) => {
      const ended = await worker({ computeAt: 40, manner });
      expect(ended.said).toContain("on Limited0.");
      expect(ended, ended.said).toMatchObject({ code });
    });

    it("serves on where a device fails once", async () => {
      const { code, said } = await worker({ computeAt: 40, once: true });
      expect(said).toContain("Job result: {");
      expect(code, said).toBe(0);
    });
  });
});
