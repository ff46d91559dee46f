// The server's figures in Prometheus's text format. Where vLLM has a figure of the same
// meaning, its name is used, so that dashboards and autoscalers made for it read this server;
// the others begin with "infernode_". Counters and states are read from the engine when somebody
// asks; histograms are told of each generation.
import type { Registry } from "prom-client";
import type { EngineStats } from "../engine/stats.js";
import type { GenerationObserver, ObservedEnd } from "../text-generation/observed.js";
import type { ServedModel } from "./served.js";

/** What a scrape gets. */
export interface Scrape {
  readonly contentType: string;
  readonly text: string;
}

/** What can be looked up of the server. */
export interface ServerFigures {
  /** Requests under way, waiting ones included, and how many may be. */
  readonly requests: () => { readonly living: number; readonly limit: number };
  /** How often the model was loaded, and whether it is now; undefined: there is none. */
  readonly model?: () => { readonly isLoaded: boolean; readonly loads: number };
}

/** Seconds; fine where small models are, as far as a long answer takes. */
const secondsBuckets = [
  0.001, 0.002, 0.003, 0.004, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.04, 0.06, 0.08, 0.1, 0.15, 0.25, 0.5,
  0.75, 1, 2.5, 5, 10, 20, 40, 80, 160, 320, 640,
];
const tokenBuckets = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000];

type Read = (stats: EngineStats) => number;

/** States of now: name, help, value. */
const gauges: readonly (readonly [string, string, Read])[] = [
  ["vllm:num_requests_running", "Requests that hold a slot of the engine.", ({ running }) => running],
  ["vllm:num_requests_waiting", "Requests that wait for a slot of the engine.", ({ waiting }) => waiting],
  [
    "vllm:kv_cache_usage_perc",
    "Part of the KV cache that running requests hold, 0 to 1.",
    ({ kvCellsUsed, kvCellsTotal }) => (kvCellsTotal === 0 ? 0 : kvCellsUsed / kvCellsTotal),
  ],
  [
    "infernode_kv_cache_kept_ratio",
    "Part of the KV cache that keeps beginnings of ended requests, 0 to 1; free for whoever needs it.",
    ({ kvCellsCached, kvCellsTotal }) => (kvCellsTotal === 0 ? 0 : kvCellsCached / kvCellsTotal),
  ],
  [
    "infernode_host_cache_bytes",
    "Host memory that holds beginnings and preempted requests.",
    ({ hostCacheBytes }) => hostCacheBytes,
  ],
];

const promptTokens: Read = ({ promptTokensComputed, promptTokensCached }) =>
  promptTokensComputed + promptTokensCached;

/** Sums since the engine was created: name, help, value. */
const counters: readonly (readonly [string, string, Read])[] = [
  ["vllm:prompt_tokens_total", "Prompt tokens, computed or taken from the cache.", promptTokens],
  ["vllm:generation_tokens_total", "Tokens generated.", ({ generatedTokens }) => generatedTokens],
  ["vllm:prefix_cache_queries_total", "Prompt tokens that were looked for in the cache.", promptTokens],
  [
    "vllm:prefix_cache_hits_total",
    "Prompt tokens taken from the cache instead of computed.",
    ({ promptTokensCached }) => promptTokensCached,
  ],
  [
    "vllm:num_preemptions_total",
    "Requests that lost their slot to another.",
    ({ preemptions }) => preemptions,
  ],
  ["vllm:spec_decode_num_draft_tokens_total", "Tokens guessed.", ({ draftedTokens }) => draftedTokens],
  [
    "vllm:spec_decode_num_accepted_tokens_total",
    "Guessed tokens that came true.",
    ({ acceptedTokens }) => acceptedTokens,
  ],
  ["infernode_steps_total", "Steps of the scheduler, with one pass or more each.", ({ steps }) => steps],
  ["infernode_decode_passes_total", "Passes that produced tokens.", ({ decodePasses }) => decodePasses],
  ["infernode_prefill_passes_total", "Passes that only read prompts.", ({ prefillPasses }) => prefillPasses],
  ["infernode_decode_rows_total", "Rows of passes that produced tokens.", ({ decodeRows }) => decodeRows],
  [
    "infernode_failed_passes_total",
    "Passes the device failed to compute.",
    ({ failedPasses }) => failedPasses,
  ],
  [
    "infernode_graphs_reused_total",
    "Passes that reused a compute graph.",
    ({ graphsReused }) => graphsReused,
  ],
];

/** By what is counted under one name with a label: the label's value and the sum. */
const outcomes: readonly (readonly [string, Read])[] = [
  ["finished", ({ finished }) => finished],
  ["failed", ({ failed }) => failed],
  ["cancelled", ({ cancelled }) => cancelled],
  ["refused", ({ refused }) => refused],
];
const phases: readonly (readonly [string, Read])[] = [
  ["plan", ({ planMs }) => planMs / 1000],
  ["prefill", ({ prefillMs }) => prefillMs / 1000],
  ["decode", ({ decodeMs }) => decodeMs / 1000],
  ["draft", ({ draftMs }) => draftMs / 1000],
  ["sample", ({ sampleMs }) => sampleMs / 1000],
  ["emit", ({ emitMs }) => emitMs / 1000],
];

/** vLLM's words for the ends that have one there. */
const reasons: Readonly<Record<ObservedEnd["finishReason"], string>> = {
  stop: "stop",
  "tool-calls": "stop",
  length: "length",
  cancelled: "abort",
};

/** Of one generation: name, help, buckets, value; undefined: it has none. */
type OfEnd = (end: ObservedEnd) => number | undefined;
const histograms: readonly (readonly [string, string, readonly number[], OfEnd])[] = [
  [
    "vllm:time_to_first_token_seconds",
    "Accepted until the first token.",
    secondsBuckets,
    ({ timings }) => timings.timeToFirstTokenMs / 1000,
  ],
  [
    "vllm:request_time_per_output_token_seconds",
    "Mean time of each token after the first.",
    secondsBuckets,
    ({ usage: { completionTokens }, timings: { decodeMs } }) =>
      completionTokens < 2 ? undefined : decodeMs / 1000 / (completionTokens - 1),
  ],
  [
    "vllm:e2e_request_latency_seconds",
    "Accepted until ended.",
    secondsBuckets,
    ({ timings }) => timings.totalMs / 1000,
  ],
  [
    "vllm:request_queue_time_seconds",
    "Accepted until first scheduled.",
    secondsBuckets,
    ({ timings }) => timings.queueMs / 1000,
  ],
  [
    "vllm:request_prefill_time_seconds",
    "First scheduled until the first token.",
    secondsBuckets,
    ({ timings }) => timings.prefillMs / 1000,
  ],
  [
    "vllm:request_decode_time_seconds",
    "First token until the last.",
    secondsBuckets,
    ({ timings }) => timings.decodeMs / 1000,
  ],
  ["vllm:request_prompt_tokens", "Tokens of a prompt.", tokenBuckets, ({ usage }) => usage.promptTokens],
  [
    "vllm:request_generation_tokens",
    "Tokens generated for one request.",
    tokenBuckets,
    ({ usage }) => usage.completionTokens,
  ],
];

const labelNames = ["model_name"] as const;

export class ServerMetrics {
  readonly #registry: Registry;
  readonly #prometheus: typeof import("prom-client");

  private constructor(prometheus: typeof import("prom-client"), figures: ServerFigures) {
    this.#prometheus = prometheus;
    this.#registry = new prometheus.Registry();
    prometheus.collectDefaultMetrics({ register: this.#registry });
    this.#gauge("infernode_http_requests_under_way", "Requests under way, waiting ones included.", () => [
      [{}, figures.requests().living],
    ]);
    this.#gauge("infernode_http_requests_limit", "Requests that may be under way at once.", () => [
      [{}, figures.requests().limit],
    ]);
    const { model } = figures;
    if (model === undefined) return;
    this.#gauge("infernode_model_loaded", "1 where the model is loaded, 0 where it is not.", () => [
      [{}, model().isLoaded ? 1 : 0],
    ]);
    this.#counter(
      "infernode_model_loads_total",
      "Times the model was loaded.",
      () => [[{}, model().loads]],
      [],
    );
  }

  /** Figures of the process and its server; the library is loaded only here. */
  static async create(figures: ServerFigures): Promise<ServerMetrics> {
    return new ServerMetrics((await import("prom-client")).default, figures);
  }

  /** Adds those of a model that was loaded, and listens to its generations from now on. */
  add(served: ServedModel): void {
    const label = { model_name: served.model().name };
    for (const [name, help, read] of gauges)
      this.#gauge(name, help, () => [[label, read(served.stats())]], labelNames);
    for (const [name, help, read] of counters)
      this.#counter(name, help, () => [[label, read(served.stats())]], labelNames);
    this.#counter(
      "infernode_requests_total",
      "Requests of the engine that ended, by how.",
      () => outcomes.map(([outcome, read]) => [{ ...label, outcome }, read(served.stats())]),
      [...labelNames, "outcome"],
    );
    this.#counter(
      "infernode_engine_seconds_total",
      "Where the engine's steps spent their time.",
      () => phases.map(([phase, read]) => [{ ...label, phase }, read(served.stats())]),
      [...labelNames, "phase"],
    );
    served.observe(this.#observer(label));
  }

  async scrape(): Promise<Scrape> {
    return { contentType: this.#registry.contentType, text: await this.#registry.metrics() };
  }

  #observer(label: { readonly model_name: string }): GenerationObserver {
    const { Counter, Histogram } = this.#prometheus;
    const registers = [this.#registry];
    const told = histograms.map(([name, help, buckets, read]) => {
      const histogram = new Histogram({ name, help, labelNames, buckets: [...buckets], registers });
      return { histogram, read };
    });
    const between = new Histogram({
      name: "vllm:inter_token_latency_seconds",
      help: "From one token of a streamed answer to the next; tokens of one delta share its time evenly.",
      labelNames,
      buckets: secondsBuckets,
      registers,
    });
    const successes = new Counter({
      name: "vllm:request_success_total",
      help: "Generations that ended without an error, by finish reason.",
      labelNames: [...labelNames, "finished_reason"],
      registers,
    });
    return {
      waited: (seconds, tokens) => {
        for (let token = 0; token < tokens; token += 1) between.observe(label, seconds / tokens);
      },
      ended: (end) => {
        successes.inc({ ...label, finished_reason: reasons[end.finishReason] });
        for (const { histogram, read } of told) {
          const value = read(end);
          if (value !== undefined) histogram.observe(label, value);
        }
      },
    };
  }

  #gauge(name: string, help: string, values: Values, labels: readonly string[] = []): void {
    new this.#prometheus.Gauge({
      name,
      help,
      labelNames: labels,
      registers: [this.#registry],
      collect() {
        for (const [label, value] of values()) this.set(label, value);
      },
    });
  }

  #counter(name: string, help: string, values: Values, labels: readonly string[]): void {
    new this.#prometheus.Counter({
      name,
      help,
      labelNames: labels,
      registers: [this.#registry],
      collect() {
        this.reset();
        for (const [label, value] of values()) this.inc(label, value);
      },
    });
  }
}

type Values = () => readonly (readonly [Readonly<Record<string, string>>, number])[];
