// Plans of models on this machine and on a hub of this machine: memory beside what a process
// really takes, headers fetched without weights, and the command's output.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterEach, describe, expect, it, vi } from "vitest";
import { embeddedModelPath, planModel } from "../../../src/index.js";
import { startHub } from "../../../tools/hub-emulator/index.mjs";
import { runCommand } from "../../helpers/programs.js";

const timeout = 120_000;
const fixtures = resolve(import.meta.dirname, "../../fixtures/checkpoints");

describe("the memory of a plan", () => {
  // Random weights of about 170 MB in a process of its own, read instead of mapped.
  const reference =
    "synthetic:llama?layers=12&dim=1024&heads=16&kvHeads=16&vocab=32000&type=q8_0&context=4096";
  const program = `
    import { readFileSync } from "node:fs";
    import { loadModel } from ${JSON.stringify(resolve(import.meta.dirname, "../../../dist/index.js"))};
    const anonymous = () => Number(/RssAnon:\\s+(\\d+)/.exec(readFileSync("/proc/self/status", "utf8"))[1]) * 1024;
    const before = anonymous();
    const model = await loadModel(${JSON.stringify(reference)});
    const engine = await model.createEngine({ slots: 8, contextLength: 2048, hostCacheBytes: 0 });
    await engine.generate({ prompt: "Once", maxTokens: 1 });
    console.log(anonymous() - before);
    await engine.close();
    await model.close();`;

  it("is within 5 % of what a process takes, of weights and KV cache", { timeout }, async () => {
    const folder = mkdtempSync(join(tmpdir(), "infernode-plan-test-"));
    writeFileSync(join(folder, "load.mjs"), program);
    const taken = Number(execFileSync(process.execPath, [join(folder, "load.mjs")], { encoding: "utf8" }));
    rmSync(folder, { recursive: true });
    const { memory } = await planModel(reference, { slots: 8, contextLength: 2048, measureCpu: false });
    const planned = memory.weightBytes + memory.kvBytes;
    // Compute buffers are touched as passes need them, and the process has a vocabulary.
    expect(taken).toBeGreaterThan(0.95 * planned);
    expect(taken).toBeLessThan(1.05 * (planned + memory.computeBytes));
  });

  it("grows with slots and context, and halves with kvType q8_0", async () => {
    const plan = (options: object) => planModel(reference, { measureCpu: false, ...options });
    const [few, many, short, small] = await Promise.all([
      plan({ slots: 4, contextLength: 2048 }),
      plan({ slots: 8, contextLength: 2048 }),
      plan({ slots: 4, contextLength: 1024 }),
      plan({ slots: 4, contextLength: 2048, kvType: "q8_0" }),
    ]);
    expect(many.memory.kvBytes).toBe(2 * few.memory.kvBytes);
    expect(few.memory.kvBytes).toBe(2 * short.memory.kvBytes);
    expect(small.memory.kvBytes / few.memory.kvBytes).toBeCloseTo(34 / 64, 2);
    expect(few.kvBytesPerToken).toBe(12 * 2 * 1024 * 2);
  });
});

describe("a plan", () => {
  it("measures this machine's CPU", { timeout }, async () => {
    const { rows } = await planModel(embeddedModelPath(), { slots: 2 });
    const [cpu] = rows;
    expect(cpu).toMatchObject({ device: "this CPU", fits: true, slots: 2 });
    const { low = 0, high = 0, ceiling = 0 } = cpu?.tokensPerSecond ?? {};
    expect(low).toBeGreaterThan(0);
    expect(high).toBeGreaterThan(low);
    expect(ceiling).toBeGreaterThanOrEqual(high);
  });

  it("says of each GPU whether the model fits, and how many slots do", async () => {
    const large =
      "synthetic:llama?layers=80&dim=8192&heads=64&kvHeads=8&feedForward=28672&vocab=128256&type=q8_0&context=8192";
    const { rows, guide, parameters } = await planModel(large, {
      measureCpu: false,
      slots: 4,
      contextLength: 8192,
    });
    expect(parameters / 70.6e9).toBeCloseTo(1, 1);
    const row = (name: string) => rows.find(({ device }) => device === name);
    expect(row("RTX 4090")).toMatchObject({ fits: false, slots: 0, tokensPerSecond: null });
    expect(row("H200")).toMatchObject({ fits: true, slots: 4 });
    expect(guide.filter(({ models }) => models === "30-70B").map(({ fits }) => fits)).toEqual(["all", "all"]);
    const half = await planModel(large.replace("q8_0", "f16"), { measureCpu: false });
    // Guides name one A100 for 70B models, whose 16-bit weights need two.
    expect(half.guide.filter(({ models }) => models === "30-70B").map(({ fits }) => fits)).toEqual([
      "smallest",
      "smallest",
    ]);
    expect(half.guide.find(({ gpu }) => gpu === "A10G")?.fits).toBe("none");
  });

  it.each([
    [{ slots: 0 }, "planModel(): slots must be an integer from 1 to 256, got 0"],
    [{ contextLength: 4096 }, "planModel(): contextLength must be an integer from 16 to 1024, got 4096"],
    [{ kvType: "q5_0" }, "planModel(): kvType must be"],
    [{ speed: 1 }, "speed"],
  ])("refuses %j", async (options, sentence) => {
    const refused = planModel(embeddedModelPath(), { measureCpu: false, ...options } as object);
    await expect(refused).rejects.toMatchObject({
      code: "INVALID_OPTION",
      message: expect.stringContaining(sentence),
    });
  });
});

describe("a plan of a model on a hub", () => {
  afterEach(() => vi.unstubAllEnvs());

  async function withHub<Result>(
    files: Readonly<Record<string, Uint8Array>>,
    work: (sent: () => number) => Promise<Result>,
  ) {
    const hub = await startHub({ "acme/Model": { files } });
    const home = mkdtempSync(join(tmpdir(), "infernode-plan-home-"));
    vi.stubEnv("HF_ENDPOINT", hub.endpoint);
    vi.stubEnv("HF_HOME", home);
    try {
      return await work(() => hub.sentBytes());
    } finally {
      await hub.close();
      expect(readdirSync(home)).toEqual([]);
      rmSync(home, { recursive: true });
    }
  }

  it("reads the header of a GGUF file, and leaves nothing", { timeout }, async () => {
    const model = readFileSync(embeddedModelPath());
    // A file of which the header is the smaller part.
    const large = Buffer.concat([model, Buffer.alloc(16 * 1024 * 1024)]);
    await withHub({ "model-Q8_0.gguf": large }, async (sent) => {
      const plan = await planModel("hf:acme/Model", { measureCpu: false });
      const here = await planModel(embeddedModelPath(), { measureCpu: false });
      expect({ ...plan, rows: plan.rows.slice(1) }).toEqual({ ...here, rows: here.rows.slice(1) });
      expect(sent()).toBeLessThan(large.length / 4);
    });
  });

  it.each(["llama3-bf16-sharded", "autoawq-gemm-llama", "ct-w4a16"])(
    "reads headers and small files of the checkpoint %s",
    { timeout },
    async (name) => {
      const folder = join(fixtures, name);
      const files = Object.fromEntries(
        readdirSync(folder).map((file) => [file, readFileSync(join(folder, file))]),
      );
      await withHub(files, async () => {
        const plan = await planModel("hf:acme/Model", { measureCpu: false });
        const here = await planModel(folder, { measureCpu: false });
        expect(plan.parameters).toBe(here.parameters);
        expect(plan.memory.kvBytes).toBe(here.memory.kvBytes);
      });
    },
  );

  it("says that a repository has no such file", { timeout }, async () => {
    await withHub({ "README.md": Buffer.from("# none") }, async () => {
      await expect(planModel("hf:acme/Model")).rejects.toMatchObject({ code: "MODEL_NOT_FOUND" });
    });
  });
});

describe("infernode plan", () => {
  it("prints a table, the guide's rows, and JSON", { timeout }, async () => {
    const { code, stdout, stderr } = await runCommand([
      "plan",
      embeddedModelPath(),
      "--no-cpu",
      "--context",
      "512",
    ]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(/^Plan for 8 slots of 512 tokens\n/);
    expect(stdout).toMatch(/\nA10G +yes, 256 slots .* -\n/);
    expect(stdout).toMatch(/\n13-14B +A10G /);
    const json = await runCommand(["plan", embeddedModelPath(), "--no-cpu", "--json"]);
    expect(JSON.parse(json.stdout)).toMatchObject({ architecture: "llama", slots: 8, contextLength: 1024 });
  });

  it("refuses a wrong flag with code 2, a missing model with code 1", { timeout }, async () => {
    expect(await runCommand(["plan", embeddedModelPath(), "--slots", "999"])).toMatchObject({
      code: 2,
      stdout: "",
    });
    expect(await runCommand(["plan", "no-such.gguf"])).toMatchObject({
      code: 1,
      stdout: "",
      stderr: expect.stringContaining("[MODEL_NOT_FOUND]"),
    });
  });
});
