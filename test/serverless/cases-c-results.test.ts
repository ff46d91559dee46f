// Conformance cases C: what a handler returns or throws, as the platform gets it.
import { describe, expect, it } from "vitest";
import { type Call, createPlatform } from "../../tools/platform-emulator/index.mjs";
import { finished, gate, startWorker, withWorker } from "./harness.js";

/** The bodies of job-done for a handler that gives these, in turn. */
async function bodies(values: readonly unknown[], options = {}): Promise<string[]> {
  let texts: string[] = [];
  const handler = async (job: { input: unknown }) => {
    const value = values[Number(job.input)];
    if (typeof value === "function") return value();
    return value;
  };
  await withWorker({ handler, ...options }, {}, async ({ platform }) => {
    for (const index of values.keys()) await finished(platform, { id: `j${index}`, input: index });
    texts = platform.calls("job-done").map((call) => call.body);
    expect(platform.violations).toEqual([]);
  });
  return texts;
}

const parsed = async (values: readonly unknown[], options = {}) =>
  (await bodies(values, options)).map((text) => JSON.parse(text) as Record<string, unknown>);

const throwing = (thrown: unknown) => () => {
  throw thrown;
};

describe("results", () => {
  it("case 35: any JSON is the output", async () => {
    const values = [null, false, 0, "", [], 1.5, "text", { a: [{ b: null }] }];
    expect(await parsed(values)).toEqual(values.map((output) => ({ output })));
  });

  it("case 36: an empty object is an empty body", async () => {
    expect(await bodies([{}])).toEqual(["{}"]);
  });

  it("case 37: an error beside other fields fails the job and keeps them", async () => {
    expect(await parsed([{ error: "x", extra: 1 }, { error: "x" }])).toEqual([
      { output: { extra: 1 }, error: "x" },
      { error: "x" },
    ]);
  });

  it("case 38: an error that is an object becomes a string", async () => {
    const [body] = await parsed([{ error: { code: 7, why: "ü" } }]);
    expect(JSON.parse(String(body?.error))).toEqual({ code: 7, why: "ü" });
  });

  it("case 39: an empty error is none", async () => {
    expect(await parsed([{ error: "", a: 1 }, { error: null }])).toEqual([{ output: { a: 1 } }, {}]);
  });

  it("case 40: what is thrown is a JSON string of six keys", async () => {
    class ShapeError extends Error {}
    const thrown = [new ShapeError("boom"), "text", null, undefined, { a: 1 }];
    const errors = (await parsed(thrown.map(throwing))).map((body) => JSON.parse(String(body.error)));
    for (const error of errors) {
      expect(Object.keys(error)).toEqual([
        "error_type",
        "error_message",
        "error_traceback",
        "hostname",
        "worker_id",
        "runpod_version",
      ]);
      expect(error).toMatchObject({ hostname: "unknown", worker_id: "w1", runpod_version: "1.12.0" });
    }
    expect(errors[0]).toMatchObject({ error_type: "<class 'ShapeError'>", error_message: "boom" });
    expect(errors[0].error_traceback).toContain("cases-c-results");
    expect(errors[1]).toMatchObject({ error_message: "text" });
  });

  it("case 41: what JSON cannot say is said as well as it can", async () => {
    const circular: Record<string, unknown> = {};
    circular.self = circular;
    const day = new Date("2026-01-02T03:04:05Z");
    const values = [
      undefined,
      Number.NaN,
      Infinity,
      5n,
      2n ** 70n,
      day,
      Buffer.from("hi"),
      new Uint8Array([1, 2]),
      circular,
    ];
    const results = await parsed(values);
    expect(results.slice(0, 8)).toEqual(
      [null, null, null, 5, "1180591620717411303424", "2026-01-02T03:04:05.000Z", "aGk=", "AQI="].map(
        (output) => ({ output }),
      ),
    );
    expect(results[8]?.error).toMatch(/JSON/);
  });

  it("case 42: any text is valid UTF-8, its length counted in bytes", async () => {
    const texts = ["😀 grün", "lone \ud83d surrogate", "nul \0", "line \u2028 separator"];
    let calls: readonly Call[] = [];
    await withWorker(
      async (job) => texts[Number(job.input)],
      {},
      async ({ platform }) => {
        for (const index of texts.keys()) await finished(platform, { id: `t${index}`, input: index });
        calls = platform.calls("job-done");
      },
    );
    const outputs = calls.map((call) => JSON.parse(call.body).output);
    expect(outputs).toEqual([texts[0], "lone \ufffd surrogate", texts[2], texts[3]]);
    for (const call of calls)
      expect(Number(call.headers["content-length"])).toBe(Buffer.byteLength(call.body));
  });

  it("case 43: a result of 25 MB becomes an error and a tip", async () => {
    await withWorker(
      async () => "x".repeat(25e6),
      {},
      async ({ platform, worker }) => {
        const { done } = await finished(platform, { id: "big", input: 1 });
        expect(done[0]?.error).toMatch(/^Output of 25\.0 MB exceeds the RunPod limit/);
        expect(worker.lines.some((line) => line.startsWith("TIP"))).toBe(true);
      },
    );
  });

  it("case 44: an object with an output is not unwrapped", async () => {
    expect(await parsed([{ output: 3 }])).toEqual([{ output: { output: 3 } }]);
  });

  it("case 45: refresh_worker in a result stops the pod, not the process", async () => {
    const flags = [{ refresh_worker: true, a: 1 }, { refreshWorker: true }, { b: 2 }];
    expect(await parsed(flags)).toEqual([
      { output: { a: 1 }, stopPod: true },
      { stopPod: true },
      { output: { b: 2 } },
    ]);
  });

  it("case 46: refreshWorker leaves after the job, and says so in every result", async () => {
    const { open, opened } = gate();
    const handler = async (job: { id: string }) => {
      await opened;
      if (job.id === "bad") throw new Error("no");
      return 1;
    };
    const options = { handler, refresh_worker: true, concurrency_modifier: () => 2 };
    await withWorker(options, {}, async ({ platform, worker }) => {
      platform.enqueue({ id: "good", input: 1 });
      platform.enqueue({ id: "bad", input: 1 });
      await platform.until(
        () => platform.job("bad").status === "IN_PROGRESS" && platform.job("good").status === "IN_PROGRESS",
      );
      open();
      expect(await worker.ended).toBe(0);
      platform.enqueue({ id: "late", input: 1 });
      for (const id of ["good", "bad"]) expect(platform.job(id).done[0]?.stopPod).toBe(true);
      expect(platform.job("late").status).toBe("IN_QUEUE");
    });
  });

  it("case 47: a handler that ends the process answers for its jobs first", async () => {
    const { opened } = gate();
    await withWorker(
      () => opened,
      {},
      async ({ platform, worker }) => {
        platform.enqueue({ id: "x", input: 1 });
        await platform.until(() => platform.job("x").status === "IN_PROGRESS");
        await platform.until(() => worker.lines.join("\n").includes("Started."));
        expect(worker.callExit(3)).toBe(true);
        expect(await worker.ended).toBe(3);
        expect(platform.job("x").done[0]?.error).toContain("process.exit(3)");
      },
    );
  });

  it("case 48: an exception that nobody caught fails the jobs and ends the worker with 1", async () => {
    const { opened } = gate();
    await withWorker(
      () => opened,
      {},
      async ({ platform, worker }) => {
        platform.enqueue({ id: "x", input: 1 });
        await platform.until(() => worker.lines.join("\n").includes("Started."));
        worker.breakDown(new TypeError("somewhere else"));
        expect(await worker.ended).toBe(1);
        expect(platform.job("x").done[0]?.error).toContain("TypeError: somewhere else");
      },
    );
  });

  it("case 49: headers of a result, and its own X-Request-ID on a retry too", async () => {
    const platform = await createPlatform();
    platform.script("job-done", [{ status: 500 }]);
    const options = { handler: async (job: { id: string }) => job.id, concurrencyModifier: () => 2 };
    const worker = startWorker(options, platform.env());
    const ids = [platform.enqueue({ id: "one", input: 1 }), platform.enqueue({ id: "two", input: 1 })];
    await platform.until(() => ids.every((id) => platform.job(id).done.length > 0));
    for (const call of platform.calls("job-done")) {
      expect(call.headers).toMatchObject({
        authorization: "secret-key",
        "content-type": "application/x-www-form-urlencoded",
        charset: "utf-8",
        "x-request-id": call.parameters.jobId,
      });
      expect(call.headers["transfer-encoding"]).toBeUndefined();
    }
    expect(platform.calls("job-done")).toHaveLength(3);
    worker.signal("SIGTERM");
    await worker.ended;
    await platform.close();
  });

  it("case 50: isStream is true for the last word of a generator only", async () => {
    const handler = (job: { input: unknown }) => (job.input === "stream" ? stream() : Promise.resolve(1));
    async function* stream() {
      yield 1;
    }
    await withWorker(handler, {}, async ({ platform }) => {
      await finished(platform, { id: "plain", input: "plain" });
      await finished(platform, { id: "stream", input: "stream" });
      const flags = platform.calls("job-done").map((call) => call.parameters.query?.get("isStream"));
      expect(flags).toEqual(["false", "true"]);
    });
  });
});
