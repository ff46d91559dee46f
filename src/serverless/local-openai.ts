// OpenAI's address of an endpoint, over local jobs: a call becomes a job, its stream
// or its result the answer, as the platform's /openai/* does it. Knows no route: the
// handler does.
import { randomUUID } from "node:crypto";
import { asksForEvents, failureEvents } from "./event-text.js";
import { JsonText } from "./job-view.js";
import { type ApiAnswer, type ApiRequest, comeLater } from "./local-api.js";
import type { JobTimes, LocalJob } from "./local-job.js";
import type { LocalJobs } from "./local-jobs.js";
import { type DoneBody, errorObjectOf } from "./results.js";

/** By an error's code, else by its type. */
const statuses: ReadonlyMap<unknown, number> = new Map([
  ["method_not_allowed", 405],
  ["not_found_error", 404],
  ["rate_limit_error", 429],
  ["server_error", 500],
]);

const methods: readonly string[] = ["GET", "POST"];

type Fields = Readonly<Record<string, unknown>>;

/** How a call's job is called and how long it may take; default: an id of its own, any time. */
interface CallJob {
  readonly id: string;
  readonly times?: JobTimes;
}

/** @param path below /openai, such as "/v1/models" */
export async function openaiCall(
  jobs: LocalJobs,
  path: string,
  request: ApiRequest,
  { id, times }: CallJob = { id: `test-${randomUUID()}` },
): Promise<ApiAnswer> {
  const { method } = request;
  if (!methods.includes(method)) {
    const Allow = methods.join(", ");
    return { ...invalid(405, `${path} takes ${Allow}, got ${method}`), headers: { Allow } };
  }
  const text = request.body.trim();
  const body = parsed(text);
  if (text === "" && method === "POST") return invalid(400, "the body is empty, expected a JSON object");
  if (text !== "" && body === undefined)
    return invalid(400, `the body must be a JSON object; ${faultOf(text)}`);
  const input = { openai_route: path, ...(body !== undefined && { openai_input: body }) };
  const bytes = Buffer.byteLength(text);
  const full = jobs.refusal(bytes);
  if (full !== undefined) return comeLater({ error: errorOf(full, "rate_limit_error") });
  const job = await jobs.submit({ id, input }, bytes, times);
  // Who leaves wants no more of it; on the platform that is a stop.
  request.signal?.addEventListener("abort", () => jobs.cancel(job), { once: true });
  if (request.signal?.aborted) jobs.cancel(job);
  if (!asksForEvents(input)) {
    await job.untilEnded();
    return whole(job);
  }
  while (!job.ended && job.outlet.posted.length === 0) await job.changes.next();
  return job.outlet.posted.length === 0 ? whole(job) : { status: 200, events: eventsOf(job) };
}

const cancelled: DoneBody = { error: "the job was cancelled" };

function whole(job: LocalJob): ApiAnswer {
  const { error } = job.result ?? cancelled;
  if (error !== undefined) return failure(error);
  const json = job.outlet.posted[0] ?? outputOf(job.resultJson);
  return { status: 200, body: new JsonText(json) };
}

/** The output within a body that has nothing else, as JSON text. */
function outputOf(body = "{}"): string {
  const first = '{"output":';
  return body.startsWith(first) ? body.slice(first.length, -1) : "null";
}

/** A stream that broke off ends with an error and [DONE], whatever ended it. */
async function* eventsOf(job: LocalJob): AsyncGenerator<string, void, undefined> {
  let last = "";
  for (let given = 0; ; given += 1) {
    while (!job.ended && job.outlet.posted.length === given) await job.changes.next();
    const json = job.outlet.posted[given];
    if (json === undefined) break;
    const item: unknown = JSON.parse(json);
    last = typeof item === "string" ? item : `data: ${json}\n\n`;
    yield last;
  }
  // A handler's own failure is among the items already, where it streamed events.
  const { error } = job.status === "COMPLETED" ? {} : (job.result ?? cancelled);
  const failure = error === undefined ? undefined : failureEvents(error, last);
  if (failure !== undefined) yield failure;
}

function failure(text: string): ApiAnswer {
  const error = errorObjectOf(text);
  return { status: statusOf(error), body: { error } };
}

/** vLLM's objects carry the status as their code. */
function statusOf({ code, type }: Fields): number {
  if (Number.isInteger(code) && Number(code) >= 400 && Number(code) < 600) return Number(code);
  return statuses.get(code) ?? statuses.get(type) ?? 400;
}

function invalid(status: number, message: string) {
  return { status, body: { error: errorOf(message, "invalid_request_error") } };
}

function errorOf(message: string, type: string): Fields {
  return { message, type, param: null, code: null };
}

function faultOf(text: string): string {
  try {
    const value: unknown = JSON.parse(text);
    return `got ${Array.isArray(value) ? "an array" : value === null ? "null" : `a ${typeof value}`}`;
  } catch (thrown) {
    return `it is no JSON: ${(thrown as Error).message}`;
  }
}

function parsed(text: string): Fields | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Fields)
      : undefined;
  } catch {
    return undefined;
  }
}
