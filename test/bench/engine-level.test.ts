// The engine-level mode: columns that are llama-bench's and llama-batched-bench's, their arithmetic
// by hand, and a run of the embedded model.
import { describe, expect, it, vi } from "vitest";
import { measureEngine } from "../../src/bench/engine-level.js";
import { batchedRow, engineLevelText, singleRow } from "../../src/bench/engine-level-tables.js";
import { embeddedModelPath, loadModel } from "../../src/index.js";
import { runCommand } from "../helpers/programs.js";

vi.setConfig({ testTimeout: 60_000 });

const plan = { pp: [24], tg: [6], pl: [1, 3], depth: [0], repeats: 2, seed: 0 };

describe("the engine-level mode", () => {
  it("has llama-batched-bench's columns, which follow from two times", () => {
    expect(batchedRow({ pp: 100, tg: 50, pl: 4, ppSeconds: 2, tgSeconds: 0.5 })).toEqual({
      ...{ pp: 100, tg: 50, pl: 4, n_kv: 600, t_pp: 2, speed_pp: 200, t_tg: 0.5, speed_tg: 400, t: 2.5 },
      speed: 240,
    });
  });

  it("measures every test as often as it is told, and computes each token once", async () => {
    const model = await loadModel(embeddedModelPath());
    try {
      const engine = await model.createEngine({ slots: 3, contextLength: 64, threads: 1 });
      try {
        const kept: unknown[] = [];
        await measureEngine({ model, engine }, plan, new AbortController().signal, (test) => kept.push(test));
        expect(kept).toMatchObject([
          { single: { nPrompt: 24, nGen: 0 } },
          { single: { nPrompt: 0, nGen: 6 } },
          { batched: { pp: 24, tg: 6, pl: 1 } },
          { batched: { pp: 24, tg: 6, pl: 3 } },
        ]);
        const stats = engine.stats();
        // Runs with the unmeasured one: of pp, of tg, and of one and three requests at once.
        const runs = plan.repeats + 1;
        expect(stats.generatedTokens).toBe(runs * (1 + (1 + 7) + (1 + 7) * (1 + 3)));
        // A generation finds its prompt in the cache, up to its last token.
        expect(stats.promptTokensCached).toBeGreaterThanOrEqual(runs * 23 * 4);
      } finally {
        await engine.close();
      }
      const facts = { info: model.info, path: "m.gguf", threads: 1, kvType: "f16", backend: "CPU" };
      const test = { nPrompt: 24, nGen: 0, nDepth: 0, seconds: [0.5, 0.25] };
      expect(singleRow(facts, test)).toMatchObject({ avg_ns: 375e6, avg_ts: 72, samples_ts: [48, 96] });
      const text = engineLevelText(facts, [test], []);
      expect(text).toMatch(/^\| +model \| +size \| params \| backend \| threads \| test \| +t\/s \|\n/);
      expect(text).toMatch(/2\.73 MiB \| 2\.69 M \| +CPU \| +1 \| pp24 \| 72\.00 ± 33\.94 \|$/);
    } finally {
      await model.close();
    }
  });

  it("at a depth computes what comes after it, and finds the rest in the cache", async () => {
    const model = await loadModel(embeddedModelPath());
    try {
      const engine = await model.createEngine({ slots: 1, contextLength: 128, threads: 1 });
      try {
        const kept: unknown[] = [];
        const deep = { ...plan, pl: [], depth: [0, 40] };
        await measureEngine({ model, engine }, deep, new AbortController().signal, (test) => kept.push(test));
        expect(kept).toMatchObject([
          { single: { nPrompt: 24, nGen: 0, nDepth: 0 } },
          { single: { nPrompt: 0, nGen: 6, nDepth: 0 } },
          { single: { nPrompt: 24, nGen: 0, nDepth: 40 } },
          { single: { nPrompt: 0, nGen: 6, nDepth: 40 } },
        ]);
        const { promptTokensComputed, promptTokensCached } = engine.stats();
        const runs = plan.repeats + 1;
        // 24 at depth 0; at 40 first 40 and then 24 after them, and 40 to generate after. A prompt of which
        // one token is left is counted as a row of generation.
        expect(promptTokensComputed).toBe(runs * (24 + (40 + 24) + 40));
        expect(promptTokensCached).toBe(runs * (40 + 39));
      } finally {
        await engine.close();
      }
    } finally {
      await model.close();
    }
  });

  it("of a model that is faster than its events every figure is a number", async () => {
    const short = ["--pp", "8", "--tg", "1,2,3,4,6,8", "--pl", "1,2", "--repeats", "3", "--threads", "1"];
    const { code, stdout } = await runCommand(["bench", "engine", ...short]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/\| +tg1 \| +[\d.]+ ± /);
    expect(stdout).not.toMatch(/NaN|Infinity/);
  });

  it("as a command prints both tables, and JSON with those tools' names", async () => {
    const flags = [
      "bench",
      "engine",
      "--pp",
      "16",
      "--tg",
      "4",
      "--pl",
      "1,2",
      "--repeats",
      "1",
      "--threads",
      "1",
    ];
    const [table, json] = await Promise.all([runCommand(flags), runCommand([...flags, "--json"])]);
    expect(table.code).toBe(0);
    expect(table.stdout).toMatch(/\n\n\| +PP \| +TG \| +B \| +N_KV \| +T_PP s \| +S_PP t\/s \| +T_TG s \|/);
    expect(table.stdout.trimEnd().split("\n")).toHaveLength(4 + 1 + 4);
    const { isPartial, llamaBench, llamaBatchedBench } = JSON.parse(json.stdout);
    expect(isPartial).toBe(false);
    expect(llamaBench.map((row: { n_prompt: number; n_gen: number }) => [row.n_prompt, row.n_gen])).toEqual([
      [16, 0],
      [0, 4],
    ]);
    expect(llamaBatchedBench.map((row: { n_kv: number }) => row.n_kv)).toEqual([20, 40]);
  });

  it.each([
    [["--pp", "0"], "Expected integers from 1 to 1048576, such as 128 or 1,2,4."],
    [["--pl", "1,300"], "Expected integers from 1 to 256"],
    [["--depth", "-1"], "Expected integers from 0 to 1048576"],
    [["--tg", "4,,5"], "Expected integers from 1 to"],
    [["--seed", "x"], "Expected an integer from 0."],
    [["--json", "no/such/folder/a.json"], "--json must be a file in a folder that can be written"],
  ])("%j: code 2, one sentence", async (args, sentence) => {
    const { code, stdout, stderr } = await runCommand(["bench", "engine", ...args]);
    expect(stderr).toContain(sentence);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  });
});
