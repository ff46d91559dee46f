// The API's routes: a path and a body become one object or a stream of objects. How
// they are written is the caller's: nothing here knows a socket or a job.
import { finalText } from "../chat/messages.js";
import type { GenerateRequest } from "../engine/generate-request.js";
import { bytesText } from "./answer-parts.js";
import { countedTokens, createdMessage } from "./anthropic.js";
import { ApiError, toApiError, wrongField } from "./api-error.js";
import { type ChatForm, chatChunks, chatCompletion } from "./chat-answer.js";
import { chatRequest } from "./chat-request.js";
import { completion, completionChunks, type PromptRun } from "./completion-answer.js";
import { completionRequest } from "./completion-request.js";
import { embeddings } from "./embeddings.js";
import {
  type Body,
  booleanField,
  type OnUnknown,
  objectField,
  refuseField,
  tellUnknown,
  textField,
} from "./fields.js";
import type { NamedStream } from "./named-events.js";
import { placedRun } from "./placed-run.js";
import { reranked } from "./rerank.js";
import type { ResponseStore } from "./response-store.js";
import { createdResponse, existingResponse } from "./responses.js";
import { type Shown, shownOf } from "./shown.js";
import { changedModel, type TextModel } from "./text-model.js";
import { detokenized, templated, tokenized } from "./token-routes.js";
import { withoutReasoning } from "./without-reasoning.js";

/** An answer: one object, or the objects of a stream, which throws an ApiError where it fails. */
export type Answer =
  | { readonly type: "object"; readonly object: object }
  | { readonly type: "chunks"; readonly chunks: AsyncIterable<object> }
  | NamedStream;

/** A request, whatever carried it. */
export interface ApiCall {
  /** Such as "/v1/chat/completions"; a leading /openai is taken off. */
  readonly path: string;
  readonly method: string;
  readonly body: unknown;
  readonly signal?: AbortSignal | undefined;
  /** Default: unknown fields are ignored. */
  readonly onUnknown?: OnUnknown | undefined;
  /** Where responses are kept. Default: they are not. */
  readonly responses?: ResponseStore | undefined;
}

const notThere = ["/v1/score", "/score", "/pooling", "/v1/conversations", "/v1/messages/batches"];

/** @throws ApiError */
export async function answer(model: TextModel, call: ApiCall): Promise<Answer> {
  try {
    return await routed(model, call);
  } catch (thrown) {
    throw toApiError(thrown, isBody(call.body) ? call.body : {});
  }
}

async function routed(
  model: TextModel,
  { path, method, body, signal, onUnknown = () => {}, responses: store }: ApiCall,
): Promise<Answer> {
  const [address = "", query = ""] = path.split("?", 2);
  const route = address.replace(/^\/openai(?=\/)/, "").replace(/(.)\/$/, "$1");
  switch (route) {
    case "/v1/models":
      return { type: "object", object: modelList(model) };
    case "/health":
    case "/ping":
      return { type: "object", object: { status: "ok" } };
    case "/v1/chat/completions":
      return chat(model, bodyOf(method, body), signal, onUnknown);
    case "/v1/completions":
      return completions(model, bodyOf(method, body), signal, onUnknown);
    case "/v1/embeddings":
      return embedded(model, bodyOf(method, body), signal, onUnknown);
    case "/v1/rerank":
    case "/v2/rerank":
    case "/rerank":
      return ranked(model, bodyOf(method, body), signal, onUnknown);
    case "/tokenize":
    case "/detokenize":
    case "/apply-template":
      return tokens(model, route, bodyOf(method, body), onUnknown);
    case "/v1/responses": {
      const posted = bodyOf(method, body);
      return createdResponse(requested(model, posted), { store, body: posted, signal, onUnknown });
    }
    case "/v1/messages":
    case "/v1/messages/count_tokens": {
      const posted = bodyOf(method, body);
      const work = route === "/v1/messages" ? createdMessage : countedTokens;
      return work(requested(model, posted), posted, signal, onUnknown);
    }
    default:
      if (route.startsWith("/v1/models/"))
        return { type: "object", object: oneModel(model, route.slice(11)) };
      if (route.startsWith("/v1/responses/"))
        return { type: "object", object: existingResponse(store, method, route.slice(14), query) };
      throw noRoute(route);
  }
}

function noRoute(route: string): ApiError {
  const reason = notThere.includes(route) ? "is not supported" : "does not exist";
  return new ApiError(404, `the route ${route} ${reason}`, { code: "route_not_found" });
}

function bodyOf(method: string, body: unknown): Body {
  if (method.toUpperCase() !== "POST") {
    throw new ApiError(405, `the route takes POST, got ${method}`, { code: "method_not_allowed" });
  }
  if (isBody(body)) return body;
  throw new ApiError(400, "the body must be an object");
}

function isBody(body: unknown): body is Body {
  return typeof body === "object" && body !== null && !Array.isArray(body);
}

async function chat(
  model: TextModel,
  body: Body,
  signal: AbortSignal | undefined,
  onUnknown: OnUnknown,
): Promise<Answer> {
  const { served, stream, includeUsage } = common(model, body, onUnknown);
  const shown = shownOf(body);
  const request = fitted(served, chatRequest(body, onUnknown));
  const form = { shown, n: request.n ?? 1, ...spokenBy(request, shown) };
  const showsThoughts = booleanField(body, "include_reasoning") ?? true;
  const whole = served.generate({ ...request, ...(signal && { signal }) });
  const run = showsThoughts ? whole : withoutReasoning(whole);
  if (!stream) return { type: "object", object: await chatCompletion(served, run, form) };
  const chunks = chatChunks(served, run, form, includeUsage);
  return { type: "chunks", chunks: withApiErrors(chunks, body) };
}

async function completions(
  model: TextModel,
  body: Body,
  signal: AbortSignal | undefined,
  onUnknown: OnUnknown,
): Promise<Answer> {
  const { served, stream, includeUsage } = common(model, body, onUnknown);
  const { requests, ...asked } = completionRequest(body, onUnknown);
  const form = { ...asked, n: requests[0]?.n ?? 1 };
  const failure = new AbortController();
  const signals = [failure.signal, ...(signal ? [signal] : [])];
  const isList = Array.isArray(body.prompt) && typeof body.prompt[0] !== "number";
  const run = (request: GenerateRequest, index: number) => {
    const started = served.generate({ ...fitted(served, request), signal: AbortSignal.any(signals) });
    return isList ? placedRun(started, index) : started;
  };
  const runs: readonly PromptRun[] = requests.map((request, index) => ({
    run: run(request, index),
    echoed: () => (form.shown.echo ? textOf(served, request.prompt) : ""),
  }));
  if (stream)
    return {
      type: "chunks",
      chunks: withApiErrors(completionChunks(served, runs, form, includeUsage), body),
    };
  try {
    return { type: "object", object: await completion(served, runs, form) };
  } finally {
    failure.abort(); // one prompt's failure is the answer's: the others are not wanted any more
  }
}

async function embedded(
  model: TextModel,
  body: Body,
  signal: AbortSignal | undefined,
  onUnknown: OnUnknown,
): Promise<Answer> {
  return { type: "object", object: await embeddings(requested(model, body), body, signal, onUnknown) };
}

async function ranked(
  model: TextModel,
  body: Body,
  signal: AbortSignal | undefined,
  onUnknown: OnUnknown,
): Promise<Answer> {
  return { type: "object", object: await reranked(requested(model, body), body, signal, onUnknown) };
}

const tokenWork: Readonly<Record<string, typeof tokenized | typeof detokenized>> = {
  "/detokenize": detokenized,
  "/apply-template": templated,
};

async function tokens(model: TextModel, route: string, body: Body, onUnknown: OnUnknown): Promise<Answer> {
  const served = named(model, body.model);
  const work = tokenWork[route] ?? tokenized;
  return { type: "object", object: await work(served, body, onUnknown) };
}

/** truncate_prompt_tokens -1 is vLLM's word for as much as the context has room for. */
function fitted<Request extends GenerateRequest>(model: TextModel, request: Request): Request {
  if (request.truncatePrompt !== -1) return request;
  return { ...request, truncatePrompt: Math.max(1, model.contextLength - (request.maxTokens ?? 1)) };
}

/** Without a generation prompt, the last message's role speaks on. */
function spokenBy(
  { messages, addGenerationPrompt, continueFinalMessage }: GenerateRequest,
  { echo }: Shown,
): Pick<ChatForm, "role" | "echo"> {
  const last = messages?.at(-1);
  const begins = (addGenerationPrompt ?? true) && !continueFinalMessage;
  const role = begins ? "assistant" : (last?.role ?? "assistant");
  return { role, echo: echo && messages !== undefined && last?.role === role ? finalText(messages) : "" };
}

function textOf(model: TextModel, prompt: unknown): string {
  if (typeof prompt === "string") return prompt;
  return bytesText(
    Buffer.concat(Array.from(prompt as readonly number[], (token) => model.tokenBytes(token))),
  );
}

/** What all generating routes read. */
function common(model: TextModel, body: Body, onUnknown: OnUnknown) {
  const stream = booleanField(body, "stream") ?? false;
  const options = objectField(body, "stream_options") ?? {};
  if (Object.keys(options).length > 0 && !stream) {
    throw new ApiError(400, "stream_options must come with stream true", { param: "stream_options" });
  }
  const path = (name: string) => `stream_options.${name}`;
  tellUnknown(options, streamFields, onUnknown, path);
  const includeUsage = booleanField(options, "include_usage", path("include_usage")) ?? false;
  const name = "continuous_usage_stats";
  if (booleanField(options, name, path(name)) === true && includeUsage) refuseField(path(name));
  return { served: requested(model, body), stream, includeUsage };
}

/** The model under the name that the request used, and its answer under the id that it wants. */
function requested(model: TextModel, body: Body): TextModel {
  const served = named(model, body.model);
  const answerId = textField(body, "request_id");
  return answerId ? changedModel(served, { answerId }) : served;
}

const streamFields: ReadonlySet<string> = new Set([
  "include_usage",
  "include_obfuscation",
  "continuous_usage_stats",
]);

/** The model under the name that the request used. */
function named(model: TextModel, name: unknown): TextModel {
  if (name === undefined || name === null || name === "") return model;
  if (typeof name !== "string") throw wrongField("model", "a model's name");
  const known = model.names.find((each) => each === name || each.toLowerCase() === name.toLowerCase());
  if (known !== undefined) return changedModel(model, { name: known });
  throw new ApiError(404, `the model "${name}" does not exist; there is ${model.names.join(", ")}`, {
    param: "model",
    code: "model_not_found",
  });
}

function modelList(model: TextModel): object {
  return { object: "list", data: model.names.map((name) => modelObject(model, name)) };
}

function oneModel(model: TextModel, name: string): object {
  return modelObject(model, named(model, decoded(name)).name);
}

/** A name that is no encoded text is looked for as it is. */
function decoded(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}

function modelObject({ contextLength }: TextModel, id: string): object {
  return { id, object: "model", created: 0, owned_by: "infernode", max_model_len: contextLength };
}

async function* withApiErrors(
  chunks: AsyncIterable<object>,
  body: Body,
): AsyncGenerator<object, void, undefined> {
  try {
    yield* chunks;
  } catch (thrown) {
    throw toApiError(thrown, body);
  }
}
