// The platform's public API over local jobs, as a function of a request: /run,
// /runsync, /status, /stream, /cancel, /health, /purge-queue and /openai, bare or
// below /v2/<endpoint>. Shapes are the public ones; an unknown id is answered as
// Python's local server does. Knows no socket.
import { randomUUID } from "node:crypto";
import type { LocalJob, LocalJobs } from "./local-jobs.js";
import { openaiCall } from "./local-openai.js";

export interface ApiRequest {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  readonly body: string;
  /** Aborts when nobody waits for the answer any more. */
  readonly signal?: AbortSignal;
}

/** A value to be told as JSON, or the text of server-sent events as it comes. */
export type ApiAnswer =
  | { readonly status: number; readonly body: unknown }
  | { readonly status: number; readonly events: AsyncIterable<string> };

type Fields = Readonly<Record<string, unknown>>;

/** Milliseconds a stream's caller is kept where nothing new has come. */
const streamWaitMs = 1000;
const longestWaitMs = 300_000;
const statusWaitMs = 90_000;

export class LocalApi {
  readonly #jobs: LocalJobs;
  readonly #endpointId: string | undefined;

  /** @param endpointId also answers POST /<endpointId>/realtime */
  constructor(jobs: LocalJobs, endpointId: string | undefined) {
    this.#jobs = jobs;
    this.#endpointId = endpointId;
  }

  async answer(request: ApiRequest): Promise<ApiAnswer> {
    const [pathname = "", query] = request.url.split("?");
    const path = pathname.replace(/^\/v2\/[^/]+(?=\/)/, "");
    const [, openaiPath] = /^\/openai(\/.+)$/.exec(path) ?? [];
    if (openaiPath !== undefined) {
      return this.#jobs.stopped ? leaving : openaiCall(this.#jobs, openaiPath, request);
    }
    const wait = waitOf(new URLSearchParams(query).get("wait"));
    const [, route = "", id = "", rest] = path.split("/");
    if (rest !== undefined) return noSuchRoute(request);
    const posted = request.method === "POST";
    if (id === "realtime" && route === this.#endpointId && posted) return this.#realtime(request);
    if (!posted && request.method !== "GET") return noSuchRoute(request);
    if (id !== "") return this.#ofJob(route, id, wait, request);
    switch (route) {
      case "run":
      case "runsync":
        return posted ? this.#submit(route, wait, request) : noSuchRoute(request);
      case "health":
        return { status: 200, body: this.#health() };
      case "purge-queue":
        return posted
          ? { status: 200, body: { removed: this.#jobs.purge(), status: "completed" } }
          : noSuchRoute(request);
      case "":
        return { status: 200, body: { routes } };
      default:
        return noSuchRoute(request);
    }
  }

  async #ofJob(route: string, id: string, wait: number | undefined, request: ApiRequest): Promise<ApiAnswer> {
    if (!idRoutes.has(route)) return noSuchRoute(request);
    const job = this.#jobs.find(id);
    if (job === undefined) {
      const missing = { id, status: "FAILED", error: "Job ID not found" };
      return { status: 200, body: route === "stream" ? { ...missing, stream: [] } : missing };
    }
    if (route === "stream") return { status: 200, body: await streamed(job) };
    if (route === "cancel") {
      if (request.method !== "POST") return noSuchRoute(request);
      this.#jobs.cancel(job);
      await job.untilEnded();
    }
    if (route === "status-sync") await job.untilEnded(wait ?? statusWaitMs);
    return { status: 200, body: view(job) };
  }

  async #submit(route: string, wait: number | undefined, request: ApiRequest): Promise<ApiAnswer> {
    const fields = inputFields(request.body);
    if (fields === undefined) return invalidInput;
    if (this.#jobs.stopped) return leaving;
    const job = await this.#jobs.submit({ ...fields, id: `test-${randomUUID()}`, input: fields.input });
    if (route === "run") return { status: 200, body: { id: job.job.id, status: job.status } };
    await job.untilEnded(wait);
    return { status: 200, body: view(job) };
  }

  /** The result's own body, without the shape of the public API. */
  async #realtime(request: ApiRequest): Promise<ApiAnswer> {
    const fields = inputFields(request.body);
    if (fields === undefined) return invalidInput;
    if (this.#jobs.stopped) return leaving;
    const id = fields.id === undefined ? `test-${randomUUID()}` : String(fields.id);
    if (this.#jobs.find(id)?.ended === false) {
      return { status: 409, body: { error: `job ${id} is running already; give another id` } };
    }
    const job = await this.#jobs.submit({ ...fields, id, input: fields.input });
    await job.untilEnded();
    return { status: 200, body: job.result ?? { error: "the job was cancelled" } };
  }

  #health(): object {
    const running = this.#jobs.count("IN_PROGRESS");
    const busy = running > 0 ? 1 : 0;
    return {
      jobs: {
        completed: this.#jobs.count("COMPLETED"),
        failed: this.#jobs.count("FAILED"),
        inProgress: running,
        inQueue: this.#jobs.count("IN_QUEUE"),
        retried: 0,
      },
      workers: { idle: 1 - busy, initializing: 0, ready: 1, running: busy, throttled: 0, unhealthy: 0 },
    };
  }
}

const routes = [
  "POST /run",
  "POST /runsync",
  "GET /status/{id}",
  "GET /status-sync/{id}",
  "GET /stream/{id}",
  "POST /cancel/{id}",
  "GET /health",
  "POST /purge-queue",
  "/openai/v1/{…}",
];
const idRoutes: ReadonlySet<string> = new Set(["status", "status-sync", "stream", "cancel"]);
const leaving: ApiAnswer = { status: 503, body: { error: "the worker is shutting down" } };
const invalidInput: ApiAnswer = {
  status: 422,
  body: { detail: [{ loc: ["body", "input"], msg: "input must be an object", type: "dict_type" }] },
};

function noSuchRoute({ method, url }: ApiRequest): ApiAnswer {
  return { status: 404, body: { error: `no route ${method} ${url}; the routes are ${routes.join(", ")}` } };
}

/** The body's fields where its input is an object. */
function inputFields(body: string): Fields | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body);
  } catch {
    return undefined;
  }
  return isObject(parsed) && isObject(parsed.input) ? parsed : undefined;
}

function isObject(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function waitOf(text: string | null): number | undefined {
  const wait = Number(text);
  return text === null || Number.isNaN(wait) ? undefined : Math.max(0, Math.min(wait, longestWaitMs));
}

/** The job in the shape of the public API. */
export function view(job: LocalJob): Fields {
  const { id } = job.job;
  const started = job.startedMs;
  const times = {
    ...(started === undefined ? {} : { delayTime: Math.round(started - job.createdMs) }),
    ...(started === undefined || job.endedMs === undefined
      ? {}
      : { executionTime: Math.round(job.endedMs - started) }),
  };
  const { output, error } = job.result ?? { output: progressOf(job) };
  return {
    id,
    status: job.status,
    ...(output === undefined ? {} : { output }),
    ...(error === undefined ? {} : { error }),
    ...times,
  };
}

function progressOf(job: LocalJob): unknown {
  const json = job.outlet.progressJson;
  return json === undefined || job.ended ? undefined : JSON.parse(json);
}

/** What came since the last call; the status is the job's once everything was given. */
async function streamed(job: LocalJob): Promise<Fields> {
  const until = performance.now() + streamWaitMs;
  while (!job.ended && job.given === job.outlet.posted.length && performance.now() < until) {
    await job.changes.next(until - performance.now());
  }
  const items = job.outlet.posted.slice(job.given);
  job.given += items.length;
  const stream = items.map((json) => ({ output: JSON.parse(json) as unknown }));
  const { id } = job.job;
  if (job.status === "COMPLETED" && !job.outlet.isStream) {
    const error = "Stream not supported, handler must be a generator.";
    return { id, status: "FAILED", error, stream };
  }
  const { error } = job.result ?? {};
  return { id, status: job.status, ...(error === undefined ? {} : { error }), stream };
}
