// RunPod's public API over the jobs of this process, as a function of a web Request: run,
// runsync, status, stream, cancel, retry, health, purge-queue. Paths, fields and statuses are
// RunPod's; an error is {"error": "a sentence"} with the status of its kind.
import { randomUUID } from "node:crypto";
import { InferenceError, spelledPath } from "../errors.js";
import { readJson } from "../http/body.js";
import type { BodyBudget } from "../http/body-budget.js";
import { shuttingDown } from "../http/openai-routes.js";
import { textReply } from "../http/replies.js";
import { ApiError, toApiError } from "../openai/api-error.js";
import { judgeJobRequest, keptMsOf, ttlMsOf, waitMsOf } from "../serverless/job-request.js";
import { StoreFailure } from "../serverless/job-store.js";
import { jobJson, streamJson } from "../serverless/job-view.js";
import { nextItems } from "../serverless/local-api.js";
import type { LocalJob } from "../serverless/local-job.js";
import type { LocalJobs } from "../serverless/local-jobs.js";
import { toWireJson } from "../serverless/wire-json.js";

export interface JobApiParts {
  readonly jobs: LocalJobs;
  readonly budget: BodyBudget;
  /** Bytes that the server lets a body have. */
  readonly limitBytes: number;
  /** Whether webhooks may be on this machine or in its network. */
  readonly allowsPrivateWebhooks: boolean;
  /** Whether jobs run already, or wait for the model. */
  readonly isReady: () => boolean;
  /** Whether the model is unloaded until it is needed. */
  readonly isAsleep?: () => boolean;
  /** Told in a sentence where jobs cannot be stored. */
  readonly onStoreFailure?: (reason: string) => void;
}

/** RunPod's limits of a body. */
const runBytes = 10_000_000;
const runsyncBytes = 20_000_000;

/** A request, its job where it names one, and its query. */
interface Call {
  readonly request: Request;
  readonly query: URLSearchParams;
}

interface Operation {
  readonly methods: readonly string[];
  readonly answer: (call: Call) => Promise<Response>;
}

interface JobOperation {
  readonly methods: readonly string[];
  readonly answer: (job: LocalJob, call: Call) => Promise<Response>;
}

const reads = ["GET", "HEAD", "POST"];
/** What is taken is gone, so it must have a body to be given in. */
const takes = ["GET", "POST"];

export class JobApi {
  readonly #parts: JobApiParts;
  readonly #operations: ReadonlyMap<string, Operation> = new Map([
    ["run", { methods: ["POST"], answer: (call: Call) => this.#run(call) }],
    ["runsync", { methods: ["POST"], answer: (call: Call) => this.#runsync(call) }],
    ["health", { methods: ["GET", "HEAD"], answer: async () => reply(200, this.#health()) }],
    ["purge-queue", { methods: ["POST"], answer: () => this.#purge() }],
  ]);
  readonly #jobOperations: ReadonlyMap<string, JobOperation> = new Map([
    ["status", { methods: reads, answer: (job: LocalJob, call: Call) => this.#status(job, call) }],
    ["status-sync", { methods: reads, answer: statusWhenEnded }],
    ["stream", { methods: takes, answer: (job: LocalJob, call: Call) => this.#stream(job, call) }],
    ["cancel", { methods: ["POST"], answer: (job: LocalJob) => this.#cancel(job) }],
    ["retry", { methods: ["POST"], answer: (job: LocalJob) => this.#retry(job) }],
  ]);

  constructor(parts: JobApiParts) {
    this.#parts = parts;
  }

  /** @param path below the endpoint, such as "run" or "status/ID" */
  async reply(path: string, request: Request): Promise<Response> {
    try {
      return await this.#answer(path, request);
    } catch (thrown) {
      if (thrown instanceof StoreFailure) return this.#notStored(thrown);
      // Fields are spelled as RunPod's API spells them.
      const { status, message } = toApiError(thrown);
      const sentence = thrown instanceof InferenceError ? thrown.sentence(spelledPath) : message;
      return reply(status, { error: sentence });
    }
  }

  /** A request that the disk did not take has changed nothing. */
  #notStored({ message }: StoreFailure): Response {
    this.#parts.onStoreFailure?.(message);
    const error = `the server cannot store jobs now, and nothing was accepted; send this request again later (${message})`;
    return reply(503, { error });
  }

  async #answer(path: string, request: Request): Promise<Response> {
    const [name = "", id, ...rest] = path.replace(/\/$/, "").split("/");
    const operation = this.#operations.get(name);
    const ofJob = this.#jobOperations.get(name);
    const call = { request, query: new URL(request.url).searchParams };
    if (operation !== undefined && id === undefined) {
      return wrongMethod(path, request, operation.methods) ?? (await operation.answer(call));
    }
    if (ofJob === undefined || id === undefined || rest.length > 0) throw noOperation(path);
    const wrong = wrongMethod(path, request, ofJob.methods);
    if (wrong !== undefined) return wrong;
    const job = await this.#parts.jobs.recall(id);
    if (job === undefined) throw new ApiError(404, `there is no job ${id.slice(0, 100)}, or no longer`);
    return ofJob.answer(job, call);
  }

  async #run({ request }: Call): Promise<Response> {
    const job = await this.#submit(request, runBytes, undefined);
    return reply(200, { id: job.job.id, status: "IN_QUEUE" });
  }

  async #runsync({ request, query }: Call): Promise<Response> {
    const wait = waitMsOf(query.get("wait"));
    const job = await this.#submit(request, runsyncBytes, wait);
    await job.untilEnded(wait, request.signal);
    return job.ended ? textReply(200, jobJson(job)) : reply(200, { id: job.job.id, status: job.status });
  }

  /** @param waitMs of /runsync; undefined: of /run */
  async #submit(request: Request, mostBytes: number, waitMs: number | undefined): Promise<LocalJob> {
    const { jobs, budget, limitBytes, allowsPrivateWebhooks } = this.#parts;
    const { value, text, bytes } = await budget.read(request, Math.min(mostBytes, limitBytes), readJson);
    const { fields, times } = judgeJobRequest(value, allowsPrivateWebhooks);
    this.#refuse(bytes);
    const id = `${waitMs === undefined ? "" : "sync-"}${randomUUID()}`;
    const keptMs = keptMsOf(waitMs);
    return jobs.submit({ ...fields, id, input: fields.input }, bytes, { ...times, keptMs }, text);
  }

  /** Judged when the job is to be queued: the server may have been told to leave since the request came. */
  #refuse(bytes: number): void {
    const { jobs } = this.#parts;
    if (jobs.stopped) throw shuttingDown;
    const full = jobs.refusal(bytes);
    if (full !== undefined) throw new ApiError(429, full);
  }

  async #status(job: LocalJob, { query }: Call): Promise<Response> {
    const ttl = ttlMsOf(query.get("ttl"));
    if (ttl !== undefined) await this.#parts.jobs.keepFor(job, ttl);
    return textReply(200, jobJson(job));
  }

  /** What came since the last call, with the status that the job has after it. */
  async #stream(job: LocalJob, { request }: Call): Promise<Response> {
    const items = await nextItems(job, request.signal);
    if (items.length > 0) this.#parts.jobs.gave(job);
    return textReply(200, streamJson(job, items));
  }

  async #cancel(job: LocalJob): Promise<Response> {
    this.#parts.jobs.cancel(job);
    await job.untilEnded();
    return reply(200, { id: job.job.id, status: job.status });
  }

  async #retry(job: LocalJob): Promise<Response> {
    const { id } = job.job;
    const { jobs } = this.#parts;
    if (!jobs.canRetry(job)) {
      throw new ApiError(
        400,
        `only jobs that FAILED or TIMED_OUT can be run again; job ${id} is ${job.status}`,
      );
    }
    this.#refuse(job.bytes);
    await jobs.retry(job);
    return reply(200, { id, status: "IN_QUEUE" });
  }

  async #purge(): Promise<Response> {
    const removed = this.#parts.jobs.purge();
    await Promise.all(removed.map((job) => job.untilEnded()));
    return reply(200, { removed: removed.length, status: "completed" });
  }

  /** As one worker; jobs that timed out are among the failed. */
  #health(): object {
    const { jobs, isReady, isAsleep } = this.#parts;
    const inProgress = jobs.count("IN_PROGRESS");
    const ready = isReady() ? 1 : 0;
    const running = inProgress > 0 ? 1 : 0;
    return {
      jobs: {
        completed: jobs.total("COMPLETED"),
        failed: jobs.total("FAILED") + jobs.total("TIMED_OUT"),
        inProgress,
        inQueue: jobs.count("IN_QUEUE"),
        retried: jobs.retried,
      },
      workers: {
        idle: ready - running,
        initializing: isAsleep?.() ? 0 : 1 - ready,
        ready,
        running,
        throttled: 0,
        unhealthy: 0,
      },
    };
  }
}

async function statusWhenEnded(job: LocalJob, { request, query }: Call): Promise<Response> {
  await job.untilEnded(waitMsOf(query.get("wait")), request.signal);
  return textReply(200, jobJson(job));
}

function wrongMethod(path: string, { method }: Request, methods: readonly string[]): Response | undefined {
  if (methods.includes(method)) return undefined;
  const Allow = methods.join(", ");
  return reply(405, { error: `${path} takes ${Allow}, got ${method}` }, { Allow });
}

function noOperation(path: string): ApiError {
  return new ApiError(
    404,
    `${path === "" ? "an endpoint itself answers nothing" : `an endpoint has no ${path.slice(0, 100)}`}; it has run, runsync, status/ID, status-sync/ID, stream/ID, cancel/ID, ` +
      "retry/ID, health, purge-queue and openai/v1/…",
  );
}

function reply(status: number, value: unknown, headers: Readonly<Record<string, string>> = {}): Response {
  return textReply(status, toWireJson(value), headers);
}
