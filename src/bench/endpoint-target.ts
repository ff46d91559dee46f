// An endpoint of OpenAI's API as a benchmark's target: streams /chat/completions or
// /completions. What the endpoint takes (its model's name, `ignore_eos`) and how many tokens a
// word is for it, is asked once at the beginning.
import { Connections, type ExchangeEnd } from "./http-exchange.js";
import { type PromptSizer, wordText } from "./prompt-text.js";
import { Random } from "./random.js";
import type { Ask, Ending, Outcome, Progress } from "./record.js";
import { AnswerStream } from "./sse.js";
import { type Target, TargetFailure } from "./target.js";

/** Which of the API's addresses is asked. */
export type EndpointApi = "chat" | "completions";

/** An endpoint to be opened. */
export interface EndpointOptions {
  readonly url: URL;
  readonly api: EndpointApi;
  readonly apiKey: string | undefined;
  /** The model's name there; undefined: the first that the endpoint lists. */
  readonly model: string | undefined;
  /** Ask for answers that do not end before their length. */
  readonly ignoreEos: boolean;
}

const paths: Readonly<Record<EndpointApi, string>> = {
  chat: "/chat/completions",
  completions: "/completions",
};

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

interface Fixed {
  readonly connections: Connections;
  readonly url: URL;
  readonly api: EndpointApi;
  readonly headers: Readonly<Record<string, string>>;
  readonly model: string;
  readonly ignoreEos: boolean;
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
    const { api } = this.#options;
    const model = this.#options.model ?? (await this.#firstModel());
    const url = new URL(`${this.#base}${paths[api]}`);
    const fixed: Fixed = {
      ...{ connections: this.#connections, url, api, headers: this.#headers, model },
      ignoreEos: this.#options.ignoreEos && (await this.#takesIgnoreEos(url, model)),
    };
    return new EndpointTarget(fixed, await this.#sizer(fixed));
  }

  async #firstModel(): Promise<string> {
    const url = new URL(`${this.#base}/models`);
    const end = await this.#connections.exchange({
      ...{ method: "GET", url, headers: this.#headers, signal: this.#signal },
    });
    const name = /"id"\s*:\s*("(?:[^"\\]|\\.)*")/.exec(this.#bodyOf(end, url))?.[1];
    if (name === undefined)
      throw new TargetFailure(`${url.href} lists no model; give its name: infernode bench NAME --url …`);
    return JSON.parse(name) as string;
  }

  /** The first question: whatever is wrong with address, key or model shows here. */
  async #takesIgnoreEos(url: URL, model: string): Promise<boolean> {
    const ask: Ask = { content: { prompt: "Hello" }, outputTokens: 1, temperature: 0, seed: 0 };
    const { api } = this.#options;
    const question = (ignoreEos: boolean) => ({
      ...{ method: "POST" as const, url, headers: this.#headers, signal: this.#signal },
      body: requestBody(ask, { api, model, ignoreEos }),
    });
    const end = await this.#connections.exchange(question(true));
    const isRefused = end.type === "answered" && (end.status === 400 || end.status === 422);
    if (isRefused && /ignore_eos/.test(end.body)) return false;
    this.#bodyOf(end, url);
    return true;
  }

  /** Two prompts of known words tell how many tokens a word is, and how many the rest. */
  async #sizer(fixed: Fixed): Promise<PromptSizer> {
    const random = new Random("sizes");
    const tokensOf = async (count: number) => {
      const ask: Ask = {
        ...{ content: { prompt: wordText(random, count) }, outputTokens: 1, temperature: 0, seed: 0 },
      };
      const target = new EndpointTarget(fixed, wordSizer(1, 0));
      const ending = await target.run(ask, { arrived: () => {} }, this.#signal);
      if (ending.outcome.type === "failed")
        throw new TargetFailure(`${fixed.url.href}: ${ending.outcome.sentence}`);
      return ending.usage?.promptTokens ?? 0;
    };
    const [few, many] = [16, 144];
    const [small, large] = [await tokensOf(few), await tokensOf(many)];
    const perWord = (large - small) / (many - few);
    return perWord > 0 ? wordSizer(perWord, small - perWord * few) : wordSizer(1, 0);
  }

  #bodyOf(end: ExchangeEnd, url: URL): string {
    if (end.type === "cancelled") throw new TargetFailure(`${url.href}: cancelled before it had answered`);
    if (end.type === "failed") {
      throw new TargetFailure(
        `nothing answers at ${url.href}: ${end.sentence}; start the server, or correct --url`,
      );
    }
    if (end.status === 200) return end.body;
    throw new TargetFailure(`${url.href}: ${statusSentence(end.status, end.body)}`);
  }
}

/** A sizer that counts words. */
function wordSizer(tokensPerWord: number, overhead: number): PromptSizer {
  const wordsFor = (tokens: number) => Math.max(1, Math.round((tokens - overhead) / tokensPerWord));
  return {
    overhead,
    cut: (text, tokens) => text.split(" ").slice(0, wordsFor(tokens)).join(" "),
    wordsFor: (tokens) => Math.max(1, Math.ceil(tokens / tokensPerWord)),
  };
}

interface BodyFacts {
  readonly api: EndpointApi;
  readonly model: string;
  readonly ignoreEos: boolean;
}

function requestBody(ask: Ask, { api, model, ignoreEos }: BodyFacts): string {
  const { content, outputTokens, temperature, seed } = ask;
  const text = "prompt" in content ? content.prompt : content.messages.map((each) => each.content).join("\n");
  const messages = "messages" in content ? content.messages : [{ role: "user", content: content.prompt }];
  return JSON.stringify({
    model,
    ...(api === "chat" ? { messages } : { prompt: text }),
    ...{ max_tokens: outputTokens, temperature, seed, stream: true, stream_options: { include_usage: true } },
    ...(ignoreEos && { ignore_eos: true }),
  });
}

class EndpointTarget implements Target {
  readonly identity: Readonly<Record<string, unknown>>;
  readonly sizer: PromptSizer;
  readonly #fixed: Fixed;

  constructor(fixed: Fixed, sizer: PromptSizer) {
    this.#fixed = fixed;
    this.sizer = sizer;
    const { url, model, api, ignoreEos } = fixed;
    this.identity = { type: "endpoint", url: url.href, api, model, ignoreEos };
  }

  async run(ask: Ask, progress: Progress, signal: AbortSignal): Promise<Ending> {
    const { connections, url, headers } = this.#fixed;
    const answer = new AnswerStream(progress);
    const body = requestBody(ask, this.#fixed);
    const end = await connections.exchange({ method: "POST", url, headers, body, signal }, (bytes, atMs) =>
      answer.feed(bytes, atMs),
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

  counters(): null {
    return null;
  }

  kvUse(): null {
    return null;
  }

  async close(): Promise<void> {
    this.#fixed.connections.close();
  }
}

const advice: Readonly<Record<number, string>> = {
  401: "the key is missing or wrong; name its variable with --api-key-env",
  403: "the key is not allowed to do this; name another one's variable with --api-key-env",
  404: "the address or the model is not known there; correct --url or the model's name",
};

/** What a server says in an error, in one line. */
function statusSentence(status: number, body: string): string {
  const said = /"message"\s*:\s*("(?:[^"\\]|\\.)*")/.exec(body)?.[1];
  const text = (said === undefined ? body : String(JSON.parse(said))).replace(/\s+/g, " ").trim();
  const parts = [`status ${status}`, text.slice(0, 200), advice[status] ?? ""];
  return parts.filter((part) => part !== "").join(": ");
}
