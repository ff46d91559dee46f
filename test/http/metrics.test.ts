// GET /metrics: what it says is what the engine counted and what the clients were told, under
// the names that vLLM's dashboards ask for.
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { call, json, portOf, type Scene, startServer, until, withServer } from "./scene.js";

/** The samples of a scrape: "name{labels}" to value. */
async function samples(url: string, headers = {}): Promise<Map<string, number>> {
  const { status, text, headers: received } = await call(`${url}/metrics`, "GET", undefined, headers);
  expect(status).toBe(200);
  expect(received["content-type"]).toMatch(/^text\/plain; version=0\.0\.4/);
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(
    lines.map((line) => {
      const space = line.lastIndexOf(" ");
      return [line.slice(0, space), Number(line.slice(space + 1))];
    }),
  );
}

const label = '{model_name="tinytale"}';

async function complete({ url }: Scene, body: object) {
  const given = { prompt: "Once upon a time", max_tokens: 8, ignore_eos: true, ...body };
  return call(`${url}/v1/completions`, "POST", JSON.stringify(given), json);
}

describe("the metrics of a server", () => {
  it("are the engine's own counts, and what the answers told", async () => {
    await withServer({}, async (scene) => {
      const before = await samples(scene.url);
      const whole = await complete(scene, {});
      await complete(scene, { stream: true, max_tokens: 400 });
      await complete(scene, { max_tokens: 1 });
      const { usage } = whole.json;
      const said = await samples(scene.url);
      const rise = (name: string) => (said.get(name) ?? Number.NaN) - (before.get(name) ?? 0);
      const stats = scene.served.text?.stats();
      expect(rise(`vllm:generation_tokens_total${label}`)).toBe(8 + 400 + 1);
      expect(said.get(`vllm:generation_tokens_total${label}`)).toBe(stats?.generatedTokens);
      expect(rise(`vllm:prompt_tokens_total${label}`)).toBe(3 * usage.prompt_tokens);
      expect(rise(`vllm:prefix_cache_queries_total${label}`)).toBe(3 * usage.prompt_tokens);
      expect(said.get(`vllm:prefix_cache_hits_total${label}`)).toBe(stats?.promptTokensCached);
      expect(said.get(`vllm:num_requests_running${label}`)).toBe(0);
      expect(said.get(`vllm:kv_cache_usage_perc${label}`)).toBe(0);
      expect(said.get('vllm:request_success_total{model_name="tinytale",finished_reason="length"}')).toBe(3);
      expect(said.get(`vllm:time_to_first_token_seconds_count${label}`)).toBe(3);
      expect(said.get(`vllm:request_generation_tokens_sum${label}`)).toBe(409);
      expect(said.get(`vllm:request_prompt_tokens_sum${label}`)).toBe(3 * usage.prompt_tokens);
      // An answer of one token has no time per token after the first.
      expect(said.get(`vllm:request_time_per_output_token_seconds_count${label}`)).toBe(2);
      // Of the streamed answer: one for each token, but for those of the first delta.
      const waits = said.get(`vllm:inter_token_latency_seconds_count${label}`) ?? 0;
      expect(waits).toBeGreaterThanOrEqual(390);
      expect(waits).toBeLessThanOrEqual(399);
      const waited = said.get(`vllm:inter_token_latency_seconds_sum${label}`) ?? 0;
      const decoded = said.get(`vllm:request_decode_time_seconds_sum${label}`) ?? 0;
      expect(waited).toBeLessThan(2 * decoded);
      expect(rise('infernode_requests_total{model_name="tinytale",outcome="finished"}')).toBe(3);
    });
  });

  it("show what runs while it runs", async () => {
    await withServer({}, async (scene) => {
      const long = complete(scene, { max_tokens: 200 });
      await until(() => scene.served.text?.stats().running === 1);
      const said = await samples(scene.url);
      expect(said.get(`vllm:num_requests_running${label}`)).toBe(1);
      expect(said.get(`vllm:kv_cache_usage_perc${label}`)).toBeGreaterThan(0);
      expect(said.get("infernode_http_requests_under_way")).toBe(1);
      expect(said.get("infernode_http_requests_limit")).toBe(4 + 64);
      await long;
      expect((await samples(scene.url)).get("infernode_http_requests_under_way")).toBe(0);
    });
  });

  it("count an error among the failed or refused, not among the successes", async () => {
    await withServer({}, async (scene) => {
      expect((await complete(scene, { prompt: "a ".repeat(20_000) })).status).toBe(400);
      const said = await samples(scene.url);
      expect(said.get('infernode_requests_total{model_name="tinytale",outcome="refused"}')).toBe(1);
      expect([...said.keys()].filter((name) => name.startsWith("vllm:request_success_total{"))).toEqual([]);
    });
  });

  it("have those of the process while the model loads, and demand the key", async () => {
    const started = startServer({ options: { keys: ["a-key-of-my-own"] } });
    const url = `http://127.0.0.1:${await portOf(started)}`;
    expect((await call(`${url}/metrics`)).status).toBe(401);
    const said = await samples(url, { Authorization: "Bearer a-key-of-my-own" });
    expect(said.get("process_resident_memory_bytes")).toBeGreaterThan(0);
    expect([...said.keys()].some((name) => name.startsWith("vllm:"))).toBe(false);
    started.signal("SIGTERM");
    await started.ended;
  });

  it("have every figure that the Grafana dashboard asks for", async () => {
    const dashboard = readFileSync(new URL("../../docs/grafana-dashboard.json", import.meta.url), "utf8");
    const asked = new Set(dashboard.match(/\b(?:vllm:|infernode_|process_)\w+/g));
    expect(asked.size).toBeGreaterThan(15);
    await withServer({}, async (scene) => {
      await complete(scene, { stream: true, max_tokens: 400 });
      const said = new Set([...(await samples(scene.url)).keys()].map((name) => name.replace(/\{.*/, "")));
      expect([...asked].filter((name) => !said.has(name))).toEqual([]);
    });
  });
});
