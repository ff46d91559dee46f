// The comparison with other engines, in short runs: infernode in a process beside `infernode serve`,
// and beside llama-batched-bench where that is built.

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readMachine } from "../../tools/bench/peers/machine.mjs";
import { measureGroup } from "../../tools/bench/peers/measure.mjs";
import { groups } from "../../tools/bench/peers/plan.mjs";
import { barsOfResults, documentText, remarksOf } from "../../tools/bench/peers/tables.mjs";
import { agreementOf, agreementText, isOther } from "../../tools/bench/peers/texts.mjs";
import { judgeWork, kDecode, kPrompt, speedOf } from "../../tools/bench/peers/workloads.mjs";
import { batchedRows } from "../../tools/bench/reference-programs.mjs";

const root = path.resolve(import.meta.dirname, "../..");
const programs = path.join(root, ".build/reference/bin");
const minutes = 5 * 60_000;

let store;
beforeEach(() => {
  store = mkdtempSync(path.join(os.tmpdir(), "infernode-peers-"));
});
afterEach(() => rmSync(store, { recursive: true, force: true }));

/** One thread: two would wait for each other beside other tests. */
function settingOf(more = {}) {
  const setting = { store, threads: 1, rounds: 2, patience: 0, startMs: 120_000, isQuick: true, ...more };
  return { ...setting, machine: readMachine(setting) };
}

const ours = { contender: "infernode", weights: "embedded:q8_0" };
const served = { contender: "infernode-serve", weights: "embedded:q8_0" };

describe("a group", () => {
  it("measures its contenders in turns, with the same tokens and the same text", {
    timeout: minutes,
  }, async () => {
    const group = { id: "own", of: [ours, served], workloads: [kDecode[1], kPrompt], isReversed: true };
    const saved = [];
    const result = await measureGroup(group, settingOf(), (each) => saved.push(structuredClone(each)));
    expect(result.contenders.map(({ failure }) => failure)).toEqual([undefined, undefined]);
    expect(result.isComplete).toBe(true);
    expect(saved.map(({ isComplete }) => isComplete)).toEqual([false, false, true]);
    const [text] = result.texts;
    expect(text).toMatchObject({ mustAgree: true, same: text.of });
    expect(text.gap).toBeUndefined();
    expect(text.of).toBeGreaterThan(20);
    for (const workload of result.workloads) {
      expect(workload.rounds).toHaveLength(2);
      const speeds = Object.values(workload.medians);
      expect(speeds).toHaveLength(2);
      expect(Math.min(...speeds)).toBeGreaterThan(0);
      expect(workload.ratios).toMatchObject([{ below: result.contenders[0].name }]);
    }
    for (const { loadMs, memoryBytes, version } of result.contenders) {
      expect(loadMs).toBeGreaterThan(0);
      expect(memoryBytes).toBeGreaterThan(1e6);
      expect(version).toContain("llama.cpp");
    }
    const document = documentText([result]);
    expect(document).toContain(result.date);
    expect(document).toContain(`instructions ${result.machine.instructions[0]}`);
    expect(remarksOf([result])).toEqual(["own: a short try; its figures mean nothing."]);
  });

  it("tells which contender is missing and why, and measures the others", { timeout: minutes }, async () => {
    const missing = { contender: "vllm", weights: "awq:awq" };
    const group = { id: "lonely", of: [ours, missing], workloads: [kDecode[0]] };
    const result = await measureGroup(group, settingOf(), () => {});
    expect(Object.keys(result.workloads[0].medians)).toEqual([result.contenders[0].name]);
    expect(result.workloads[0].ratios).toEqual([]);
    const [remark] = remarksOf([result]);
    expect(remark).toMatch(/^lonely: vLLM, .* is missing: .*smollm2-awq is missing: an AWQ checkpoint/);
    expect(documentText([result])).toContain(`- ${remark}`);
  });

  const built = existsSync(path.join(programs, "llama-batched-bench"));
  if (!built)
    console.warn("SKIPPED: llama-batched-bench is not built (tools/setup/build-reference.mjs builds it)");
  it.skipIf(!built)("measures llama-batched-bench beside ours", { timeout: minutes }, async () => {
    const peer = { contender: "llama-batched-bench", weights: "embedded:q8_0" };
    const group = { id: "ceiling", of: [ours, peer], workloads: [kDecode[0], kPrompt] };
    const result = await measureGroup(group, settingOf({ programs }), () => {});
    expect(result.contenders.map(({ failure }) => failure)).toEqual([undefined, undefined]);
    for (const { ratios } of result.workloads) expect(ratios[0].value).toBeGreaterThan(0);
  });
});

describe("work", () => {
  const [one] = kDecode;
  const answer = { promptTokens: [16], generatedTokens: [128], countedTokens: [128] };

  it("is refused where an engine counted other prompts or stopped early", () => {
    expect(() => judgeWork("E", one, answer)).not.toThrow();
    expect(() => judgeWork("E", one, { ...answer, promptTokens: [17] })).toThrow(
      "E did other work: expected 1 x (16 + 128) tokens, it counted prompts of 17 and 128 new tokens.",
    );
    expect(() => judgeWork("E", one, { ...answer, generatedTokens: [127] })).toThrow("E did other work");
    expect(() => judgeWork("E", one, { ...answer, generatedTokens: [128, 128] })).toThrow("E did other work");
  });

  it("is refused where more or nothing was received", () => {
    expect(() => judgeWork("E", one, { ...answer, countedTokens: [129] })).toThrow("but 129 were received");
    expect(() => judgeWork("E", one, { ...answer, countedTokens: [0] })).toThrow("but 0 were received");
  });

  it("is told in generated tokens a second, a prompt's in prompt tokens", () => {
    expect(speedOf(kDecode[1], [{ wallMs: 2000 }])).toBe(512);
    expect(speedOf(kPrompt, [{ wallMs: 500 }, { wallMs: 500 }])).toBe(1024);
  });
});

describe("llama-batched-bench", () => {
  // Prints a row for each width of -npl but the last ones, as the real one does now and then; at
  // its first run none.
  const forgetful = `import { existsSync, writeFileSync } from "node:fs";
    const mark = import.meta.filename + ".ran";
    const isFirst = !existsSync(mark);
    writeFileSync(mark, "");
    const widths = process.argv[process.argv.indexOf("-npl") + 1].split(",").map(Number);
    for (const pl of isFirst ? [] : widths.slice(0, -1)) console.log(JSON.stringify({ pl }));`;

  it("may lose its last lines without harm", async () => {
    const program = path.join(store, "forgetful.mjs");
    writeFileSync(program, forgetful);
    await expect(batchedRows(process.execPath, [program], [8, 32])).resolves.toEqual([{ pl: 8 }, { pl: 32 }]);
  });

  it("is refused where rows of other widths come", async () => {
    const program = path.join(store, "other.mjs");
    writeFileSync(program, "console.log(JSON.stringify({ pl: 4 }))");
    const rows = batchedRows(process.execPath, [program], [8]);
    await expect(rows).rejects.toThrow('llama-batched-bench did other work than 8: [{"pl":4}]');
  });
});

describe("greedy texts", () => {
  const choices = [
    {
      text: "Paris",
      rivals: [
        { text: "Paris", gap: 0 },
        { text: "Rome", gap: 5 },
      ],
    },
    {
      text: "Paris.",
      rivals: [
        { text: "Paris.", gap: 0 },
        { text: "Paris,", gap: 0.4 },
      ],
    },
  ];
  const judged = (text) => {
    const agreement = agreementOf(choices, text);
    return [agreementText(agreement), isOther({ ...agreement, mustAgree: true })];
  };

  it("may part where ours found both tokens likely, and nowhere else", () => {
    expect(judged(" Paris. It is")).toEqual(["all 2 tokens the same", false]);
    expect(judged("Paris, and")).toEqual([
      "1 of 2 tokens the same, then parting at a choice of 0.40 nats",
      false,
    ]);
    expect(judged("Rome.")).toEqual(["0 of 2 tokens the same, then parting at a choice of 5.00 nats", true]);
    expect(judged("Pa ris")).toEqual([
      "0 of 2 tokens the same, then parting by a token we found unlikely",
      true,
    ]);
    expect(judged("")).toEqual(["all 0 tokens the same", true]);
    expect(isOther({ ...agreementOf(choices, "Rome."), mustAgree: false })).toBe(false);
  });
});

describe("the command", () => {
  const run = (...args) =>
    spawnSync(process.execPath, [path.join(root, "tools/bench/peers/main.mjs"), ...args], {
      encoding: "utf8",
    });

  const isFirst = {
    name: "infernode, A Q8_0",
    title: "infernode",
    weights: "A Q8_0",
    version: "1",
    settings: "s",
  };
  const isPeer = {
    ...isFirst,
    name: "Peer, A Q8_0",
    title: "Peer",
    version: "2",
    loadMs: 1500,
    memoryBytes: 2 ** 20,
  };
  const workload = {
    ...kDecode[0],
    busiest: 0.02,
    rounds: [],
    medians: { [isFirst.name]: 100, [isPeer.name]: 80 },
    ratios: [{ above: isFirst.name, below: isPeer.name, value: 1.25, atLeast: 1.3 }],
  };
  const result = {
    id: groups[0].id,
    date: "2026-01-02",
    machine: {
      description: "2 x CPU",
      kernel: "6",
      llamaCpp: "v1",
      instructions: ["AVX2"],
      kernels: ["attention"],
    },
    threads: 2,
    rounds: 5,
    isQuick: false,
    isComplete: true,
    workloads: [workload],
    texts: [{ ours: isFirst.name, peer: isPeer.name, same: 1, of: 30, gap: null, mustAgree: true }],
    contenders: [isFirst, isPeer],
  };

  it("makes tables of files, names what was not measured and judges bars as measured", () => {
    const out = path.join(store, "out");
    mkdirSync(out);
    writeFileSync(path.join(out, "a.json"), JSON.stringify(result));
    const { stdout, stderr, status } = run("--report", "--out", out);
    expect(status).toBe(0);
    expect(stdout).toContain("| A Q8_0 | decode, 1 at once | 100.0 | 80.0 | 1.25 | >= 1.3 |");
    expect(stdout).toContain("| Peer, A Q8_0 | 1.50 | 1 |");
    expect(stdout).toContain(
      "Peer, A Q8_0 computes another text than infernode, A Q8_0: 1 of 30 tokens the same",
    );
    expect(stdout).toMatch(/\nNot measured: openvino-q4_0, vllm-awq, /);
    expect(stderr).toContain("1 of 1 bars missed:");
    expect(barsOfResults([result])).toMatchObject([{ value: 1.25, atLeast: 1.3 }]);
  });

  it("writes no figures of a short try into the document", () => {
    writeFileSync(path.join(store, "a.json"), JSON.stringify({ ...result, isQuick: true }));
    const before = readFileSync(path.join(root, "docs/benchmarks.md"), "utf8");
    const { stderr, status } = run("--report", "--write", "--out", store);
    expect(status).toBe(1);
    expect(stderr).toBe(
      `infernode: ${result.id} was measured with --quick: its figures are for no document.\n`,
    );
    expect(readFileSync(path.join(root, "docs/benchmarks.md"), "utf8")).toBe(before);
  });

  it.for([
    [["--rounds", "0"], '--rounds takes a whole number from 1 to 1000, got "0".'],
    [["nobody"], 'There is no group "nobody"; --list names them.'],
    [["--isa", "sse"], '--isa takes avx2, got "sse".'],
    [["--isa", "avx2"], "--isa restricts the peers; name our native files for it with --native FOLDER."],
  ])("refuses %s in a sentence", ([args, sentence]) => {
    const { stderr, status } = run(...args);
    expect(stderr).toBe(`infernode: ${sentence}\n`);
    expect(status).toBe(1);
  });
});
