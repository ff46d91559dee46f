// What a server says of its engine at /metrics, in the fields that an engine of this process has:
// by vLLM's names, which infernode serve has, too, with some of its own, or by llama-server's. What a
// server does not tell is null, never 0. Pure.
import { readSamples, type Sample } from "./prometheus.js";
import type { TargetCounters } from "./target.js";

/** One look at /metrics. */
export interface ServerMetrics {
  readonly counters: TargetCounters;
  /** The share of the KV cache that is in use; null: not told. */
  readonly kvUse: number | null;
}

const unknown: TargetCounters = {
  ...{ steps: null, decodePasses: null, prefillPasses: null, decodeRows: null },
  ...{ promptTokensComputed: null, promptTokensCached: null, generatedTokens: null },
  ...{ draftedTokens: null, acceptedTokens: null, preemptions: null, graphsReused: null },
  ...{ finished: null, failed: null, refused: null, cancelled: null },
  ...{ planMs: null, prefillMs: null, decodeMs: null, sampleMs: null, emitMs: null },
  ...{ queuedMs: null, queuedRequests: null },
};

/**
 * @param model whose samples count, where they say which model they are of
 * @returns null where none of the names is known
 */
export function readServerMetrics(text: string, model: string): ServerMetrics | null {
  const all = readSamples(text);
  const isOfModel = ({ labels }: Sample) => labels.model_name === undefined || labels.model_name === model;
  // A server may spell its only model otherwise, such as by a path.
  const models = new Set(all.flatMap(({ labels }) => labels.model_name ?? []));
  const samples = models.size === 1 ? all : all.filter(isOfModel);
  if (samples.some(({ name }) => name.startsWith("vllm:"))) return ofVllm(new Samples(samples));
  if (samples.some(({ name }) => name.startsWith("llamacpp:"))) return ofLlamaServer(new Samples(samples));
  return null;
}

class Samples {
  readonly #samples: readonly Sample[];

  constructor(samples: readonly Sample[]) {
    this.#samples = samples;
  }

  /** Over all its label sets; null where there is none. */
  sum(name: string, wants: (labels: Sample["labels"]) => boolean = () => true): number | null {
    const found = this.#samples.filter((each) => each.name === name && wants(each.labels));
    return found.length === 0 ? null : found.reduce((total, { value }) => total + value, 0);
  }

  /** The first of the names that is there. */
  first(...names: readonly string[]): number | null {
    return names.map((name) => this.sum(name)).find((value) => value !== null) ?? null;
  }
}

function ofVllm(samples: Samples): ServerMetrics {
  const vllm = (name: string) => samples.sum(`vllm:${name}`);
  const reasons = (wants: (reason: string | undefined) => boolean) =>
    samples.sum("vllm:request_success_total", ({ finished_reason }) => wants(finished_reason));
  const own = (name: string) => samples.sum(`infernode_${name}`);
  const outcome = (name: string) =>
    samples.sum("infernode_requests_total", (labels) => labels.outcome === name);
  const phase = (name: string) =>
    scaled(
      samples.sum("infernode_engine_seconds_total", (labels) => labels.phase === name),
      1000,
    );
  const cached = vllm("prefix_cache_hits_total") ?? vllm("prompt_tokens_cached_total");
  const prompts = vllm("prefix_cache_queries_total") ?? vllm("prompt_tokens_total");
  return {
    counters: {
      ...unknown,
      steps: own("steps_total") ?? vllm("iteration_tokens_total_count"),
      ...{ decodePasses: own("decode_passes_total"), prefillPasses: own("prefill_passes_total") },
      ...{ decodeRows: own("decode_rows_total"), graphsReused: own("graphs_reused_total") },
      promptTokensCached: cached,
      promptTokensComputed: prompts === null || cached === null ? null : prompts - cached,
      generatedTokens: vllm("generation_tokens_total"),
      draftedTokens: vllm("spec_decode_num_draft_tokens_total"),
      acceptedTokens: vllm("spec_decode_num_accepted_tokens_total"),
      preemptions: vllm("num_preemptions_total"),
      finished: outcome("finished") ?? reasons((reason) => reason !== "abort"),
      cancelled: outcome("cancelled") ?? reasons((reason) => reason === "abort"),
      ...{ failed: outcome("failed"), refused: outcome("refused") },
      ...{ planMs: phase("plan"), prefillMs: phase("prefill"), decodeMs: phase("decode") },
      ...{ sampleMs: phase("sample"), emitMs: phase("emit") },
      queuedMs: scaled(vllm("request_queue_time_seconds_sum"), 1000),
      queuedRequests: vllm("request_queue_time_seconds_count"),
    },
    kvUse: samples.first("vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc"),
  };
}

/** Its slots are busy on average over all passes since its start; times of slots are no times of passes. */
function ofLlamaServer(samples: Samples): ServerMetrics {
  const of = (name: string) => samples.sum(`llamacpp:${name}`);
  const steps = of("n_decode_total");
  const busy = of("n_busy_slots_per_decode");
  return {
    counters: {
      ...unknown,
      steps,
      decodeRows: steps === null || busy === null ? null : busy * steps,
      promptTokensComputed: of("prompt_tokens_total"),
      promptTokensCached: of("prompt_tokens_cached_total"),
      generatedTokens: of("tokens_predicted_total"),
      draftedTokens: of("spec_decode_num_draft_tokens_total"),
      acceptedTokens: of("spec_decode_num_accepted_tokens_total"),
    },
    kvUse: of("kv_cache_usage_ratio"),
  };
}

function scaled(value: number | null, factor: number): number | null {
  return value === null ? null : value * factor;
}
