// A reader of /openai sees nothing of a job but the events it streams. A failed stream
// must tell so there: an event with OpenAI's error object, then [DONE].
import { describe, expect, it } from "vitest";
import { LocalApi } from "../../src/serverless/local-api.js";
import { LocalJobs } from "../../src/serverless/local-jobs.js";
import { openaiCall } from "../../src/serverless/local-openai.js";
import { Logger } from "../../src/serverless/logger.js";
import { configOf, judged, withWorker } from "./harness.js";

const event = (value: unknown) => `data: ${JSON.stringify(value)}\n\n`;
const done = "data: [DONE]\n\n";
const serverError = (message: string) => ({ message, type: "server_error", param: null, code: null });
const refusal = { message: "no such model", type: "not_found_error", param: "model", code: null };

type Handler = () => unknown;

/** The bytes of a streamed call through the platform, and how its job ended. */
async function streamed(handler: Handler, leaves = false) {
  let told = { text: "", status: "" };
  let id = "";
  const noting = (job: { id: string }) => {
    id = job.id;
    return handler();
  };
  await withWorker(noting, {}, async ({ platform, worker }) => {
    const response = await fetch(`${platform.url}/v2/ep/openai/v1/chat/completions`, {
      method: "POST",
      headers: { Authorization: "Bearer secret-key" },
      body: JSON.stringify({ stream: true, messages: [] }),
    });
    if (leaves) {
      await platform.until(() => platform.job(id).stream.length > 0);
      worker.signal("SIGTERM");
      worker.signal("SIGTERM");
    }
    const text = await response.text();
    told = { text, status: platform.job(id).status };
  });
  return told;
}

describe("a streamed call of /openai that fails", () => {
  it.each<[string, Handler, string]>([
    [
      "before its first event, by throwing",
      () => {
        throw new Error("no room");
      },
      event({ error: serverError("no room") }),
    ],
    [
      "before its first event, with OpenAI's error",
      () => ({ error: JSON.stringify(refusal) }),
      event({ error: refusal }),
    ],
    [
      "after an event",
      async function* () {
        yield event({ a: 1 });
        throw new Error("half way", { cause: new Error("a reset") });
      },
      event({ a: 1 }) + event({ error: serverError("half way: a reset") }),
    ],
    [
      "by an item that is an error",
      async function* () {
        yield event({ a: 1 });
        yield { error: JSON.stringify(refusal) };
      },
      event({ a: 1 }) + event({ error: refusal }),
    ],
    [
      "by an item that has no JSON",
      async function* () {
        yield event({ a: 1 });
        yield { late: Promise.resolve() };
      },
      event({ a: 1 }) +
        event({ error: serverError("late is a promise of class Promise, which has no JSON; await it") }),
    ],
    [
      "within an event",
      async function* () {
        yield 'data: {"a"';
        throw new Error("torn");
      },
      `data: {"a"\n\n${event({ error: serverError("torn") })}`,
    ],
  ])("%s, ends with an error and [DONE]", async (_name, handler, text) => {
    const told = await streamed(handler);
    expect(told).toMatchObject({ status: "FAILED", text: text + done });
  });

  it("because the worker leaves, says so", async () => {
    async function* endless() {
      yield event({ a: 1 });
      await new Promise(() => {});
    }
    const { text } = await streamed(endless, true);
    expect(text).toBe(event({ a: 1 }) + event({ error: serverError("worker shutting down") }) + done);
  });

  it("because the worker leaves before it runs, says so", async () => {
    const handler = (job: { input: { openai_input?: object } }) =>
      job.input.openai_input === undefined ? new Promise(() => {}) : "never";
    let limit = 2;
    const options = { handler, concurrencyModifier: () => limit };
    await withWorker(options, {}, async ({ platform, worker }) => {
      platform.enqueue({ id: "running", input: {} });
      await platform.until(() => worker.lines.join("\n").includes("Started."));
      limit = 1; // the next job is taken with what was free, and waits
      platform.enqueue({ id: "waiting", input: { openai_input: { stream: true } } });
      await platform.until(() => platform.job("waiting").takes > 0);
      worker.signal("SIGTERM");
      worker.signal("SIGTERM");
      await worker.ended;
      const { stream, done: results } = platform.job("waiting");
      expect(results[0]?.error).toBe("worker shutting down");
      expect(stream.join("")).toBe(event({ error: serverError("worker shutting down") }) + done);
    });
  });

  it("after its own [DONE] tells nothing more, and neither does a stream of objects", async () => {
    async function* late() {
      yield event({ a: 1 }) + done;
      throw new Error("too late to matter");
    }
    expect(await streamed(late)).toMatchObject({ status: "FAILED", text: event({ a: 1 }) + done });
    async function* objects() {
      yield [{ a: 1 }];
      throw new Error("no reader of events");
    }
    await withWorker(objects, {}, async ({ platform }) => {
      const id = platform.enqueue({
        input: { openai_route: "/v1/completions", openai_input: { stream: true } },
      });
      await platform.until(() => platform.job(id).done.length > 0);
      expect(platform.job(id).stream).toEqual([[{ a: 1 }]]);
    });
  });

  it("is an item of /stream where events were streamed, and none where they were not", async () => {
    async function* events() {
      yield event({ a: 1 });
      throw new Error("half way");
    }
    async function* plain() {
      yield "text";
      throw new Error("half way");
    }
    const handler = (job: { input: unknown }) => (job.input === "events" ? events() : plain());
    await withWorker(handler, {}, async ({ platform }) => {
      for (const id of ["events", "plain"]) platform.enqueue({ id, input: id });
      await platform.until(() => ["events", "plain"].every((id) => platform.job(id).done.length > 0));
      expect(platform.job("events").stream.join("")).toBe(
        event({ a: 1 }) + event({ error: serverError("half way") }) + done,
      );
      expect(platform.job("plain").stream).toEqual(["text"]);
      expect(platform.violations).toEqual([]);
    });
  });
});

describe("the local /openai", () => {
  const jobsOf = (handler: Handler) =>
    new LocalJobs({
      options: judged({ handler }),
      config: configOf({}),
      logger: new Logger(() => {}, "NOTSET", false),
      limit: async () => 1,
      onEnd: () => {},
    });

  async function called(handler: Handler, stream: unknown = true) {
    const answer = await new LocalApi(jobsOf(handler), undefined).answer({
      method: "POST",
      url: "/openai/v1/chat/completions",
      headers: {},
      body: JSON.stringify({ stream }),
    });
    if (!("events" in answer)) return answer;
    let text = "";
    for await (const each of answer.events) text += each;
    return { status: answer.status, text };
  }

  it("refuses with the error's status before the first event", async () => {
    const thrown = called(() => {
      throw new TypeError("no room");
    });
    expect(await thrown).toEqual({ status: 500, body: { error: serverError("no room") } });
    const refused = await called(() => ({ error: JSON.stringify(refusal) }));
    expect(refused).toEqual({ status: 404, body: { error: refusal } });
    const full = { ...refusal, type: "Busy", code: 503 };
    expect(await called(() => ({ error: JSON.stringify(full) }))).toMatchObject({ status: 503 });
  });

  it("sends an item that is no text as an event", async () => {
    const mixed = called(async function* () {
      yield event({ a: 1 });
      yield { b: 2 };
      yield done;
    });
    expect(await mixed).toEqual({ status: 200, text: event({ a: 1 }) + event({ b: 2 }) + done });
  });

  it("ends a broken stream with an error and [DONE]", async () => {
    const broken = called(async function* () {
      yield event({ a: 1 });
      throw new Error("half way");
    });
    const text = event({ a: 1 }) + event({ error: serverError("half way") }) + done;
    expect(await broken).toEqual({ status: 200, text });
  });

  describe("tells its reader of an end from outside", () => {
    const times = { executionMs: 600_000, ttlMs: 600_000, keptMs: 600_000 };

    /** What a stream's reader has of an event and then an end that the job did not make. */
    async function endedBy(end: (jobs: LocalJobs) => void, items: readonly unknown[], executionMs?: number) {
      const jobs = jobsOf(async function* () {
        yield* items;
        await new Promise(() => {});
      });
      const request = { method: "POST", url: "", headers: {}, body: '{"stream":true}' };
      const job = { id: "j", times: { ...times, ...(executionMs !== undefined && { executionMs }) } };
      const answer = await openaiCall(jobs, "/v1/completions", request, job);
      if (!("events" in answer)) return JSON.stringify(answer.body);
      let text = "";
      for await (const each of answer.events) {
        if (text === "") end(jobs);
        text += each;
      }
      return text;
    }
    const cancel = (jobs: LocalJobs) => {
      const job = jobs.find("j");
      if (job !== undefined) jobs.cancel(job);
    };
    const remove = (jobs: LocalJobs) => {
      const job = jobs.find("j");
      if (job !== undefined) jobs.keepFor(job, 0);
    };
    const first = event({ a: 1 });
    const told = (message: string) => event({ error: serverError(message) }) + done;

    it("that is its time limit", async () => {
      const text = first + told("the job ran for longer than its executionTimeout of 50 ms");
      expect(await endedBy(() => {}, [first], 50)).toBe(text);
    });

    it.each([
      ["cancelled", cancel],
      ["deleted", remove],
    ])("that it was %s", async (_how, end) => {
      expect(await endedBy(end, [first])).toBe(first + told("the job was cancelled"));
      expect(await endedBy(end, [{ a: 1 }])).toBe(first + told("the job was cancelled"));
      expect(await endedBy(end, ["data: {"])).toBe(`data: {\n\n${told("the job was cancelled")}`);
    });

    it("but not where the stream is whole", async () => {
      expect(await endedBy(cancel, [first + done])).toBe(first + done);
    });
  });

  it.each([true, "true", 1, "yes"])("streams where stream is %j, as vLLM reads it", async (stream) => {
    async function* events() {
      yield event({ a: 1 });
      yield event({ a: 2 }) + done;
    }
    const text = event({ a: 1 }) + event({ a: 2 }) + done;
    expect(await called(events, stream)).toEqual({ status: 200, text });
  });
});
