// What is read of other servers: /metrics by vLLM's and llama-server's names, our own server's beside
// what the client counted, and jobs that are polled.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { jobBase } from "../../src/bench/endpoint-target.js";
import { readSamples } from "../../src/bench/prometheus.js";
import { remarksOn } from "../../src/bench/remarks.js";
import { readServerMetrics } from "../../src/bench/server-metrics.js";
import { benchEndpoint, startEndpoint } from "./endpoint.js";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const vllm = `# HELP vllm:num_preemptions_total Cumulative number of preemptions.
# TYPE vllm:num_preemptions_total counter
vllm:num_preemptions_total{engine="0",model_name="fox"} 3.0
vllm:num_preemptions_total{engine="1",model_name="fox"} 4.0
vllm:prompt_tokens_total{engine="0",model_name="fox"} 900.0
vllm:prefix_cache_queries_total{engine="0",model_name="fox"} 1000.0
vllm:prefix_cache_hits_total{engine="0",model_name="fox"} 250.0
vllm:generation_tokens_total{engine="0",model_name="fox"} 1.25e+03
vllm:generation_tokens_total{engine="0",model_name="owl"} 7.0
vllm:kv_cache_usage_perc{engine="0",model_name="fox"} 0.375
vllm:request_success_total{engine="0",finished_reason="stop",model_name="fox"} 5.0
vllm:request_success_total{engine="0",finished_reason="length",model_name="fox"} 6.0
vllm:request_success_total{engine="0",finished_reason="abort",model_name="fox"} 2.0
vllm:iteration_tokens_total_count{engine="0",model_name="fox"} 77.0
vllm:request_queue_time_seconds_sum{engine="0",model_name="fox"} 0.5
vllm:request_queue_time_seconds_count{engine="0",model_name="fox"} 10.0
`;

const llamaServer = `# HELP llamacpp:prompt_tokens_total Number of prompt tokens processed
# TYPE llamacpp:prompt_tokens_total counter
llamacpp:prompt_tokens_total 120
llamacpp:prompt_tokens_cached_total 40
llamacpp:tokens_predicted_total 300
llamacpp:n_decode_total 100
llamacpp:n_busy_slots_per_decode 3.5
`;

describe("/metrics of other servers", () => {
  it("is read in Prometheus' format, escapes and all", () => {
    const text =
      'a 1\nb{x="q\\"\\n\\\\",y="2"} 2.5 1700000000\n# c 3\nd NaN\n\ne{} +Inf\nnot a sample at all\n';
    expect(readSamples(text)).toEqual([
      { name: "a", labels: {}, value: 1 },
      { name: "b", labels: { x: 'q"\n\\', y: "2" }, value: 2.5 },
    ]);
  });

  it("by vLLM's names: of the model that is asked, over all engines", () => {
    expect(readServerMetrics(vllm, "fox")).toMatchObject({
      counters: {
        ...{ steps: 77, preemptions: 7, generatedTokens: 1250, finished: 11, cancelled: 2 },
        ...{ promptTokensCached: 250, promptTokensComputed: 750, queuedMs: 500, queuedRequests: 10 },
        ...{ draftedTokens: null, graphsReused: null, decodeRows: null, failed: null },
      },
      kvUse: 0.375,
    });
    expect(readServerMetrics(vllm, "owl")?.counters).toMatchObject({ generatedTokens: 7, preemptions: null });
    // One model is the one that is asked, however its server spells it.
    const only = vllm.replaceAll("owl", "fox");
    expect(readServerMetrics(only, "/models/fox")?.counters.generatedTokens).toBe(1257);
  });

  it("by llama-server's names, what it does not tell is null", () => {
    expect(readServerMetrics(llamaServer, "any")).toMatchObject({
      counters: {
        ...{ steps: 100, decodeRows: 350, promptTokensComputed: 120, promptTokensCached: 40 },
        ...{ generatedTokens: 300, preemptions: null, finished: null, decodeMs: null },
      },
      kvUse: null,
    });
    expect(readServerMetrics("<html>not found</html>", "any")).toBeNull();
    expect(readServerMetrics("process_cpu_seconds_total 3\n", "any")).toBeNull();
  });

  it("differences of a repeat are the endpoint's own counts", async () => {
    const { points } = await benchEndpoint(`${await startEndpoint()}/metered`);
    for (const { engine, requests } of points[0]?.repeats ?? []) {
      expect(engine?.generatedTokens).toBe(requests.all.outputTokens);
      expect(engine?.queueMsMean).toBeCloseTo(4, 9);
      expect(engine?.preemptions).toBeNull();
    }
  });

  it("an endpoint without it has no figures of its engine", async () => {
    const { points, target } = await benchEndpoint(`${await startEndpoint()}/plain`, { repeats: 1 });
    expect(target.metricsUrl).toBeNull();
    expect(points[0]?.repeats[0]?.engine).toBeNull();
  });
});

it("an endpoint's address may be given with what lies below it", () => {
  for (const tail of ["", "/", "/run", "/runsync", "/openai", "/openai/v1"])
    expect(jobBase(new URL(`https://api.runpod.ai/v2/abc${tail}`))).toBe("https://api.runpod.ai/v2/abc");
});

describe("our own server", () => {
  const command = join(import.meta.dirname, "../../dist/cli/main.js");
  let stop = () => {};
  let address = "";

  beforeAll(async () => {
    const env = { PATH: process.env.PATH, PORT: "0" };
    const child = spawn(process.execPath, [command, "serve"], { env });
    stop = () => void child.kill("SIGKILL");
    let said = "";
    child.stderr.on("data", (chunk) => (said += String(chunk)));
    for await (const chunk of child.stdout) {
      said += String(chunk);
      const found = /Serving on (http:\S+) \(/.exec(said)?.[1];
      if (found === undefined) continue;
      address = found;
      return;
    }
    await once(child, "close");
    throw new Error(`the server ended: ${said}`);
  });
  afterAll(() => stop());

  it("tells at /metrics what the client counted", async () => {
    const { points, target } = await benchEndpoint(`${address}/v1`);
    expect(target.metricsUrl).toBe(`${address}/metrics`);
    for (const { engine, requests } of points[0]?.repeats ?? []) {
      expect(engine?.finished).toBe(requests.all.finished);
      expect(engine?.generatedTokens).toBe(requests.all.outputTokens);
      expect(engine?.steps).toBeGreaterThan(0);
      expect(engine?.decodePasses).toBeGreaterThan(0);
      expect(engine?.rowsPerStep).toBeCloseTo((engine?.decodeRows ?? 0) / (engine?.steps ?? 0), 9);
      expect(engine?.queueMsMean).toBeGreaterThanOrEqual(0);
    }
  });

  it.each([
    ["run-stream", /polled every 10\.0 ms: times to the first token .* carry up to that/],
    ["run-status", /for its jobs' status: all of an answer comes at its end/],
  ] as const)(
    "is polled by %s: all tokens, the same answers, and the interval is told",
    async (api, remark) => {
      const given = { api, pollInterval: 10, repeats: 1, outputTokens: "6" };
      const result = await benchEndpoint(`${address}/v2/any/run`, given);
      const { requests, tokens, latency } = result.points[0]?.repeats[0] ?? expect.fail("no repeat");
      expect(requests).toMatchObject({ finished: 12, failed: 0 });
      expect(tokens.serverOutputTokens).toBe(72);
      expect(result.target).toMatchObject({ type: "endpoint", api, pollMs: 10, url: `${address}/v2/any` });
      expect(remarksOn(result).join("\n")).toMatch(remark);
      if (api === "run-status") expect(latency.itlMs).toBeNull();
      const streamed = await benchEndpoint(`${address}/v1`, { repeats: 1, requests: 1, outputTokens: "6" });
      expect(result.greedyDigest?.sha256).toBe(streamed.greedyDigest?.sha256);
    },
  );

  it("of a model that it does not have: one sentence", async () => {
    for (const api of ["run-stream", "run-status"] as const) {
      const given = { api, pollInterval: 10, model: "owl" };
      await expect(benchEndpoint(`${address}/v2/any`, given)).rejects.toThrow(/\/v2\/any: .*owl/);
    }
  });

  it("cancels jobs that nobody waits for any more", async () => {
    const given = { api: "run-stream", pollInterval: 5, cancelRate: 1, cancelAfter: 1 } as const;
    const { points } = await benchEndpoint(`${address}/v2/any`, {
      ...given,
      outputTokens: "200",
      repeats: 1,
    });
    expect(points[0]?.repeats[0]?.requests.abandoned).toBeGreaterThan(0);
    const inProgress = async () => {
      const said = await (await fetch(`${address}/v2/any/health`)).json();
      return (said as { readonly jobs: { readonly inProgress: number } }).jobs.inProgress;
    };
    await expect.poll(inProgress, { timeout: 30_000 }).toBe(0);
  });
});
