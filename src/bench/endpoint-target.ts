// An endpoint as a benchmark's target: streams /chat/completions or /completions of OpenAI's API, or
// polls jobs (polled-target.ts). What the endpoint takes (its model's name, `ignore_eos`) and how many tokens a
// word is for it, is asked once at the beginning.
import { gpuPower } from "../models/plan/device-probe.js";
import { findMetrics, type MetricsSource, scrape } from "./endpoint-metrics.js";
import { type RequestApi, requestBody, statusSentence, wordSizer } from "./endpoint-request.js";
import { endpointContinuation, endpointScore, type ScoreSource } from "./endpoint-score.js";
import { Connections, type ExchangeEnd } from "./http-exchange.js";
import { PolledTarget } from "./polled-target.js";
import type { PowerSource } from "./power.js";
import { type PromptSizer, wordText } from "./prompt-text.js";
import { Random } from "./random.js";
import type { Ask, Ending, Outcome, Progress } from "./record.js";
import { AnswerStream } from "./sse.js";
import { type Continuation, type Score, type Target, type TargetCounters, TargetFailure } from "./target.js";

/** Which address is asked: OpenAI's, which stream, or RunPod's /run, whose jobs are polled. */
export type EndpointApi = RequestApi | PolledApi;

/** Whether a job's stream is polled, or its status, which has all of the answer at its end. */
export type PolledApi = "run-stream" | "run-status";

/** An endpoint to be opened. */
export interface EndpointOptions {
  readonly url: URL;
  readonly api: EndpointApi;
  readonly apiKey: string | undefined;
  /** The model's name there; undefined: the first that the endpoint lists. */
  readonly model: string | undefined;
  /** Ask for answers that do not end before their length. */
  readonly ignoreEos: boolean;
  /** Milliseconds between two questions to an endpoint that is polled. */
  readonly pollMs: number;
}

const paths: Readonly<Record<RequestApi, string>> = {
  chat: "/chat/completions",
  completions: "/completions",
};

type Failed = Extract<ExchangeEnd, { readonly type: "failed" }>;

/** No answer was read at all. */
const networkClasses: ReadonlySet<string> = new Set(["connect", "closed", "network"]);

/** Twice as many must fit into a small context. */
const sizedWords = 72;

/** Milliseconds that the first questions may take: a model may have to be loaded. */
const firstAnswerMs = 600_000;

/** @throws TargetFailure (rejects) where it cannot be reached or used */
export async function openEndpoint(options: EndpointOptions, signal: AbortSignal): Promise<Target> {
  const connections = new Connections();
  try {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(firstAnswerMs)]);
    return await new Opening(connections, options, limit).target();
  } catch (thrown) {
    connections.close();
    throw thrown;
  }
}

/** The address below which the API's paths lie: what a person gives may hold more or less of it. */
export function apiBase(url: URL): string {
  const path = url.pathname.replace(/\/+$/, "").replace(/\/(?:chat\/)?completions$/, "");
  return `${url.origin}${/\/v\d+$/.test(path) ? path : `${path}/v1`}`;
}

/** The address of a RunPod endpoint, below which /run lies. */
export function jobBase(url: URL): string {
  const path = url.pathname.replace(/\/+$/, "").replace(/\/(?:run|runsync|openai(?:\/v1)?)$/, "");
  return `${url.origin}${path}`;
}

/** What does not change while an endpoint is measured. */
export interface Fixed {
  readonly connections: Connections;
  /** What is asked, or the endpoint's address where it is polled. */
  readonly url: URL;
  readonly api: EndpointApi;
  readonly headers: Readonly<Record<string, string>>;
  readonly model: string;
  readonly ignoreEos: boolean;
  readonly pollMs: number;
  readonly metrics: MetricsSource | null;
}

function targetOf(fixed: Fixed, sizer: PromptSizer): Target {
  return isPolled(fixed.api)
    ? new PolledTarget(fixed, fixed.api, sizer)
    : new EndpointTarget(fixed, fixed.api, sizer);
}

function isPolled(api: EndpointApi): api is PolledApi {
  return api === "run-stream" || api === "run-status";
}

class Opening {
  readonly #connections: Connections;
  readonly #options: EndpointOptions;
  readonly #signal: AbortSignal;
  readonly #base: string;
  readonly #headers: Readonly<Record<string, string>>;

  constructor(connections: Connections, options: EndpointOptions, signal: AbortSignal) {
    this.#connections = connections;
    this.#options = options;
    this.#signal = signal;
    this.#base = apiBase(options.url);
    const { apiKey } = options;
    this.#headers = {
      "content-type": "application/json",
      ...(apiKey !== undefined && { authorization: `Bearer ${apiKey}` }),
    };
  }

  async target(): Promise<Target> {
    const { api, pollMs } = this.#options;
    const [connections, headers] = [this.#connections, this.#headers];
    const model = this.#options.model ?? (await this.#firstModel());
    const url = isPolled(api) ? new URL(jobBase(this.#options.url)) : new URL(`${this.#base}${paths[api]}`);
    const plain = { connections, url, api, headers, model, pollMs, metrics: null, ignoreEos: false };
    const ignoreEos = await this.#takesIgnoreEos(plain);
    const metrics = isPolled(api) ? null : await findMetrics({ connections, headers, model }, this.#base);
    const fixed: Fixed = { ...plain, metrics, ignoreEos };
    return targetOf(fixed, await this.#sizer(fixed));
  }

  async #firstModel(): Promise<string> {
    const { url: given, api } = this.#options;
    const url = new URL(`${isPolled(api) ? `${jobBase(given)}/openai/v1` : this.#base}/models`);
    const end = await this.#connections.exchange({
      ...{ method: "GET", url, headers: this.#headers, signal: this.#signal },
    });
    const name = /"id"\s*:\s*("(?:[^"\\]|\\.)*")/.exec(this.#bodyOf(end, url))?.[1];
    if (name === undefined)
      throw new TargetFailure(`${url.href} lists no model; give its name: infernode bench NAME --url …`);
    return JSON.parse(name) as string;
  }

  /** The first question: whatever is wrong with address, key or model shows here. */
  async #takesIgnoreEos(plain: Fixed): Promise<boolean> {
    const ignoreEos = this.#options.ignoreEos;
    const ask: Ask = { content: { prompt: "Hello" }, outputTokens: 1, temperature: 0, seed: 0 };
    const { outcome } = await this.#first({ ...plain, ignoreEos }, ask);
    if (outcome.type !== "failed") return ignoreEos;
    const isRefused = ignoreEos && !networkClasses.has(outcome.errorClass);
    if (isRefused && /ignore_eos/.test(outcome.sentence)) return false;
    if (networkClasses.has(outcome.errorClass)) throw this.#nothingAnswers(plain.url, outcome);
    throw new TargetFailure(`${plain.url.href}: ${outcome.sentence}`);
  }

  async #first(fixed: Fixed, ask: Ask): Promise<Ending> {
    const ending = await targetOf(fixed, wordSizer(1, 0)).run(ask, { arrived: () => {} }, this.#signal);
    if (ending.outcome.type === "cancelled") throw this.#cancelled(fixed.url);
    return ending;
  }

  /** Some words, and the same twice: what the second prompt has more are the words, and the rest is the template's. */
  async #sizer(fixed: Fixed): Promise<PromptSizer> {
    const random = new Random("sizes");
    const tokensOf = async (prompt: string) => {
      const ask: Ask = { content: { prompt }, outputTokens: 1, temperature: 0, seed: 0 };
      const ending = await this.#first(fixed, ask);
      if (ending.outcome.type === "failed")
        throw new TargetFailure(`${fixed.url.href}: ${ending.outcome.sentence}`);
      return ending.usage?.promptTokens ?? 0;
    };
    const words = wordText(random, sizedWords);
    const [once, twice] = [await tokensOf(words), await tokensOf(`${words} ${words}`)];
    const perWord = (twice - once) / sizedWords;
    return perWord > 0 ? wordSizer(perWord, 2 * once - twice) : wordSizer(1, 0);
  }

  #bodyOf(end: ExchangeEnd, url: URL): string {
    if (end.type === "cancelled") throw this.#cancelled(url);
    if (end.type === "failed") throw this.#nothingAnswers(url, end);
    if (end.status === 200) return end.body;
    throw new TargetFailure(`${url.href}: ${statusSentence(end.status, end.body)}`);
  }

  #cancelled(url: URL): TargetFailure {
    return new TargetFailure(`${url.href}: cancelled before it had answered`);
  }

  #nothingAnswers(
    url: URL,
    { errorClass, sentence }: Pick<Failed, "errorClass" | "sentence">,
  ): TargetFailure {
    if (errorClass === "network") return new TargetFailure(`${url.href}: ${sentence}`); // somebody is there
    return new TargetFailure(
      `nothing answers at ${url.href}: ${sentence}; start the server, or correct --url`,
    );
  }
}

/** Its GPUs are this machine's. */
function isHere({ hostname }: URL): boolean {
  return hostname === "localhost" || hostname === "[::1]" || /^127\./.test(hostname);
}

class EndpointTarget implements Target {
  readonly identity: Readonly<Record<string, unknown>>;
  readonly sizer: PromptSizer;
  readonly lookEveryMs = 500;
  readonly power: PowerSource | null;
  readonly #fixed: Fixed;
  readonly #api: RequestApi;

  constructor(fixed: Fixed, api: RequestApi, sizer: PromptSizer) {
    this.#fixed = fixed;
    this.#api = api;
    this.sizer = sizer;
    const { url, model, ignoreEos, metrics } = fixed;
    this.power = isHere(url) ? { read: gpuPower, names: null } : null;
    const metricsUrl = metrics === null ? null : metrics.url.href;
    this.identity = { type: "endpoint", url: url.href, api, model, ignoreEos, metricsUrl };
  }

  async run(ask: Ask, progress: Progress, signal: AbortSignal): Promise<Ending> {
    const { connections, url, headers } = this.#fixed;
    const answer = new AnswerStream(progress);
    const body = JSON.stringify(requestBody(ask, { ...this.#fixed, api: this.#api, stream: true }));
    const end = await connections.exchange(
      { method: "POST", url, headers, body, signal },
      {
        sending: (atMs) => progress.sending?.(atMs),
        bytes: (bytes, atMs) => answer.feed(bytes, atMs),
      },
    );
    const { text, usage, finishReason, isComplete, problem } = answer.end();
    const rest = { usage, queueMs: null, engineFirstTokenMs: null, text };
    const failed = (errorClass: string, sentence: string) => ({
      ...rest,
      outcome: { type: "failed", errorClass, sentence } satisfies Outcome,
    });
    if (end.type !== "answered") return { ...rest, outcome: end };
    if (end.status !== 200) return failed(`http-${end.status}`, statusSentence(end.status, end.body));
    if (problem !== null) return failed("stream-error", problem);
    if (!end.isWhole || !isComplete) return failed("cut-short", "the stream ended before the answer did");
    return { ...rest, outcome: { type: "finished", finishReason: finishReason ?? "unknown" } };
  }

  async score(text: string, signal: AbortSignal): Promise<Score> {
    return endpointScore(this.#scored, text, signal);
  }

  async continued(text: string, tokens: number, signal: AbortSignal): Promise<Continuation> {
    return endpointContinuation(this.#scored, text, tokens, signal);
  }

  get #scored(): ScoreSource {
    const { url } = this.#fixed;
    return {
      ...this.#fixed,
      url: new URL(`${url.href.slice(0, -paths[this.#api].length)}${paths.completions}`),
    };
  }

  async counters(): Promise<TargetCounters | null> {
    const { metrics } = this.#fixed;
    return metrics === null ? null : ((await scrape(metrics))?.counters ?? null);
  }

  async kvUse(): Promise<number | null> {
    const { metrics } = this.#fixed;
    return metrics === null ? null : ((await scrape(metrics))?.kvUse ?? null);
  }

  async physics(): Promise<null> {
    return null;
  }

  async close(): Promise<void> {
    this.#fixed.connections.close();
  }
}
