// Answers as objects with a status, or as web Responses: JSON, errors in OpenAI's form, and
// streams of server-sent events, whose client is the pace: a chunk is made when the last one
// is on its way.
import { type ApiError, errorBody, toApiError } from "../openai/api-error.js";

type HeaderFields = Readonly<Record<string, string>>;

/** Seconds after which a refused request may be sent again. */
const retrySeconds = 1;

/** An answer that is not written yet. */
export interface Reply {
  readonly status: number;
  readonly headers: HeaderFields;
  /** An object is to be written as JSON. */
  readonly body: object | ReadableStream<Uint8Array>;
}

/** @throws for a value that is nested too deeply */
export function written({ status, headers, body }: Reply): Response {
  return new Response(body instanceof ReadableStream ? body : JSON.stringify(body), { status, headers });
}

export function objectReply(status: number, body: object, headers: HeaderFields = {}): Reply {
  return { status, headers: jsonHeaders(status, headers), body };
}

/** @throws for a value that is nested too deeply */
export function jsonReply(status: number, value: unknown, headers: HeaderFields = {}): Response {
  return textReply(status, JSON.stringify(value), headers);
}

/** @param json the whole text */
export function textReply(status: number, json: string, headers: HeaderFields = {}): Response {
  return new Response(json, { status, headers: jsonHeaders(status, headers) });
}

function jsonHeaders(status: number, headers: HeaderFields): HeaderFields {
  return { "Content-Type": "application/json", ...retryAfter(status), ...headers };
}

function retryAfter(status: number): HeaderFields {
  return status === 429 || status === 503 ? { "Retry-After": String(retrySeconds) } : {};
}

/** {"error": {message, type, param, code}} @param path of the request: Anthropic's API has a form of its own */
export function failureReply(error: ApiError, headers: HeaderFields = {}, path = ""): Reply {
  const allow: HeaderFields = error.status === 405 ? { Allow: error.allow ?? "POST" } : {};
  return objectReply(error.status, errorBody(path, error), { ...allow, ...headers });
}

/** As failureReply(). */
export function errorReply(error: ApiError, headers: HeaderFields = {}, path = ""): Response {
  return written(failureReply(error, headers, path));
}

export interface EventStreamOptions {
  /** Told once, when the stream has ended or its client has left. */
  readonly onEnd: () => void;
  /** Ends the work behind the stream. */
  readonly abort: AbortController;
  /** Milliseconds that a client may take none of what waits for it. */
  readonly stallMs: number;
}

/** As streamReply(). */
export function eventReply(events: AsyncIterator<string>, options: EventStreamOptions): Response {
  return written(streamReply(events, options));
}

/** @param events texts of whole events; what they throw is told as the last event */
export function streamReply(events: AsyncIterator<string>, options: EventStreamOptions): Reply {
  const { onEnd, abort, stallMs } = options;
  const encoder = new TextEncoder();
  let stall: NodeJS.Timeout | undefined;
  const end = () => {
    clearTimeout(stall);
    onEnd();
  };
  const leave = () => {
    abort.abort();
    void events.return?.()?.catch(() => {});
    end();
  };
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      clearTimeout(stall);
      try {
        const { done, value } = await events.next();
        if (!done) controller.enqueue(encoder.encode(value));
        else {
          end();
          return controller.close();
        }
      } catch (thrown) {
        controller.enqueue(encoder.encode(failureEvents(thrown)));
        end();
        return controller.close();
      }
      stall = setTimeout(() => {
        leave();
        controller.error(new Error("the client takes nothing"));
      }, stallMs).unref();
    },
    cancel: leave,
  });
  const headers = { "Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-cache" };
  return { status: 200, headers, body };
}

/** The event that ends OpenAI's streams. */
export const doneEvent = "data: [DONE]\n\n";

function failureEvents(thrown: unknown): string {
  return `data: ${JSON.stringify({ error: toApiError(thrown).object })}\n\n${doneEvent}`;
}
