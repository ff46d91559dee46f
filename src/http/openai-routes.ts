// /v1 over the pure routes of src/openai: an object with a status or a stream of events, and
// the same read and written as web Request and Response. A client that leaves ends its
// generation, and a request that finds too many others is refused before its body is read.
import { ApiError, toApiError } from "../openai/api-error.js";
import type { OnUnknown } from "../openai/fields.js";
import { eventText, type NamedEvent, type NamedStream } from "../openai/named-events.js";
import type { ResponseStore } from "../openai/response-store.js";
import { answer } from "../openai/routes.js";
import type { TextModel } from "../openai/text-model.js";
import type { Admission, Admitted } from "./admission.js";
import { readJson } from "./body.js";
import {
  doneEvent,
  errorReply,
  failureReply,
  objectReply,
  type Reply,
  streamReply,
  written,
} from "./replies.js";

export interface OpenaiParts {
  readonly model: () => TextModel;
  /** Undefined: no responses are kept. */
  readonly responses?: ResponseStore | undefined;
  readonly admission: Admission;
  readonly limitBytes: number;
  /** Milliseconds that the client of a stream may take nothing. */
  readonly stallMs: number;
  /** Aborts when what is under way is to end at once. */
  readonly ending: AbortSignal;
  /** Resolves when the model is loaded; undefined: it always is. @throws ApiError where it cannot be */
  readonly awake?: ((signal: AbortSignal) => Promise<void>) | undefined;
  readonly onUnknown: OnUnknown;
  /** Told of every failure that is not the request's own fault. */
  readonly onFailure: (error: ApiError) => void;
}

/** A request, whatever carried it. */
export interface CarriedCall {
  /** Such as "/v1/models". */
  readonly path: string;
  readonly method: string;
  /** Aborts when nobody waits for the answer any more. */
  readonly signal: AbortSignal;
  /** What the body is said to have; undefined: that is not known before it was read. */
  readonly bytes?: number | undefined;
  /** Called once the request is admitted. @throws ApiError where the body cannot be read, or has no room */
  readonly body: (admitted: Admitted) => Promise<unknown>;
}

/** @param path such as "/v1/models" */
export async function openaiReply(parts: OpenaiParts, path: string, request: Request): Promise<Response> {
  const { method, signal } = request;
  const body = async (admitted: Admitted) => {
    const { value, bytes } = await readJson(request, parts.limitBytes);
    if (admitted.hasRoom(bytes)) return value;
    throw fullOfTokens(parts.admission);
  };
  const announced = Number(request.headers.get("content-length") ?? Number.NaN);
  const bytes = announced <= parts.limitBytes ? announced : undefined; // a longer one is refused when it is read
  const { search } = new URL(request.url);
  const reply = await openaiAnswer(parts, { path: path + search, method, signal, bytes, body });
  try {
    return written(reply);
  } catch (thrown) {
    return errorReply(told(thrown, parts.ending, parts.onFailure), {}, path);
  }
}

/** The answer as an object, or a stream of events; never rejects. */
export async function openaiAnswer(parts: OpenaiParts, call: CarriedCall): Promise<Reply> {
  const { path, method, signal } = call;
  const reads = method === "GET" || method === "HEAD";
  if (!reads && /^\/v1\/models(?:[/?]|$)/.test(path))
    return failureReply(wrongMethod(path.replace(/\?.*/, ""), "GET", method), { Allow: "GET, HEAD" });
  if (reads) return guarded(parts, path, () => listed(parts, path));
  const admitted = parts.admission.enter();
  if (admitted === undefined) return failureReply(full(parts.admission), {}, path);
  const work = new LinkedAbort([signal, parts.ending], () => admitted.leave());
  const reply = () => {
    if (call.bytes !== undefined && !admitted.hasRoom(call.bytes)) throw fullOfTokens(parts.admission);
    return generated(parts, call, admitted, work);
  };
  return guarded(parts, path, async () => reply(), work);
}

async function listed({ model, responses }: OpenaiParts, path: string): Promise<Reply> {
  const given = await answer(model(), { path, method: "GET", body: undefined, responses });
  if (given.type === "object") return objectReply(200, given.object);
  throw new Error("a route without a body gives an object");
}

async function generated(
  parts: OpenaiParts,
  { path, method, body: read }: CarriedCall,
  admitted: Admitted,
  work: LinkedAbort,
): Promise<Reply> {
  const { model, stallMs, onUnknown, responses, admission } = parts;
  const body = await read(admitted);
  await admission.turns.next();
  const { signal } = work.abort;
  await parts.awake?.(signal);
  const given = await answer(model(), { path, method, body, signal, onUnknown, responses });
  if (given.type === "object") {
    work.end();
    return objectReply(200, given.object);
  }
  // A refusal comes with the first chunk, and still has a status of its own.
  const options = { abort: work.abort, stallMs, onEnd: () => work.end() };
  if (given.type === "events") {
    const events = given.events[Symbol.asyncIterator]();
    return streamReply(namedEventsOf(await events.next(), events, given, parts), options);
  }
  const chunks = given.chunks[Symbol.asyncIterator]();
  const first = await chunks.next();
  return streamReply(eventsOf(first, chunks, parts), options);
}

async function* eventsOf(
  first: IteratorResult<object>,
  chunks: AsyncIterator<object>,
  { ending, onFailure }: OpenaiParts,
): AsyncGenerator<string, void, undefined> {
  try {
    for (let next = first; !next.done; next = await chunks.next())
      yield `data: ${JSON.stringify(next.value)}\n\n`;
    yield doneEvent;
  } catch (thrown) {
    throw told(thrown, ending, onFailure);
  } finally {
    await chunks.return?.();
  }
}

/** As eventsOf(), of events that say by themselves how their stream ends. */
async function* namedEventsOf(
  first: IteratorResult<NamedEvent>,
  events: AsyncIterator<NamedEvent>,
  { failed }: NamedStream,
  { ending, onFailure }: OpenaiParts,
): AsyncGenerator<string, void, undefined> {
  try {
    for (let next = first; !next.done; next = await events.next()) yield eventText(next.value);
  } catch (thrown) {
    yield eventText(failed(told(thrown, ending, onFailure)));
  } finally {
    await events.return?.();
  }
}

/** A request's own signal, which others abort until it has ended: as AbortSignal.any(), which long-lived sources keep alive. */
class LinkedAbort {
  readonly abort = new AbortController();
  readonly #sources: readonly AbortSignal[];
  readonly #onAbort = () => this.abort.abort();
  readonly #onEnd: () => void;

  constructor(sources: readonly AbortSignal[], onEnd: () => void) {
    this.#sources = sources;
    this.#onEnd = onEnd;
    for (const source of sources) {
      if (source.aborted) this.abort.abort();
      source.addEventListener("abort", this.#onAbort);
    }
  }

  end(): void {
    for (const source of this.#sources) source.removeEventListener("abort", this.#onAbort);
    this.#onEnd();
  }
}

async function guarded(
  { ending, onFailure }: OpenaiParts,
  path: string,
  reply: () => Promise<Reply>,
  work?: LinkedAbort,
): Promise<Reply> {
  try {
    return await reply();
  } catch (thrown) {
    work?.end();
    return failureReply(told(thrown, ending, onFailure), {}, path);
  }
}

/** As the client is to hear of it. */
function told(thrown: unknown, ending: AbortSignal, onFailure: (error: ApiError) => void): ApiError {
  if (ending.aborted) return shuttingDown;
  const error = toApiError(thrown);
  if (error.status >= 500) onFailure(error);
  return error;
}

export const shuttingDown = new ApiError(503, "the server is shutting down", { code: "shutting_down" });

export function wrongMethod(path: string, takes: string, method: string): ApiError {
  return new ApiError(405, `${path} takes ${takes}, got ${method}`, { code: "method_not_allowed" });
}

export function full({ limit }: Admission): ApiError {
  const living = limit === 1 ? "1 request is" : `${limit} requests are`;
  return new ApiError(429, `${living} under way, which is the limit; send this one again later`, {
    code: "queue_full",
  });
}

function fullOfTokens({ tokenLimit }: Admission): ApiError {
  const sentence = `the prompts under way would have more than ${tokenLimit} tokens with this one, which is the limit; send it again later`;
  return new ApiError(429, sentence, { code: "queue_full" });
}
