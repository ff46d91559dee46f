// The text-generation handler: which contract a job's input speaks, and its answer
// in that contract. A guide's whole answer is returned; everything else is a
// stream, of one object where none was asked for, as worker-vllm's is.
import { ApiError, type ErrorObject, toApiError, wrongField } from "../openai/api-error.js";
import { chatRequest } from "../openai/chat-request.js";
import { completionRequest } from "../openai/completion-request.js";
import {
  type Body,
  booleanField,
  type OnUnknown,
  objectField,
  refuseField,
  tellUnknown,
  textField,
} from "../openai/fields.js";
import { eventText, type NamedEvent } from "../openai/named-events.js";
import { answer } from "../openai/routes.js";
import { shownFields } from "../openai/shown.js";
import type { TextModel } from "../openai/text-model.js";
import type { Job, JobContext } from "../serverless/contract.js";
import type { TextGenerationConfig } from "./config.js";
import { guideAnswer, guideChunks, guideRequest } from "./guide.js";
import { counted } from "./job-figures.js";
import { batchFields, batchSizesOf, legacyChunks } from "./vllm-legacy.js";

/** What a handler needs. */
export interface HandlerParts {
  /** Once the model is loaded. */
  readonly model: () => TextModel;
  readonly config: TextGenerationConfig;
  /** Told of every failure, before the job hears of it. */
  readonly onFailure?: (thrown: unknown) => void;
  /** Told of fields in requests that nobody defines. */
  readonly onUnknown?: OnUnknown;
}

type Output = object | string;

const noInput =
  "Job input must contain one of: openai_input (+openai_route), route (+body), or prompt/messages.";

/** @returns the handler for serverless.start() */
export function textGenerationHandler(parts: HandlerParts) {
  const { model, config, onFailure = () => {}, onUnknown = () => {} } = parts;
  return async (job: Job, context: JobContext): Promise<object | AsyncIterable<Output>> => {
    const input = (typeof job.input === "object" && job.input !== null ? job.input : {}) as Body;
    const failed = (thrown: unknown) => {
      onFailure(thrown);
      return { error: errorText(thrown, input) };
    };
    try {
      const served = counted(model(), context);
      const { signal } = context;
      if (!speaksGuide(input, config))
        return guarded(vllm(served, input, { config, signal, onUnknown }), failed);
      const { request, stream } = guideRequest(input, config.guide);
      if (stream) return guarded(guideChunks(served, { ...request, signal }), failed);
      return await guideAnswer(served, { ...request, signal });
    } catch (thrown) {
      return failed(thrown);
    }
  };
}

/** OpenAI's error object as text: the platform takes an error as a string only. */
function errorText(thrown: unknown, { params, sampling_params }: Body): string {
  // Where a job that is no call of OpenAI's spells its options.
  const object: ErrorObject = toApiError(thrown, Object(sampling_params ?? params)).object;
  return JSON.stringify(object);
}

/** A bare prompt is a guide's; what worker-vllm's jobs carry beside it makes it worker-vllm's. */
function speaksGuide(input: Body, { inputFormat }: TextGenerationConfig): boolean {
  if (isGiven(input.openai_input) || isGiven(input.openai_route) || isGiven(input.route)) return false;
  if (isGiven(input.messages) || inputFormat === "vllm" || !("prompt" in input)) return false;
  return !["sampling_params", "apply_chat_template", ...batchFields].some((name) => name in input);
}

/** As Python judges: null, "", {} and [] are nothing. */
function isGiven(value: unknown): boolean {
  if (typeof value === "object" && value !== null) return Object.keys(value).length > 0;
  return Boolean(value);
}

/** A stream's failure is its last item, which fails the job. */
async function* guarded(
  items: AsyncIterable<Output>,
  failed: (thrown: unknown) => object,
): AsyncGenerator<Output, void, undefined> {
  try {
    yield* items;
  } catch (thrown) {
    yield failed(thrown);
  }
}

interface Manner {
  readonly config: TextGenerationConfig;
  readonly signal: AbortSignal;
  readonly onUnknown: OnUnknown;
}

/** What worker-vllm's own input holds. */
const nativeFields: ReadonlySet<string> = new Set([
  "prompt",
  "messages",
  "sampling_params",
  "stream",
  "apply_chat_template",
  "use_openai_format",
  ...batchFields,
]);

async function* vllm(
  model: TextModel,
  input: Body,
  { config, signal, onUnknown }: Manner,
): AsyncGenerator<Output, void, undefined> {
  const call = callOf(input);
  if (call !== undefined) {
    yield* items(await answer(model, { ...call, signal, onUnknown }), config);
    return;
  }
  if (!isGiven(input.messages) && !isGiven(input.prompt)) throw new ApiError(400, noInput);
  tellUnknown(input, nativeFields, onUnknown, (name) => `input.${name}`);
  const { path, body } = nativeCall(input);
  const legacy = config.outputFormat === "vllm-legacy" || batchFields.some((name) => name in input);
  if (!legacy) {
    yield* items(await answer(model, { path, method: "POST", body, signal, onUnknown }), config);
    return;
  }
  const { stream, ...rest }: Body = { max_tokens: legacyMaxTokens, ...body };
  const chat = path === chatPath;
  for (const name of [...shownFields, "prompt_logprobs"] as const) {
    if (isGiven(rest[name]) && rest[name] !== false) refuseField(name);
  }
  const requests = chat ? [chatRequest(rest, onUnknown)] : completionRequest(rest, onUnknown).requests;
  const [request, ...others] = requests;
  if (request === undefined || others.length > 0) throw wrongField("prompt", "one prompt in this format");
  yield* legacyChunks(model, { ...request, signal }, stream === true, batchSizesOf(input, config.batches));
}

const legacyMaxTokens = 100;
const chatPath = "/v1/chat/completions";

/** The call that a job carries, in OpenAI's or the generic form. */
function callOf(input: Body): { path: string; method: string; body: unknown } | undefined {
  const { openai_input, body, method } = input;
  const named = (name: string) => (isGiven(input[name]) ? textField(input, name) : undefined);
  const route = named("route");
  const openai_route = named("openai_route");
  if (isGiven(openai_input)) {
    return {
      path: openai_route ?? chatPath,
      method: "POST",
      body: openai_input,
    };
  }
  if (openai_route !== undefined) {
    const posted = typeof openai_input === "object" && openai_input !== null; // an empty body is one
    return { path: openai_route, method: posted ? "POST" : "GET", body: openai_input };
  }
  if (route === undefined) return undefined;
  return {
    path: route,
    method: typeof method === "string" ? method : isGiven(body) ? "POST" : "GET",
    body,
  };
}

/** worker-vllm's own input as a call: sampling_params are fields of the body. */
function nativeCall(input: Body): { path: string; body: Body } {
  const { prompt, messages } = input;
  const shared = {
    ...objectField(input, "sampling_params"),
    stream: booleanField(input, "stream") ?? false,
  };
  if (isGiven(messages)) return { path: chatPath, body: { ...shared, messages } };
  const wraps = booleanField(input, "apply_chat_template") ?? false;
  if (wraps && typeof prompt !== "string")
    throw wrongField("prompt", "text where apply_chat_template is true");
  if (wraps) return { path: chatPath, body: { ...shared, messages: [{ role: "user", content: prompt }] } };
  return { path: "/v1/completions", body: { ...shared, prompt } };
}

/** An answer's items: its chunks as server-sent events, or as objects where those are wanted. */
async function* items(
  given: Awaited<ReturnType<typeof answer>>,
  { rawOutput }: TextGenerationConfig,
): AsyncGenerator<Output, void, undefined> {
  if (given.type === "object") {
    yield given.object;
    return;
  }
  if (given.type === "events") {
    const written = (event: NamedEvent) => (rawOutput ? eventText(event) : [event]);
    let begun = false;
    try {
      for await (const event of given.events) {
        yield written(event);
        begun = true;
      }
    } catch (thrown) {
      if (begun) yield written(given.failed(toApiError(thrown)));
      throw thrown;
    }
    return;
  }
  for await (const chunk of given.chunks) yield rawOutput ? `data: ${JSON.stringify(chunk)}\n\n` : [chunk];
  if (rawOutput) yield "data: [DONE]\n\n";
}
