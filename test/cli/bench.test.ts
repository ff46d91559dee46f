// `infernode bench` as a process: output, news, files and exit codes, with an engine of its
// own, our own server and endpoints that fail.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it, onTestFinished, vi } from "vitest";
import { embeddedModelPath } from "../../src/index.js";
import { startEndpoint } from "../bench/endpoint.js";
import { certificate } from "../helpers/certificates.js";
import { runCommand } from "../helpers/programs.js";
import { noTerminals, Terminal, withoutEscapes } from "../helpers/terminal.js";

const main = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "infernode-bench-"));
afterAll(() => rmSync(folder, { recursive: true }));

const load = ["--concurrency", "2", "--requests", "4", "--prompt-tokens", "20", "--output-tokens", "4"];
const own = ["bench", ...load, "--threads", "1"];
const remote = ["bench", ...load, "--no-calibrate", "--url"];

function read(file: string) {
  return JSON.parse(readFileSync(file, "utf8"));
}

async function thereIs(file: string): Promise<void> {
  while (!existsSync(file)) await pause(20);
}

vi.setConfig({ testTimeout: 120_000 });

describe("infernode bench", () => {
  it("prints a table, a line for each load point as news, and writes the file", async () => {
    const [file, csv, html] = ["own.json", "own.csv", "own.html"].map((name) => join(folder, name));
    if (!file || !csv || !html) return expect.fail("no paths");
    const flags = [
      ...own,
      "--rate",
      "40",
      "--arrivals",
      "constant",
      "--json",
      file,
      "--csv",
      csv,
      "--html",
      html,
    ];
    const { code, stdout, stderr } = await runCommand(flags);
    expect({ code, stderr }).toMatchObject({ code: 0 });
    const [heading, first, second] = stdout.split("\n");
    expect(heading).toMatch(/^load +out tok\/s +in tok\/s +req\/s +tok\/s\/user +TTFT ms p50 +p99/);
    expect(first).toMatch(/^concurrency 2 +[\d.]+ ± [\d.]+ /);
    expect(second).toMatch(/^40\.0\/s constant +/);
    expect(stdout).toMatch(/^Achieved at concurrency 2: prompts of [\d.]+ tokens .*; answers of 4 tokens/m);
    expect(stdout).toMatch(/^Achieved at 40\.0\/s constant: .* requests sent per second, gaps varying by/m);
    expect(stdout).toContain("Answers at temperature 0: sha256 ");
    const news = stderr.trimEnd().split("\n");
    expect(news[1]).toMatch(/^infernode: concurrency 2: .*output tokens\/s.*no errors$/);
    expect(news).toHaveLength(6); // the model, two points, the files
    expect(news.slice(3)).toEqual([file, csv, html].map((path) => `infernode: written: ${path}`));
    expect(readFileSync(csv, "utf8").trimEnd().split("\r\n")).toHaveLength(1 + 2 * 3);
    expect(readFileSync(html, "utf8")).toMatch(/^<!doctype html>[\s\S]*<svg [\s\S]*<\/html>\n$/);
    const result = read(file);
    expect(result).toMatchObject({
      schema: "infernode-bench/1",
      ended: { reason: "finished", sentence: null },
    });
    expect(result.points).toHaveLength(2);
    expect(result.options).toMatchObject({ concurrency: [2], repeats: 3, seed: 0 });
  });

  it("sweeps an engine until it is saturated, and says where", async () => {
    const size = ["--requests", "4", "--repeats", "1", "--prompt-tokens", "20", "--output-tokens", "4"];
    const flags = ["bench", ...size, "--threads", "1", "--concurrency", "sweep", "--json"];
    const { code, stdout } = await runCommand(flags);
    expect(code).toBe(0);
    const { points, saturation } = JSON.parse(stdout);
    const streams = points.map(({ load: { concurrency } }: { load: { concurrency: number } }) => concurrency);
    expect(streams.slice(0, 3)).toEqual([1, 2, 4]);
    expect(saturation).toHaveLength(1);
    expect(saturation[0].sentence).toMatch(/^(?:Not s|S)aturated/);
  });

  const terminals = noTerminals === undefined ? it : it.skip;
  terminals(
    noTerminals ?? "tells in one row of a terminal what it does and how long it will take",
    async () => {
      const requests = ["--requests", "300", "--repeats", "2"];
      const terminal = new Terminal([...own, ...requests], {}, { rows: 24, columns: 60 });
      await terminal.until(" left");
      expect((await terminal.end()).code).toBe(0);
      const lines = terminal.shown.split(/\r?\n|\r/).map(withoutEscapes);
      const before = lines.findIndex((line) => line.startsWith("concurrency 2, repeat 1: 0 of 302 requests"));
      expect(lines.slice(0, before)).toContain("measuring the loss of fixed texts");
      const progress = lines.filter((line) => /^(?:concurrency 2, r|measuring|asking)/.test(line));
      expect(progress.some((line) => /: \d+ of 302 requests, about \d+ s left$/.test(line))).toBe(true);
      expect(Math.max(...progress.map((line) => line.length))).toBeLessThan(60);
    },
  );

  it("--compat writes vLLM's JSON: lines in a .jsonl, whose totals and rates fit together", async () => {
    const [file, json] = [join(folder, "vllm.jsonl"), join(folder, "beside.json")];
    const both = ["--compat", `vllm=${file}`, "--compat", `aiperf=${file}.aiperf`];
    const { code, stderr } = await runCommand([...own, ...both, "--json", json]);
    expect(stderr).toContain(`written: ${file}-1.aiperf`);
    expect({ code, stderr }).toMatchObject({ code: 0 });
    const lines = readFileSync(file, "utf8").trimEnd().split("\n");
    const runs = lines.map((line) => JSON.parse(line));
    expect(runs).toHaveLength(3);
    const { repeats } = read(json).points[0];
    for (const [index, run] of runs.entries()) {
      const shape = { backend: "infernode", num_prompts: 4, request_rate: "inf", max_concurrency: 2 };
      expect(run).toMatchObject({ ...shape, completed: 4, failed: 0, total_output_tokens: 16 });
      expect(run.date).toMatch(/^\d{8}-\d{6}$/);
      expect(run.output_throughput * run.duration).toBeCloseTo(16, 9);
      expect(run.total_token_throughput * run.duration).toBeCloseTo(16 + run.total_input_tokens, 6);
      expect(run.median_ttft_ms).toBe(repeats[index].latency.ttftMs.p50);
      expect(run["p99.9_e2el_ms"]).toBe(repeats[index].latency.lastTextMs.p999);
      // numpy's divides by n: of four requests, √(3/4) of the sample's.
      expect(run.std_ttft_ms).toBeCloseTo(repeats[index].latency.ttftMs.deviation * Math.sqrt(0.75), 9);
    }
  });

  // vLLM's scripts read an object a file, its plots of sweeps a list in a summary.json.
  it.each([
    ["vllm.json", ["vllm-1.json", "vllm-2.json"]],
    ["summary.json", ["summary.json"]],
  ])("--compat vllm=%s writes %j", async (name, files) => {
    const own2 = [...own, "--repeats", "2", "--compat", `vllm=${join(folder, name)}`];
    const { code, stderr } = await runCommand(own2);
    expect({ code, stderr }).toMatchObject({ code: 0 });
    const runs = files.flatMap((file) => {
      expect(stderr).toContain(`written: ${join(folder, file)}\n`);
      return read(join(folder, file));
    });
    expect(runs).toHaveLength(2);
    for (const run of runs) expect(run).toMatchObject({ completed: 4, max_concurrency: 2 });
  });

  it("--compat aiperf writes AIPerf's JSON, a file for each of several repeats", async () => {
    const file = join(folder, "aiperf.json");
    const { code, stderr } = await runCommand([...own, "--repeats", "2", "--compat", `aiperf=${file}`]);
    expect({ code, stderr }).toMatchObject({ code: 0 });
    for (const number of [1, 2]) {
      const path = join(folder, `aiperf-${number}.json`);
      expect(stderr).toContain(`written: ${path}\n`);
      expect(read(path)).toMatchObject({ request_count: { avg: 4 }, total_osl: { unit: "tokens", avg: 16 } });
    }
    expect(existsSync(file)).toBe(false);
  });

  it("prices tokens, of one machine and of a serverless worker that sleeps", async () => {
    const flags = [...own, "--price-per-hour", "3.6", "--traffic", "36", "--json"];
    const { code, stdout } = await runCommand([...flags, "--repeats", "1"]);
    expect(code).toBe(0);
    const { price, points, openMs } = JSON.parse(stdout);
    expect(price).toEqual({ dollarsPerSecond: 0.001, gpu: null, gpus: 0, source: "--price-per-hour" });
    for (const { cost, overall } of points) {
      const perSecond = overall.throughput.outputTokensPerSecond.mean;
      expect(cost.output.mean * perSecond).toBeCloseTo(0.001 * 1e6, 6);
      expect(cost.serverless).toMatchObject({ requestsPerSecond: 0.01, idleTimeoutSeconds: 5 });
      expect(cost.serverless.coldStartSeconds).toBe(openMs / 1000);
    }
  });

  it("with --json alone prints one line of JSON; fewer than three repeats are told", async () => {
    const flags = [...own, "--repeats", "1"];
    const [json, table] = await Promise.all([runCommand([...flags, "--json"]), runCommand(flags)]);
    expect(json.stdout.trimEnd().split("\n")).toHaveLength(1);
    expect(JSON.parse(json.stdout).points[0].overall.repeats).toBe(1);
    expect(table.stdout).toContain("Fewer than three repeats (concurrency 2)");
  });

  it("measures our own server, whose token counts are the client's", async () => {
    const address = await startWorker();
    const url = `${address}/openai`;
    const { code, stdout } = await runCommand([...remote, url, "--api", "completions", "--json"]);
    expect(code).toBe(0);
    const { points, target } = JSON.parse(stdout);
    expect(target).toMatchObject({ type: "endpoint", api: "completions", ignoreEos: true });
    for (const { requests, tokens } of points[0].repeats) {
      expect(requests).toMatchObject({ sent: 4, finished: 4, failed: 0 });
      expect(tokens.serverOutputTokens).toBe(16);
    }
  });

  it("at Ctrl-C writes what was measured, marked, and exits with 130", async () => {
    const file = join(folder, "interrupted.json");
    const child = spawn(process.execPath, [main, ...own, "--repeats", "1000", "--json", file]);
    const said = text(child.stdout);
    child.stderr.resume();
    await thereIs(file); // once the first of the repeats is done
    child.kill("SIGINT");
    expect(await once(child, "close")).toEqual([130, null]);
    const shown = await said;
    const { ended, points } = read(file);
    expect(ended).toEqual({ reason: "interrupted", sentence: null });
    expect(points).toHaveLength(1);
    expect(points[0].isComplete).toBe(false);
    expect(points[0].repeats[0].requests).toMatchObject({ sent: 4, finished: 4 });
    expect(shown).toMatch(/^concurrency 2 \(partial\) /m);
    expect(shown).toContain("Interrupted: these results are partial.");
  });

  it("at Ctrl-C in its cold starts writes those that were measured, marked", async () => {
    const file = join(folder, "cold.json");
    const child = spawn(process.execPath, [main, ...own, "--cold", "1000", "--json", file]);
    const said = text(child.stdout);
    for await (const line of child.stderr) if (String(line).includes("cold start: ")) break;
    child.kill("SIGINT");
    expect(await once(child, "close")).toEqual([130, null]);
    const { ended, points, cold } = read(file);
    expect(ended).toEqual({ reason: "interrupted", sentence: null });
    expect(points).toEqual([]);
    expect(cold.runs.length).toBeGreaterThanOrEqual(1);
    expect(await said).toMatch(
      /^\d+ cold starts?: [\d.]+ .*\nNo losses: not measured\.\nInterrupted: these results are partial\.\n$/,
    );
  });

  it("engine: at Ctrl-C keeps each test that was measured, marked; before any it says so", async () => {
    const file = join(folder, "engine.json");
    const tests = ["--pp", "8", "--tg", "8", "--pl", "1,2", "--repeats", "1", "--threads", "1"];
    const many = ["--depth", Array.from({ length: 500 }, () => "0").join(",")];
    const args = [main, "bench", "engine", ...tests, ...many, "--json", file];
    const child = spawn(process.execPath, args);
    child.stdout.resume();
    child.stderr.resume();
    await thereIs(file); // once the first test is done
    child.kill("SIGINT");
    expect(await once(child, "close")).toEqual([130, null]);
    expect(read(file)).toMatchObject({ isPartial: true, llamaBench: expect.any(Array) });
    expect(read(file).llamaBench.length).toBeGreaterThanOrEqual(1);
    const early = spawn(process.execPath, [main, "bench", "engine", ...tests]);
    early.stdout.resume();
    await once(early.stderr, "data"); // the model's line, before it is loaded
    early.kill("SIGINT");
    expect(await once(early, "close")).toEqual([130, null]);
  });

  it("an endpoint that dies midway: code 1, one sentence, what was measured is in the file", async () => {
    const address = await startEndpoint();
    const file = join(folder, "died.json");
    const { code, stdout } = await runCommand([...remote, `${address}/dies-20`, "--json", file]);
    expect(code).toBe(1);
    expect(stdout).toMatch(
      /Failed, and these results are partial: \d+ requests in a row failed.*ECONNREFUSED/,
    );
    const { ended, points } = read(file);
    expect(ended.reason).toBe("failed");
    expect(points[0].repeats[0].requests).toMatchObject({ finished: 4 });
  });
});

it("charts are loaded for reports alone: no file imports them at its start", () => {
  const dist = fileURLToPath(new URL("../../dist/", import.meta.url));
  const scripts = readdirSync(dist, { recursive: true, encoding: "utf8" }).filter((name) =>
    name.endsWith(".js"),
  );
  expect(scripts).toContain("html-report.js");
  const texts = scripts.map((name) => readFileSync(join(dist, name), "utf8"));
  expect(texts.filter((script) => /^import[^(;]*html-report\.js/m.test(script))).toEqual([]);
  expect(texts.filter((script) => /import\("[./]*html-report\.js"\)/.test(script))).toHaveLength(1);
});

describe("infernode bench, used wrongly", () => {
  it.each([
    [["--concurrency", "NaN"], 'Expected numbers such as 1,4,16, or "sweep".'],
    [["--concurrency", "1,,2"], 'Expected numbers such as 1,4,16, or "sweep".'],
    [["--rate", "swept"], 'Expected numbers such as 1,4,16, or "sweep".'],
    [["--concurrency", "0"], "--concurrency must be an integer from 1 to 65536, got 0"],
    [["--requests", "NaN"], "Expected a number."],
    [["--rate", "-1"], "--rate must be a number above 0"],
    [["--prompt-tokens", "gauss:1,2"], "--prompt-tokens must be 128, uniform:64,256"],
    [["--requests", "4", "--duration", "2"], "--duration cannot be given with --requests"],
    [["--url", "localhost:8000"], "--url must be an http:// or https:// address"],
    [["--url", "http://localhost:1", "--slots", "4"], "--slots is of engines in this process"],
    [["--url", "http://localhost:1", "--cold", "2"], "--cold is of models in this process"],
    [["--cold", "0"], "--cold must be an integer from 1 to 1000, got 0"],
    [["--url", "http://localhost:1", "--api", "grpc"], "Allowed choices are chat, completions, run-stream"],
    [["--api-key", "secret"], "--api-key needs --url"],
    [["--url", "http://localhost:1", "--api-key-env", "NO_SUCH"], "the environment has no variable NO_SUCH"],
    [["--json", "no/such/folder/a.json"], "--json must be a file in a folder that can be written"],
    [["--csv", "."], "--csv must be a file's path"],
    [["--compat", "vllm=a", "--compat", "vllm=b"], "Expected one file of vllm."],
    [["--compat", "sglang=a.json"], "Expected vllm=FILE or aiperf=FILE."],
    [["--compat", "vllm=no/such/folder/a"], "--compat must be a file in a folder that can be written"],
    [["--html", "no/such/folder/a.html"], "--html must be a file in a folder that can be written"],
    [["--prompts", "no-such.jsonl"], "no-such.jsonl cannot be read"],
    [["--trace", "no-such.csv"], "--trace: no-such.csv cannot be read"],
    [["--trace", main], "main.js:1 must be the heading TIMESTAMP,ContextTokens,GeneratedTokens"],
    [["--trace", "a", "--prompts", "b"], "--trace cannot be given with --prompts"],
    [["--trace", "a", "--turns", "2"], "--turns is of prompts that are drawn, and --trace names a file"],
    [["--trace-speed", "2"], "--trace-speed needs --trace"],
    [
      ["--url", "http://localhost:1", "--gpu", "GTX 970"],
      '--gpu must be a GPU of `infernode plan`, such as "RTX 4090"',
    ],
    [["--gpu", "L4"], "--gpu needs --url: GPUs of an engine in this process are found"],
    [["--price-per-hour", "-1"], "--price-per-hour must be a number above 0"],
    [["--cold-start", "NaN"], "Expected a number."],
    [["--turns", "5000"], "--turns must be 4, uniform:2,8"],
    [["--users", "3"], "--users needs --turns"],
    [["--cancel-rate", "2"], "--cancel-rate must be a number from 0 to 1, got 2"],
    [["--cancel-after", "20"], "--cancel-after needs --cancel-rate"],
    [["--context-length", "4"], "--context-length must be an integer from 16 to"],
  ])("%j: code 2, one sentence, stdout clean", async (args, sentence) => {
    const { code, stdout, stderr } = await runCommand(["bench", ...args]);
    expect(stderr).toContain(sentence);
    expect(stderr).not.toContain("    at ");
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  });

  it("a certificate that is not trusted: code 1, one sentence that says what to do", async (context) => {
    try {
      certificate(folder, "own", "IP:127.0.0.1", "20200101000000Z", "20490101000000Z");
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code === "ENOENT") return context.skip("openssl is missing");
      throw thrown;
    }
    const [key, cert] = ["own.key", "own.pem"].map((name) => readFileSync(join(folder, name)));
    const server = createServer({ key, cert }, (_, response) => response.end("{}"));
    onTestFinished(() => void server.close());
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const { code, stdout, stderr } = await runCommand([...remote, `https://127.0.0.1:${port}`]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toMatch(
      /^infernode: https:\S+\/v1\/models: its certificate is not trusted \(\w*SELF_SIGNED_CERT\w*\); a company's own authority is named by NODE_EXTRA_CA_CERTS\n$/,
    );
  });

  it("an unknown model, a dead address and a wrong key: code 1, one sentence", async () => {
    const address = await startEndpoint();
    const [model, dead, key, plain] = await Promise.all([
      runCommand(["bench", "no-such-model.gguf"]),
      runCommand([...remote, "http://127.0.0.1:1"]),
      runCommand([...remote, `${address}/locked`, "--api-key", "wrong-key"]),
      runCommand([...remote, address.replace("http:", "https:")]),
    ]);
    expect(model.stderr).toMatch(/^infernode: .*no-such-model\.gguf.* \[MODEL_NOT_FOUND\]\n$/);
    expect(dead.stderr).toMatch(
      /^infernode: nothing answers at http:\/\/127\.0\.0\.1:1\/v1\/models: .*ECONNREFUSED/,
    );
    expect(key.stderr).toMatch(
      /^infernode: .*status 401: Incorrect API key provided: the key is missing or wrong/,
    );
    expect(plain.stderr).toMatch(
      /^infernode: https:\S+\/v1\/models: it answers without TLS \(\w+\); check its port, or write its address with http:\/\/$/m,
    );
    for (const { code, stdout, stderr } of [model, dead, key, plain]) {
      expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
      expect(stderr.trimEnd().split("\n")).toHaveLength(1);
      expect(stderr).not.toContain("wrong-key");
    }
  });
});

/** @returns the address of a local worker with the embedded model */
async function startWorker(): Promise<string> {
  const child = spawn(process.execPath, [main, "worker", "--rp_serve_api", "--rp_api_port", "0"], {
    env: { ...process.env, MODEL_NAME: embeddedModelPath() },
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  let said = "";
  child.stderr.on("data", (chunk) => (said += String(chunk)));
  child.stdout.on("data", (chunk) => (said += String(chunk)));
  for (;;) {
    const [address] = /http:\/\/[\w.]+:[1-9]\d*/.exec(said) ?? [];
    if (address !== undefined) return address;
    if (child.exitCode !== null) throw new Error(`the worker ended: ${said}`);
    await Promise.race([once(child.stderr, "data"), once(child.stdout, "data"), once(child, "close")]);
  }
}
