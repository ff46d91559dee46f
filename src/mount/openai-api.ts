// The package's second door, `infernode/openai`: OpenAI's API over an engine, for a server that
// somebody else has made. It knows no port, no key and no page of another origin: who may call
// is decided by the server in front.
import { setMaxListeners } from "node:events";
import { basename } from "node:path";
import { z } from "zod";
import { callback, integer, judge } from "../engine/judge.js";
import { Admission } from "../http/admission.js";
import { type OpenaiParts, openaiAnswer, openaiReply } from "../http/openai-routes.js";
import { written } from "../http/replies.js";
import type { Engine, Model } from "../index.js";
import { engineModel } from "../openai/engine-model.js";
import { ResponseStore } from "../openai/response-store.js";
import { nodeListener } from "./node-listener.js";

/** What is served, and how. */
export interface OpenaiApiOptions {
  /** The engine that computes the answers. Requests beyond its `queueLimit` get 429. */
  readonly engine: Engine;
  /** The model that the engine was created from. */
  readonly model: Model;
  /** The names that requests may use for the model; answers have the first. Default: the file's name without ".gguf". */
  readonly names?: readonly string[] | undefined;
  /** Bytes of a body at most, where it is read here (`fetch` and `listener`). Default 20,000,000. */
  readonly maxBodyBytes?: number | undefined;
  /**
   * Tokens of the prompts that run and wait, together, one for 4 bytes of a body; a prompt that is alone may have
   * more. Requests beyond it get 429. Default: any number.
   */
  readonly maxQueueTokens?: number | undefined;
  /** Told of every answer with a status of 500 and above. It must not throw. */
  readonly onFailure?: ((error: Error) => void) | undefined;
  /** Told of fields that neither OpenAI nor vLLM define, which are ignored. It must not throw. */
  readonly onUnknownField?: ((path: string) => void) | undefined;
}

/** A request whose body the framework has read. */
export interface OpenaiCall {
  /** Its path or URL: what stands before /v1 is ignored. */
  readonly path: string;
  /** "GET", "POST" and the like. */
  readonly method: string;
  /** The body, parsed. */
  readonly body?: unknown;
  /**
   * The response of node:http that the answer goes to, Fastify's `reply.raw`: when it closes, the client has left and
   * the generation ends. Without it and `signal` a whole answer is computed to its end, and a stream until it is cancelled.
   */
  readonly response?: NodeResponse | undefined;
  /** Aborts when the client has left. */
  readonly signal?: AbortSignal | undefined;
}

/** An answer that the framework writes. */
export interface OpenaiAnswer {
  /** HTTP's status. */
  readonly status: number;
  /** Content-Type, and what else belongs to the status, such as Retry-After. */
  readonly headers: Readonly<Record<string, string>>;
  /** An object, to be sent as JSON; or a stream of server-sent events, whose cancelling ends the generation. */
  readonly body: object | ReadableStream<Uint8Array>;
}

/** What `listener` needs of a request: node:http's IncomingMessage, or that of Express. */
export interface NodeRequest {
  /** "GET", "POST" and the like. */
  readonly method?: string | undefined;
  /** The path with its query. */
  readonly url?: string | undefined;
}

/** What is needed of a response: node:http's ServerResponse, or that of Express. */
export interface NodeResponse {
  /** An EventEmitter's; "close" says that the answer was sent, or that the client has left. */
  once(event: "close", listener: () => void): unknown;
}

/** OpenAI's API over one engine. Its functions may be passed on by themselves. */
export interface OpenaiApi {
  /** Answers a web Request: hono, route handlers of Next.js, SvelteKit. Never rejects. */
  readonly fetch: (request: Request) => Promise<Response>;
  /** Answers a request whose body was read, with what is to be written: Fastify. Never rejects. */
  readonly answer: (call: OpenaiCall) => Promise<OpenaiAnswer>;
  /**
   * Answers on a response of node:http: Express, or node:http itself. A body that Express's json() has
   * read is taken from `request.body`. Never rejects.
   */
  readonly listener: (request: NodeRequest, response: NodeResponse) => Promise<void>;
}

const usualBodyBytes = 20_000_000;
const stallMs = 300_000;

const member = (names: readonly string[]) => (value: unknown) =>
  typeof value === "object" && value !== null && names.every((name) => name in value);

const schema = z.strictObject({
  engine: z.custom<Engine>(member(["generate", "embed", "options"]), "an engine of createEngine()"),
  model: z.custom<Model>(member(["tokenize", "renderChat", "path"]), "a model of loadModel()"),
  names: z
    .array(z.string("text").min(1, "text that is not empty"), "a list of names")
    .min(1, "a list of at least one name")
    .optional(),
  maxBodyBytes: integer(1, Number.MAX_SAFE_INTEGER).default(usualBodyBytes),
  maxQueueTokens: integer(1, Number.MAX_SAFE_INTEGER).optional(),
  onFailure: callback<(error: Error) => void>().default(() => () => {}),
  onUnknownField: callback<(path: string) => void>().default(() => () => {}),
});

/**
 * OpenAI's API over an engine, to be mounted on a server of your own. The routes are those of `infernode serve`:
 * /v1/models, /v1/chat/completions, /v1/completions, /v1/responses, /v1/messages, /v1/embeddings, /v1/rerank, and beside
 * /v1 /tokenize, /detokenize and /apply-template. Responses are kept for an hour, in at most 64 MiB. A client that leaves ends its
 * generation. The engine and the model stay yours to close.
 * @throws InferenceError INVALID_OPTION
 */
export function createOpenaiApi(options: OpenaiApiOptions): OpenaiApi {
  const judged = judge("createOpenaiApi()", schema, options);
  const { engine, model, maxBodyBytes, maxQueueTokens, onFailure, onUnknownField } = judged;
  const [name = basename(model.path).replace(/\.gguf$/i, ""), ...others] = judged.names ?? [];
  const served = engineModel(model, engine, [name, ...others]);
  const never = new AbortController().signal;
  setMaxListeners(0, never); // one for each request
  const parts: OpenaiParts = {
    model: () => served,
    responses: new ResponseStore(),
    // The engine's queue has the bound of requests.
    admission: new Admission(() => Number.POSITIVE_INFINITY, maxQueueTokens),
    limitBytes: maxBodyBytes,
    stallMs,
    ending: never,
    onUnknown: onUnknownField,
    onFailure,
  };
  const answer = ({ path, method, body, response, signal }: OpenaiCall) =>
    openaiAnswer(parts, {
      path: routeOf(path) + (/\?[^#]*/.exec(path)?.[0] ?? ""),
      method,
      signal: signal ?? closeOf(response),
      bytes: maxQueueTokens === undefined ? undefined : bytesOf(body),
      body: async () => body,
    });
  const fetch = (request: Request) => openaiReply(parts, routeOf(request.url), request);
  const listener = nodeListener(async ({ url: path, request, body }) => {
    const { method, signal } = request;
    if (body === undefined) return openaiReply(parts, routeOf(path), request);
    return written(await answer({ path, method, body, signal }));
  });
  return Object.freeze({ fetch, answer, listener });
}

/** Of a body that was read, as JSON. */
function bytesOf(body: unknown): number {
  try {
    return Buffer.byteLength(JSON.stringify(body) ?? "");
  } catch {
    return 0; // no JSON, which is refused as such
  }
}

/** Aborts when the response closes. */
function closeOf(response: NodeResponse | undefined): AbortSignal {
  const close = new AbortController();
  response?.once("close", () => close.abort());
  return close.signal;
}

/** The route of a path or URL, whatever it was mounted below. */
function routeOf(address: string): string {
  const path = address.replace(/^[a-z]+:\/\/[^/]*/i, "").replace(/[?#].*$/s, "");
  return path.replace(mountedBelow, "").replace(/(.)\/$/, "$1");
}

const mountedBelow = /^.*?(?=\/(?:v1(?:\/|$)|v2\/rerank$|rerank$|tokenize$|detokenize$|apply-template$))/s;
