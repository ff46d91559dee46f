// A serverless endpoint of RunPod's API as a benchmark's target: a job is queued with /run, and its
// stream or its status is asked for again and again. What is seen of a token is when a poll brought
// it: times to the first token carry up to one interval, and of /status no token comes before the last.
import { setTimeout as sleep } from "node:timers/promises";
import { requestBody, statusSentence } from "./endpoint-request.js";
import type { Fixed, PolledApi } from "./endpoint-target.js";
import type { ExchangeEnd } from "./http-exchange.js";
import type { PromptSizer } from "./prompt-text.js";
import type { Ask, AskUsage, Ending, Outcome, Progress } from "./record.js";
import { AnswerStream, usageOf } from "./sse.js";
import type { Continuation, Score, Target } from "./target.js";

/** The fields of an answer that are read. */
interface JobFields {
  readonly id?: unknown;
  readonly status?: unknown;
  readonly error?: unknown;
  readonly output?: unknown;
  readonly stream?: unknown;
}

/** An answer, and when its last byte came. */
interface JobAnswer {
  readonly job: JobFields;
  readonly atMs: number;
}

const untold = { type: "none", reason: "jobs tell no log-probabilities of prompts" } as const;
const nothing = { usage: null, queueMs: null, engineFirstTokenMs: null, text: "" };
const notEnded: ReadonlySet<unknown> = new Set(["IN_QUEUE", "IN_PROGRESS"]);
const cancelMs = 10_000;

/** What cannot go on, as the request's outcome. */
class Stop extends Error {
  readonly outcome: Outcome;

  constructor(outcome: Outcome) {
    super("the job has ended");
    this.outcome = outcome;
  }
}

export class PolledTarget implements Target {
  readonly identity: Readonly<Record<string, unknown>>;
  readonly sizer: PromptSizer;
  readonly lookEveryMs = 60_000; // there is nothing to look at
  readonly power = null;
  readonly #fixed: Fixed;
  readonly #isStreamed: boolean;

  constructor(fixed: Fixed, api: PolledApi, sizer: PromptSizer) {
    this.#fixed = fixed;
    this.#isStreamed = api === "run-stream";
    this.sizer = sizer;
    const { url, model, ignoreEos, pollMs } = fixed;
    this.identity = { type: "endpoint", url: url.href, api, model, ignoreEos, pollMs };
  }

  async score(): Promise<Score> {
    return untold;
  }

  async continued(): Promise<Continuation> {
    return untold;
  }

  async run(ask: Ask, progress: Progress, signal: AbortSignal): Promise<Ending> {
    let id: string | null = null;
    try {
      id = await this.#submit(ask, progress, signal);
      return await (this.#isStreamed
        ? this.#stream(id, progress, signal)
        : this.#status(id, progress, signal));
    } catch (thrown) {
      if (!(thrown instanceof Stop)) throw thrown;
      if (id !== null && signal.aborted) void this.#cancel(id);
      return { ...nothing, outcome: thrown.outcome };
    }
  }

  /** The job form that carries a request of OpenAI's API, which text generation workers take. */
  async #submit(ask: Ask, progress: Progress, signal: AbortSignal): Promise<string> {
    const body = requestBody(ask, { ...this.#fixed, api: "chat", stream: this.#isStreamed });
    const input = { openai_route: "/v1/chat/completions", openai_input: body };
    const sending = (atMs: number) => progress.sending?.(atMs);
    const { job } = await this.#ask("POST", "run", signal, { body: JSON.stringify({ input }), sending });
    if (typeof job.id === "string") return job.id;
    throw failed("no-job", "the answer to /run has no job's id");
  }

  async #stream(id: string, progress: Progress, signal: AbortSignal): Promise<Ending> {
    const answer = new AnswerStream(progress);
    const encoder = new TextEncoder();
    for (;;) {
      const { job, atMs } = await this.#ask("GET", `stream/${id}`, signal);
      const items = Array.isArray(job.stream) ? (job.stream as readonly { output?: unknown }[]) : [];
      for (const { output } of items) answer.feed(encoder.encode(eventsOf(output)), atMs);
      // A stream may have ended with items that were not yet told.
      if (
        !notEnded.has(job.status) &&
        (job.status !== "COMPLETED" || items.length === 0 || answer.end().isDone)
      ) {
        throwUnlessCompleted(job);
        break;
      }
      await this.#pause(signal);
    }
    const { text, usage, finishReason, isComplete, problem } = answer.end();
    const rest = { ...nothing, usage, text };
    if (problem !== null) return { ...rest, outcome: failed("stream-error", problem).outcome };
    if (!isComplete) return { ...rest, outcome: failed("cut-short", cutShort).outcome };
    return { ...rest, outcome: { type: "finished", finishReason: finishReason ?? "unknown" } };
  }

  async #status(id: string, progress: Progress, signal: AbortSignal): Promise<Ending> {
    for (;;) {
      const { job, atMs } = await this.#ask("GET", `status/${id}`, signal);
      if (!notEnded.has(job.status)) {
        throwUnlessCompleted(job);
        const said = completionOf(job.output);
        if (said === null) throw failed("cut-short", "the job's output is no answer of OpenAI's API");
        progress.arrived(atMs, said.usage?.completionTokens ?? null);
        const { text, usage, finishReason } = said;
        return { ...nothing, text, usage, outcome: { type: "finished", finishReason } };
      }
      await this.#pause(signal);
    }
  }

  async #pause(signal: AbortSignal): Promise<void> {
    await sleep(this.#fixed.pollMs, undefined, { signal }).catch(() => {
      throw new Stop({ type: "cancelled" });
    });
  }

  async #ask(
    method: "GET" | "POST",
    path: string,
    signal: AbortSignal,
    sent: { readonly body?: string; readonly sending?: (atMs: number) => void } = {},
  ): Promise<JobAnswer> {
    const { connections, url, headers } = this.#fixed;
    const pieces: Uint8Array[] = [];
    const target = new URL(`${url.href.replace(/\/$/, "")}/${path}`);
    const { sending, ...body } = sent;
    const end = await connections.exchange(
      { method, url: target, headers, signal, ...body },
      { bytes: (bytes) => void pieces.push(bytes), ...(sending && { sending }) },
    );
    const atMs = performance.now();
    return { job: jobOf(end, Buffer.concat(pieces).toString("utf8")), atMs };
  }

  /** A job that nobody waits for is not to be computed to its end. */
  async #cancel(id: string): Promise<void> {
    const signal = AbortSignal.timeout(cancelMs);
    await this.#ask("POST", `cancel/${id}`, signal).catch(() => {}); // it may have ended
  }

  async counters(): Promise<null> {
    return null;
  }

  async kvUse(): Promise<null> {
    return null;
  }

  async physics(): Promise<null> {
    return null;
  }

  async close(): Promise<void> {
    this.#fixed.connections.close();
  }
}

const cutShort = "the stream ended before the answer did";

function failed(
  errorClass: string,
  sentence: string,
): Stop & { readonly outcome: Outcome & { type: "failed" } } {
  return new Stop({ type: "failed", errorClass, sentence }) as ReturnType<typeof failed>;
}

function jobOf(end: ExchangeEnd, text: string): JobFields {
  if (end.type !== "answered") throw new Stop(end);
  if (end.status !== 200) throw failed(`http-${end.status}`, statusSentence(end.status, end.body));
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null) return value;
  } catch {} // told below
  throw failed("cut-short", "the answer is no JSON object");
}

function throwUnlessCompleted({ status, error }: JobFields): void {
  if (status === "COMPLETED") return;
  const said = typeof error === "string" ? error : JSON.stringify(error ?? "without a reason");
  throw failed(`job-${String(status).toLowerCase()}`, said.slice(0, 300));
}

/** Items are text of server-sent events, or what such events hold. */
function eventsOf(output: unknown): string {
  if (typeof output === "string") return output;
  const events = Array.isArray(output) ? output : [output];
  return events
    .map((event) => (typeof event === "string" ? event : `data: ${JSON.stringify(event)}\n\n`))
    .join("");
}

interface Completion {
  readonly text: string;
  readonly usage: AskUsage | null;
  readonly finishReason: string;
}

/** Workers tell a list of one object, or the object. */
function completionOf(output: unknown): Completion | null {
  const said = (Array.isArray(output) ? output[0] : output) as
    | {
        readonly choices?: readonly {
          readonly message?: { readonly content?: string | null };
          readonly finish_reason?: string;
        }[];
        readonly usage?: Parameters<typeof usageOf>[0] | null;
      }
    | null
    | undefined;
  const choice = said?.choices?.[0];
  if (choice === undefined) return null;
  const usage = said?.usage ? usageOf(said.usage) : null;
  return { text: choice.message?.content ?? "", usage, finishReason: choice.finish_reason ?? "unknown" };
}
