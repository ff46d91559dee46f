// Between a job of this process and the same job in a store: a store knows times of day, a
// process the time since its start. Both are of one clock, so that what passed between two is exact.
import { fieldsOfRequest } from "./job-request.js";
import type { AcceptedJob, JobEnding, StoredJob } from "./job-store.js";
import { LocalJob, type LocalStatus } from "./local-job.js";
import { toWireJson } from "./wire-json.js";

/** @param ms by performance.now() @returns milliseconds since 1970 */
function timeOfDay(ms: number): number {
  return performance.timeOrigin + ms;
}

function sinceStart(timeOfDayMs: number): number {
  return timeOfDayMs - performance.timeOrigin;
}

/** Of a job that has times. @param request its body as JSON text */
export function acceptedJob(job: LocalJob, request: string): AcceptedJob {
  const { bytes, times } = job;
  if (times === undefined) throw new Error(`job ${job.job.id} has no times`);
  const createdAt = timeOfDay(job.createdMs);
  return { id: job.job.id, request, bytes, times, createdAt, ttlAt: timeOfDay(job.deletedMs()) };
}

/** @param endedMs by performance.now() @param reason why it has no result of its own */
export function jobEnding(
  job: LocalJob,
  status: LocalStatus,
  endedMs: number,
  reason: string | undefined,
): JobEnding {
  const { webhook } = job.job;
  return {
    status,
    startedAt: job.startedMs === undefined ? undefined : timeOfDay(job.startedMs),
    endedAt: timeOfDay(endedMs),
    deleteAt: timeOfDay(job.deletedMs(endedMs)),
    result: reason === undefined ? job.resultJson : toWireJson({ error: reason }),
    items: job.outlet.posted,
    given: job.given,
    isStream: job.outlet.isStream,
    keepsRequest: status === "FAILED" || status === "TIMED_OUT",
    owesWebhook: typeof webhook === "string" && webhook !== "",
  };
}

/** The job as it stands in the store: it waits, or has ended. */
export function restoredJob(stored: StoredJob): LocalJob {
  const { id, request, webhook, bytes, times, endedAt, startedAt } = stored;
  const fields =
    request === undefined ? { input: null, ...(webhook && { webhook }) } : fieldsOfRequest(request);
  const job = new LocalJob({ ...fields, id, input: fields.input }, bytes, times, {
    retries: stored.retries,
    deaths: stored.deaths,
    createdMs: sinceStart(stored.createdAt),
    deletedMs: sinceStart(stored.ttlAt),
    keptMs: times.keptMs,
  });
  job.isStored = true;
  if (endedAt === undefined) return job;
  job.isEnding = true;
  job.workerId = stored.workerId;
  job.given = stored.given;
  if (startedAt !== undefined) job.startedMs = sinceStart(startedAt);
  job.outlet.restore(stored.result, stored.items, stored.isStream);
  job.end(stored.status, undefined, sinceStart(endedAt));
  return job;
}
