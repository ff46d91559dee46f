// The gate against a faster engine that computes something else, for batches: losses of fixed texts and of
// batched answers, in this process and over HTTP, of the same weights and of others.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it, vi } from "vitest";
import { type BenchmarkResult, runBenchmark } from "../../src/bench/benchmark.js";
import { openEngine } from "../../src/bench/engine-target.js";
import { type Nll, nllDifference } from "../../src/bench/nll.js";
import { engineShape, judgeBenchmark } from "../../src/bench/options.js";
import { remarksOn } from "../../src/bench/remarks.js";
import { embeddedModelPath } from "../../src/index.js";
import { type FileTensor, tensorsOf } from "../helpers/gguf-tensors.js";
import { runCommand } from "../helpers/programs.js";
import { serveInProcess } from "../helpers/serve-process.js";
import { benchEndpoint, startEndpoint } from "./endpoint.js";

vi.setConfig({ testTimeout: 120_000 });

const folder = mkdtempSync(join(tmpdir(), "infernode-nll-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const small = { concurrency: [1], requests: 1, repeats: 1, outputTokens: "2", physics: false };

async function bench(model: string, given: object = {}): Promise<BenchmarkResult> {
  const options = judgeBenchmark({ ...small, ...given });
  const { threads, gpuLayers, kvType, ignoreEos } = options;
  return runBenchmark(options, {
    open: (signal) =>
      openEngine({ model, threads, gpuLayers, kvType, ignoreEos, ...engineShape(options) }, signal),
    signal: new AbortController().signal,
  });
}

const nllOf = ({ nll, nllMissing }: BenchmarkResult): Nll => nll ?? expect.fail(nllMissing ?? "no losses");

/** A copy of the embedded model of which some tensors' bytes are changed. */
function changed(name: string, change: (tensor: FileTensor, name: string) => void): string {
  const tensors = tensorsOf(embeddedModelPath());
  for (const [tensorName, tensor] of tensors) change(tensor, tensorName);
  const [first] = tensors.values();
  const path = join(folder, name);
  writeFileSync(path, Buffer.from(first?.bytes.buffer ?? expect.fail("no tensors")));
  return path;
}

/** Each quant of a Q8_0 tensor to the nearest of 17 levels: what four bits hold. */
function toFourBits({ type, bytes }: FileTensor): void {
  if (type !== "q8_0") return;
  const blockBytes = 34;
  for (let block = 0; block < bytes.length; block += blockBytes) {
    for (let at = block + 2; at < block + blockBytes; at += 1) {
      const level = Math.round(bytes.readInt8(at) / 16) * 16;
      bytes.writeInt8(Math.max(-127, Math.min(127, level)), at);
    }
  }
}

describe("the losses of an engine in this process", () => {
  it("are the same for the same weights, whatever the batch; other quants and a damaged tensor are told", async () => {
    const base = nllOf(await bench(embeddedModelPath()));
    expect(base.texts).toBe(8);
    expect(base.logProbs).toHaveLength(base.tokens);
    expect(base.mean).toBeGreaterThan(1);
    expect(base.answers?.atOnce).toBe(8);
    const wide = nllOf(await bench(embeddedModelPath(), { concurrency: [20], threads: 1 }));
    expect(wide.answers?.atOnce).toBe(20);
    expect(nllDifference(base, wide)).toBeNull();
    const coarse = nllOf(await bench(changed("coarse.gguf", toFourBits)));
    expect(nllDifference(base, coarse)).toMatch(
      /^the tokens' losses are 0\.\d+ nats apart \(at most 0\.02\)/,
    );
    const damaged = changed("damaged.gguf", ({ bytes }, name) => {
      if (name === "blk.1.ffn_down.weight") bytes.fill(0, 0, bytes.length / 2);
    });
    expect(nllDifference(base, nllOf(await bench(damaged)))).toMatch(/nats apart/);
  });

  it("are those of our server, to the band, and a run without them says why", async () => {
    const serve = await serveInProcess([embeddedModelPath()]);
    try {
      const there = nllOf(await benchEndpoint(serve.url, { ...small, physics: true }));
      const here = nllOf(await bench(embeddedModelPath()));
      expect(nllDifference(here, there)).toBeNull();
      expect(there.answers?.tokens).toBe(here.answers?.tokens);
    } finally {
      await serve.stop();
    }
    const off = await bench(embeddedModelPath(), { nll: false });
    expect(off).toMatchObject({ nll: null, nllMissing: "not measured (--no-nll)" });
  });
});

it("an endpoint without echo has none, with the reason", async () => {
  const result = await benchEndpoint(`${await startEndpoint()}/plain`);
  expect(result.nll).toBeNull();
  const reason =
    "the endpoint tells no log-probabilities of prompts (/completions with echo and logprobs): status 400: echo is not supported";
  expect(result.nllMissing).toBe(reason);
  expect(remarksOn(result)).toContain(`No losses: ${reason}.`);
});

it("a batch that computes something else fails --reference, with one sentence, and compare", async () => {
  const flags = ["--concurrency", "1", "--requests", "1", "--repeats", "1", "--output-tokens", "2"];
  const [one, other] = [join(folder, "one.json"), join(folder, "other.json")];
  const run = (...more: string[]) => runCommand(["bench", ...flags, "--no-physics", ...more]);
  expect((await run("--json", one)).code).toBe(0);
  const same = await run("--reference", one);
  expect(same.stdout).toContain("The losses are its, within rounding.");
  expect(same.code).toBe(0);
  const result = JSON.parse(readFileSync(one, "utf8")) as BenchmarkResult;
  const nll = { ...nllOf(result), answers: { atOnce: 8, tokens: 128, mean: 9 } };
  writeFileSync(other, JSON.stringify({ ...result, nll }));
  const { code, stderr, stdout } = await run("--reference", other);
  expect(stderr).toContain(
    `the losses are not those of ${other} (--reference): the losses of batched answers`,
  );
  expect(stdout).toContain("concurrency 1");
  expect(code).toBe(1);
  const compared = await runCommand(["bench", "compare", one, other]);
  expect(compared.stderr).toContain("the losses differ, so the faster one may compute something else");
  expect(compared.code).toBe(1);
});
