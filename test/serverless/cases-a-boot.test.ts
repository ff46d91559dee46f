// Conformance cases A: URLs, environment and boot.
import { describe, expect, it } from "vitest";
import { serverless } from "../../src/index.js";
import { createPlatform } from "../../tools/platform-emulator/index.mjs";
import { finished, gate, startWorker, withWorker } from "./harness.js";

const echo = async (job: { input: unknown }) => job.input;
const job = { id: "job-1", input: { n: 1 } };

describe("URLs, environment and boot", () => {
  it("case 1: $ID is the worker where jobs are taken, the job where results go", async () => {
    await withWorker(echo, {}, async ({ platform }) => {
      await finished(platform, job);
      expect(platform.calls("job-take")[0]?.url).toMatch(/\/job-take\/w1\?/);
      expect(platform.calls("job-done")[0]?.url).toMatch(/\/job-done\/w1\/job-1\?/);
    });
  });

  it("case 2: $RUNPOD_POD_ID is the worker where jobs are taken, too", async () => {
    const platform = await createPlatform();
    const take = `${platform.url}/v2/ep/job-take/$RUNPOD_POD_ID?gpu=x`;
    const worker = startWorker(echo, platform.env({ RUNPOD_WEBHOOK_GET_JOB: take }));
    await finished(platform, job);
    expect(platform.calls("job-take")[0]?.url).toBe("/v2/ep/job-take/w1?gpu=x&job_in_progress=0");
    worker.signal("SIGTERM");
    await worker.ended;
    await platform.close();
  });

  it.each([
    ["", "/v2/ep/job-take/w1?job_in_progress=0"],
    ["1", "/v2/ep/job-take/w1&job_in_progress=0"],
  ])(
    "case 3: a URL without a query gets one, or Python's (RUNPOD_COMPAT_RAW_APPEND=%j)",
    async (raw, url) => {
      const platform = await createPlatform();
      const take = `${platform.url}/v2/ep/job-take/$ID`;
      const over = { RUNPOD_WEBHOOK_GET_JOB: take, RUNPOD_COMPAT_RAW_APPEND: raw };
      const worker = startWorker(echo, platform.env(over));
      await platform.until(() => platform.trace.some((call) => call.url.includes("/job-take/")));
      expect(platform.trace.find((call) => call.url.includes("/job-take/"))?.url).toBe(url);
      worker.signal("SIGTERM");
      await worker.ended;
      await platform.close();
    },
  );

  it("case 4: the template's own query stays as it is, byte for byte", async () => {
    async function* stream() {
      yield "a";
    }
    await withWorker(stream, {}, async ({ platform }) => {
      await finished(platform, job);
      for (const call of platform.calls("job-take", "job-stream", "job-done", "job-stop")) {
        expect(call.url).toContain("?gpu=NVIDIA+RTX+4090");
      }
    });
  });

  it("case 6: without a key polls have an empty Authorization, and nobody is pinged", async () => {
    await withWorker(
      echo,
      { platform: { apiKey: "" }, env: { RUNPOD_AI_API_KEY: undefined } },
      async ({ platform }) => {
        await finished(platform, job);
        expect(platform.calls("job-take")[0]?.headers.authorization).toBe("");
        expect(platform.calls("ping")).toEqual([]);
      },
    );
  });

  it("case 7: without a pod id the worker names itself, and nobody is pinged", async () => {
    await withWorker(echo, { env: { RUNPOD_POD_ID: undefined } }, async ({ platform }) => {
      await finished(platform, job);
      const url = platform.calls("job-take")[0]?.url ?? "";
      expect(url).toMatch(/\/job-take\/[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-/);
      expect(platform.calls("ping")).toEqual([]);
    });
  });

  it("case 8: without a ping URL it says so, and works", async () => {
    await withWorker(echo, { env: { RUNPOD_WEBHOOK_PING: undefined } }, async ({ platform, worker }) => {
      expect((await finished(platform, job)).done).toEqual([{ output: { n: 1 } }]);
      expect(worker.lines).toContain("ERROR  | Ping URL not set, cannot start ping.");
    });
  });

  it("case 9: without a stream URL a generator's job completes with the aggregate", async () => {
    async function* stream() {
      yield "a";
      yield "b";
    }
    const options = { handler: stream, returnAggregateStream: true };
    await withWorker(options, { env: { RUNPOD_WEBHOOK_POST_STREAM: undefined } }, async ({ platform }) => {
      const { done, stream: streamed } = await finished(platform, job);
      expect(done).toEqual([{ output: ["a", "b"] }]);
      expect(streamed).toEqual([]);
    });
  });

  it("case 10: a log level that is none is warned of, and INFO is used", async () => {
    await withWorker(echo, { env: { RUNPOD_LOG_LEVEL: "LOUD" } }, async ({ platform, worker }) => {
      await finished(platform, job);
      expect(worker.lines.join("\n")).toContain("RUNPOD_LOG_LEVEL must be one of NOTSET, TRACE, DEBUG");
      expect(worker.lines.some((line) => line.startsWith("INFO   | job-1 | Started."))).toBe(true);
    });
  });

  it("case 11: a ping interval below a second is kept, not rounded to a hot loop", async () => {
    await withWorker(echo, { platform: { pingIntervalMs: 150 } }, async ({ platform }) => {
      await platform.until(() => platform.calls("ping").length >= 5);
      const times = platform.calls("ping").map((call) => call.at);
      const gaps = times.slice(1).map((time, index) => time - (times[index] ?? 0));
      const mean = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length;
      expect(mean).toBeGreaterThan(120);
      expect(Math.min(...gaps)).toBeGreaterThan(50);
    });
  });

  it("case 12: the banner is the first line", async () => {
    await withWorker(echo, {}, async ({ platform, worker }) => {
      await finished(platform, job);
      expect(worker.lines[0]).toBe("--- Starting Serverless Worker |  Version 1.12.0 ---");
    });
  });

  it("case 13: what cannot be prepared is told once, and no job is taken", async () => {
    const prepare = async () => {
      throw new RangeError("the model does not fit");
    };
    await withWorker({ handler: echo, prepare }, {}, async ({ platform, worker }) => {
      platform.enqueue(job);
      expect(await worker.ended).toBe(1);
      const sick = platform.calls("ping").filter((call) => call.url.includes("status=unhealthy"));
      expect(sick).toHaveLength(1);
      expect(sick[0]?.parameters.query?.get("reason")).toBe("RangeError: the model does not fit");
      expect(platform.calls("job-take", "job-take-batch")).toEqual([]);
      expect(worker.lines.at(-1)).toBe("ERROR  | Worker is unhealthy, exiting.");
    });
  });

  it("case 14: pings may begin before the worker is warm, takes do not", async () => {
    const { open, opened } = gate();
    await withWorker({ handler: echo, prepare: () => opened }, {}, async ({ platform }) => {
      await platform.until(() => platform.calls("ping").length >= 2);
      expect(platform.calls("job-take")).toEqual([]);
      open();
      await finished(platform, job);
    });
  });

  it("Python's spellings are taken, unknown options are refused by name", async () => {
    expect(Object.keys(serverless)).toEqual(expect.arrayContaining(["start", "register_fitness_check"]));
    const wrong = serverless.start({ handler: echo, concurency: 3 } as never);
    await expect(wrong).rejects.toThrow('serverless.start(): unknown option "concurency"');
    await expect(serverless.start({ handler: 3 } as never)).rejects.toThrow("handler must be a function");
    const both = { handler: echo, refreshWorker: true, refresh_worker: true };
    await expect(serverless.start(both)).rejects.toThrow("are the same option; give one of them");
  });
});
