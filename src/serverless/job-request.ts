// What a caller of the public API asks for: a job's input, whom to tell of its end, and how
// long it may take. Judged before it is queued, so that a slip is told to the caller and not
// to a log.
import { z } from "zod";
import { flag, integer, judge, refuseWhole } from "../engine/judge.js";
import { InferenceError } from "../errors.js";
import type { Job } from "./contract.js";
import type { JobTimes } from "./local-job.js";
import { namesPrivate } from "./webhook-post.js";

/** RunPod's ranges and defaults, in milliseconds. */
const day = 24 * 60 * 60 * 1000;
const longestMs = 7 * day;
const leastExecutionMs = 5000;
const usualExecutionMs = 600_000;
const leastTtlMs = 10_000;

/** A job without its id, and its times but for how long its result is kept. */
export interface JobRequest {
  readonly fields: Omit<Job, "id">;
  readonly times: Omit<JobTimes, "keptMs">;
}

const expected = 'a JSON object such as {"input": {}}';

const policy = z.strictObject(
  {
    executionTimeout: integer(leastExecutionMs, longestMs, " milliseconds").nullish(),
    // There is one worker, and nothing to scale.
    lowPriority: flag().nullish(),
    ttl: integer(leastTtlMs, longestMs, " milliseconds").nullish(),
  },
  "an object of executionTimeout, ttl and lowPriority",
);

const schema = z.looseObject({
  input: z.custom<unknown>((value) => value !== undefined, "given, any JSON value"),
  webhook: z
    .custom<string | null | undefined>(isWebhook, "an http or https URL")
    .superRefine((value, context) => {
      if (value && hasCredentials(value)) refuseWhole(context, problemOfCredentials);
    })
    .optional(),
  s3Config: z.record(z.string(), z.unknown(), "an object").nullish(),
  policy: policy.nullish(),
  webhookV2: z
    .unknown()
    .superRefine((value, context) => {
      if (value !== undefined) refuseWhole(context, "is not supported; use webhook");
    })
    .optional(),
});

/**
 * Judges the body of /run or /runsync; fields that nobody defines are left out.
 * @param allowsPrivate whether a webhook may be on this machine or in its network
 * @throws InferenceError INVALID_OPTION
 */
export function judgeJobRequest(body: unknown, allowsPrivate: boolean): JobRequest {
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    const got = body === undefined ? "an empty one" : JSON.stringify(body).slice(0, 100);
    throw new InferenceError("INVALID_OPTION", `the body must be ${expected}, got ${got}`);
  }
  const { input, webhook, s3Config, policy: times } = judge("job", schema, body);
  if (webhook && !allowsPrivate && namesPrivate(new URL(webhook).hostname)) {
    throw new InferenceError(
      "INVALID_OPTION",
      `webhook must be a public address, got ${webhook}; start the server with --allow-private-webhooks`,
    );
  }
  return {
    fields: fieldsOf({ input, webhook, s3Config }),
    times: { executionMs: times?.executionTimeout ?? usualExecutionMs, ttlMs: times?.ttl ?? day },
  };
}

/** Of a body that was judged before. @param text JSON */
export function fieldsOfRequest(text: string): Omit<Job, "id"> {
  return fieldsOf(JSON.parse(text) as Readonly<Record<string, unknown>>);
}

function fieldsOf({ input, webhook, s3Config }: Readonly<Record<string, unknown>>): Omit<Job, "id"> {
  return { input, ...(webhook ? { webhook } : {}), ...(s3Config ? { s3Config } : {}) };
}

/** As RunPod's, an empty one is none. */
function isWebhook(value: unknown): boolean {
  if (value === undefined || value === null || value === "") return true;
  return typeof value === "string" && /^https?:/i.test(value) && URL.canParse(value);
}

/** Of a webhook whose URL has some: they would stand in logs and answers. */
export const problemOfCredentials =
  "must be a URL without user name and password; put a token into its path or its query";

/** Whether a URL carries a user name or a password. */
export function hasCredentials(url: string): boolean {
  const { username, password } = new URL(url);
  return username !== "" || password !== "";
}

/** How long results are kept, and callers may wait: RunPod's, in milliseconds. */
const keptOfRunMs = 30 * 60 * 1000;
const keptOfRunsyncMs = 60_000;
const leastWaitMs = 1000;
const mostWaitMs = 300_000;
const usualWaitMs = 90_000;

/** Milliseconds that a result is kept. @param waitMs of /runsync; undefined: of /run */
export function keptMsOf(waitMs: number | undefined): number {
  return waitMs === undefined ? keptOfRunMs : Math.max(keptOfRunsyncMs, waitMs);
}

/** Of a job whose caller says nothing of its times, and waits for it. */
export const usualTimes: JobTimes = { executionMs: usualExecutionMs, ttlMs: day, keptMs: keptOfRunsyncMs };

/** The wait of /runsync and /status-sync, within the range. @throws InferenceError for what is no number */
export function waitMsOf(text: string | null): number {
  if (text === null || text.trim() === "") return usualWaitMs;
  return Math.max(leastWaitMs, Math.min(mostWaitMs, milliseconds("wait", text)));
}

/** The ttl of /status; undefined where there is none. @throws InferenceError for what is no time */
export function ttlMsOf(text: string | null): number | undefined {
  if (text === null || text.trim() === "") return undefined;
  return Math.min(longestMs, milliseconds("ttl", text));
}

function milliseconds(name: string, text: string): number {
  const value = Number(text);
  if (Number.isFinite(value) && value >= 0) return value;
  throw new InferenceError(
    "INVALID_OPTION",
    `${name} must be a number of milliseconds, got ${JSON.stringify(text)}`,
  );
}
