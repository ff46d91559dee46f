// OpenAI's address of an endpoint whose handler is somebody's own: a call becomes a job with
// `openai_route` and `openai_input`, as on the platform, and its stream or result the answer.
import { randomUUID } from "node:crypto";
import { readText } from "../http/body.js";
import type { BodyBudget } from "../http/body-budget.js";
import { shuttingDown } from "../http/openai-routes.js";
import { eventReply, textReply } from "../http/replies.js";
import { usualTimes } from "../serverless/job-request.js";
import { jsonOf } from "../serverless/job-view.js";
import type { LocalJobs } from "../serverless/local-jobs.js";
import { openaiCall } from "../serverless/local-openai.js";

export interface HandlerCallParts {
  readonly jobs: LocalJobs;
  readonly budget: BodyBudget;
  readonly limitBytes: number;
  /** Milliseconds that the client of a stream may take nothing. */
  readonly stallMs: number;
}

/** @param path such as "/v1/chat/completions" @throws ApiError for a body that cannot be read */
export async function handlerCall(
  parts: HandlerCallParts,
  path: string,
  request: Request,
): Promise<Response> {
  const { jobs, budget, limitBytes, stallMs } = parts;
  const { text: body } = await budget.read(request, limitBytes, readText);
  if (jobs.stopped) throw shuttingDown; // the server may have been told to leave while the body came
  const abort = new AbortController();
  request.signal.addEventListener("abort", () => abort.abort(), { once: true });
  if (request.signal.aborted) abort.abort();
  const call = { method: request.method, url: path, headers: {}, body, signal: abort.signal };
  const said = await openaiCall(jobs, path, call, { id: randomUUID(), times: usualTimes });
  if (!("events" in said)) return textReply(said.status, jsonOf(said.body), said.headers);
  return eventReply(said.events[Symbol.asyncIterator](), { abort, stallMs, onEnd: () => {} });
}
