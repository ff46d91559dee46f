// A job in the shape of the public API, as JSON text. What a handler gave is put in as the text
// that it became when it was given: parsed and written again, a value that is nested as deeply as
// JSON can be would not fit one level deeper, and the job could not be asked for.
import type { LocalJob } from "./local-job.js";
import { toWireJson } from "./wire-json.js";

type Fields = Readonly<Record<string, unknown>>;

/** JSON that is written already, in place of a value that is to become JSON. */
export class JsonText {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** @throws for a value that has no JSON, or is nested too deeply */
export function jsonOf(value: unknown): string {
  return value instanceof JsonText ? value.text : toWireJson(value);
}

/** What /status says: {id, status, output?, error?, workerId?, retries?, delayTime?, executionTime?}. */
export function jobJson(job: LocalJob): string {
  const started = job.startedMs;
  const fields = {
    id: job.job.id,
    status: job.status,
    ...(job.workerId !== undefined && { workerId: job.workerId }),
    ...retriesOf(job),
    ...(started !== undefined && { delayTime: Math.round(started - job.createdMs) }),
    ...(started !== undefined &&
      job.endedMs !== undefined && { executionTime: Math.round(job.endedMs - started) }),
  };
  return merged(fields, job.resultJson ?? progressOf(job));
}

/** What /stream says. @param items JSON texts */
export function streamJson(job: LocalJob, items: readonly string[], more: Fields = {}): string {
  const { error } = job.result ?? {};
  const { status } = job;
  const fields = {
    id: job.job.id,
    status,
    ...retriesOf(job),
    ...(error !== undefined && { error }),
    ...more,
  };
  return merged(fields, `{"stream":[${items.map((json) => `{"output":${json}}`).join(",")}]}`);
}

function retriesOf({ retries }: LocalJob): Fields {
  return retries === 0 ? {} : { retries };
}

function progressOf(job: LocalJob): string {
  const json = job.outlet.progressJson;
  return json === undefined || job.ended ? "{}" : `{"output":${json}}`;
}

/** One object of the fields of both. @param json an object */
function merged(fields: Fields, json: string): string {
  const first = toWireJson(fields);
  return json === "{}" ? first : `${first.slice(0, -1)},${json.slice(1)}`;
}
