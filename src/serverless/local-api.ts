// The platform's public API over local jobs, as a function of a request: /run,
// /runsync, /status, /stream, /cancel, /health, /purge-queue and /openai, bare or
// below /v2/<endpoint>. Shapes are the public ones; an unknown id is answered as
// Python's local server does. Knows no socket.
import { randomUUID } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import { hasCredentials, problemOfCredentials } from "./job-request.js";
import { JsonText, jobJson, streamJson } from "./job-view.js";
import { ofAnotherPage } from "./local-caller.js";
import type { LocalJob } from "./local-job.js";
import type { LocalJobs } from "./local-jobs.js";
import { openaiCall } from "./local-openai.js";

export interface ApiRequest {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  /** Aborts when nobody waits for the answer any more. */
  readonly signal?: AbortSignal;
}

/** A value to be told as JSON (jsonOf()), or the text of server-sent events as it comes. */
export type ApiAnswer =
  | { readonly status: number; readonly body: unknown; readonly headers?: Readonly<Record<string, string>> }
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
    if (ofAnotherPage(request.headers)) return anotherPage;
    const [pathname = "", query] = request.url.split("?");
    const path = pathname.replace(/^\/v2\/[^/]+(?=\/)/, "");
    const [, openaiPath] = /^\/openai(\/.+)$/.exec(path) ?? [];
    if (openaiPath !== undefined) {
      return this.#jobs.stopped ? leaving : openaiCall(this.#jobs, openaiPath, request);
    }
    const wait = waitOf(new URLSearchParams(query).get("wait"));
    const [, route = "", id = "", rest] = path.split("/");
    const realtime = id === "realtime" && route === this.#endpointId;
    const methods = realtime ? ["POST"] : (id === "" ? routes : idRoutes).get(route);
    if (rest !== undefined || methods === undefined) return noSuchRoute(request);
    if (!methods.includes(request.method)) return wrongMethod(request, methods);
    if (realtime) return this.#realtime(request);
    if (id !== "") return this.#ofJob(route, id, wait);
    switch (route) {
      case "run":
      case "runsync":
        return this.#submit(route, wait, request);
      case "health":
        return { status: 200, body: this.#health() };
      case "purge-queue":
        return { status: 200, body: { removed: this.#jobs.purge().length, status: "completed" } };
      default:
        return { status: 200, body: { routes: described } };
    }
  }

  async #ofJob(route: string, id: string, wait: number | undefined): Promise<ApiAnswer> {
    const job = this.#jobs.find(id);
    if (job === undefined) {
      const missing = { id, status: "FAILED", error: "Job ID not found" };
      return { status: 200, body: route === "stream" ? { ...missing, stream: [] } : missing };
    }
    if (route === "stream") return { status: 200, body: await streamed(job) };
    if (route === "cancel") {
      this.#jobs.cancel(job);
      await job.untilEnded();
    }
    if (route === "status-sync") await job.untilEnded(wait ?? statusWaitMs);
    return { status: 200, body: new JsonText(jobJson(job)) };
  }

  async #submit(route: string, wait: number | undefined, request: ApiRequest): Promise<ApiAnswer> {
    const { fields, wrong } = jobOf(request.body);
    if (fields === undefined) return wrong;
    if (this.#jobs.stopped) return leaving;
    const bytes = Buffer.byteLength(request.body);
    const full = this.#jobs.refusal(bytes);
    if (full !== undefined) return comeLater({ error: full });
    const job = await this.#jobs.submit(
      { ...fields, id: `test-${randomUUID()}`, input: fields.input },
      bytes,
    );
    if (route === "run") return { status: 200, body: { id: job.job.id, status: job.status } };
    await job.untilEnded(wait);
    return { status: 200, body: new JsonText(jobJson(job)) };
  }

  /** The result's own body, without the shape of the public API. */
  async #realtime(request: ApiRequest): Promise<ApiAnswer> {
    const { fields, wrong } = jobOf(request.body);
    if (fields === undefined) return wrong;
    if (this.#jobs.stopped) return leaving;
    const { id: given = `test-${randomUUID()}` } = fields;
    const id = typeof given === "number" ? String(given) : given;
    if (typeof id !== "string" || id === "") {
      return { status: 400, body: { error: `id must be a string or a number, got ${JSON.stringify(id)}` } };
    }
    if (this.#jobs.find(id)?.ended === false) {
      return { status: 409, body: { error: `job ${id} is running already; give another id` } };
    }
    const bytes = Buffer.byteLength(request.body);
    const full = this.#jobs.refusal(bytes);
    if (full !== undefined) return comeLater({ error: full });
    const job = await this.#jobs.submit({ ...fields, id, input: fields.input }, bytes);
    await job.untilEnded();
    const json = job.resultJson;
    return {
      status: 200,
      body: json === undefined ? { error: "the job was cancelled" } : new JsonText(json),
    };
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

const either = ["GET", "POST"];
/** Methods of the routes without and with a job's id. */
const routes: ReadonlyMap<string, readonly string[]> = new Map([
  ["", ["GET", "HEAD", "POST"]],
  ["run", ["POST"]],
  ["runsync", ["POST"]],
  ["health", ["GET", "HEAD", "POST"]],
  ["purge-queue", ["POST"]],
]);
const idRoutes: ReadonlyMap<string, readonly string[]> = new Map([
  ["status", either],
  ["status-sync", either],
  ["stream", either],
  ["cancel", ["POST"]],
]);
const described = [
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
const leaving: ApiAnswer = { status: 503, body: { error: "the worker is shutting down" } };
const invalidInput: ApiAnswer = {
  status: 422,
  body: { detail: [{ loc: ["body", "input"], msg: "input must be an object", type: "dict_type" }] },
};
const anotherPage: ApiAnswer = {
  status: 403,
  body: { error: "web pages of another origin must send Content-Type: application/json" },
};

/** Too many jobs wait. */
export function comeLater(body: unknown): ApiAnswer {
  return { status: 429, headers: { "Retry-After": "1" }, body };
}

function noSuchRoute({ method, url }: ApiRequest): ApiAnswer {
  return {
    status: 404,
    body: { error: `no route ${method} ${url}; the routes are ${described.join(", ")}` },
  };
}

function wrongMethod({ method, url }: ApiRequest, methods: readonly string[]): ApiAnswer {
  const Allow = methods.join(", ");
  return { status: 405, headers: { Allow }, body: { error: `${url} takes ${Allow}, got ${method}` } };
}

type JobFields = { readonly fields: Fields; readonly wrong?: undefined };
type NoJob = { readonly fields?: undefined; readonly wrong: ApiAnswer };

/** The fields of a body whose input is an object. */
function jobOf(body: string): JobFields | NoJob {
  const expected = 'expected a job as JSON, such as {"input": {}}';
  if (body.trim() === "") return noJob(`the body is empty; ${expected}`);
  let parsed: unknown;
  try {
    parsed = JSON.parse(body);
  } catch (thrown) {
    return noJob(`the body is no JSON (${(thrown as Error).message}); ${expected}`);
  }
  if (!isObject(parsed) || !isObject(parsed.input)) return { wrong: invalidInput };
  const { webhook } = parsed;
  if (webhook && !(typeof webhook === "string" && /^https?:/i.test(webhook) && URL.canParse(webhook))) {
    return noJob(`webhook must be an http or https URL, got ${JSON.stringify(webhook)}`);
  }
  if (typeof webhook === "string" && webhook !== "" && hasCredentials(webhook)) {
    return noJob(`webhook ${problemOfCredentials}`);
  }
  return { fields: parsed };
}

function noJob(error: string): NoJob {
  return { wrong: { status: 400, body: { error } } };
}

function isObject(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function waitOf(text: string | null): number | undefined {
  const wait = Number(text);
  return text === null || text.trim() === "" || Number.isNaN(wait)
    ? undefined
    : Math.max(0, Math.min(wait, longestWaitMs));
}

/** What came since the last call; the status is the job's once everything was given. */
async function streamed(job: LocalJob): Promise<JsonText> {
  const items = await nextItems(job);
  const isOne = job.status === "COMPLETED" && !job.outlet.isStream;
  const noStream = { status: "FAILED", error: "Stream not supported, handler must be a generator." };
  return new JsonText(streamJson(job, items, isOne ? noStream : {}));
}

/** JSON texts of the items that no caller has had yet; waits a second for one. @param signals end the waiting */
export async function nextItems(
  job: LocalJob,
  ...signals: readonly AbortSignal[]
): Promise<readonly string[]> {
  const until = performance.now() + streamWaitMs;
  const hasLeft = () => signals.some((signal) => signal.aborted);
  while (!job.ended && job.given === job.outlet.posted.length && performance.now() < until && !hasLeft()) {
    await job.changes.next(until - performance.now(), ...signals);
  }
  if (hasLeft()) return [];
  const items = job.outlet.posted.slice(job.given);
  job.given += items.length;
  return items;
}
