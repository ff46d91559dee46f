// RunPod's public API over a handler of one's own: each operation, its limits and what it refuses.
import { describe, expect, it } from "vitest";
import type { StartOptions } from "../../src/serverless/contract.js";
import { call, json } from "../http/scene.js";
import { gate } from "../serverless/harness.js";
import { obedient, withHandler, withHook } from "./scene.js";

const uuid = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/;

describe("a job of /run", () => {
  it("is queued at once, shows its progress, and ends with its output and times", async () => {
    await withHandler(obedient, async ({ send, until }) => {
      const first = await send("POST", "run", { input: { hangs: true, progress: { step: 1 } } });
      expect(first).toMatchObject({
        status: 200,
        json: { id: expect.stringMatching(uuid), status: "IN_QUEUE" },
      });
      expect(Object.keys(first.json)).toEqual(["id", "status"]);
      const running = await until(first.json.id, "IN_PROGRESS");
      expect(running.json).toEqual({
        id: first.json.id,
        status: "IN_PROGRESS",
        output: { step: 1 },
        workerId: expect.any(String),
        delayTime: expect.any(Number),
      });
      const second = await send("POST", "run", { input: { echo: { a: 1 } } });
      expect((await send("GET", `status/${second.json.id}`)).json).toEqual({
        id: second.json.id,
        status: "IN_QUEUE",
      });
      expect((await send("GET", "health")).json).toEqual({
        jobs: { completed: 0, failed: 0, inProgress: 1, inQueue: 1, retried: 0 },
        workers: { idle: 0, initializing: 0, ready: 1, running: 1, throttled: 0, unhealthy: 0 },
      });
      const stopped = await send("POST", `cancel/${first.json.id}`);
      expect(stopped.json).toEqual({ id: first.json.id, status: "CANCELLED" });
      expect((await until(second.json.id, "COMPLETED")).json).toMatchObject({
        output: { a: 1 },
        delayTime: expect.any(Number),
        executionTime: expect.any(Number),
      });
    });
  });

  it("may have any input, and hands over what belongs to it alone", async () => {
    const handler: StartOptions["handler"] = (job) => job;
    await withHandler(handler, async ({ send }) => {
      const s3Config = { bucketName: "b" };
      for (const input of [null, "text", [1], 0, {}]) {
        const body = { input, s3Config, policy: { lowPriority: true }, unknown: 1 };
        const { json: told } = await send("POST", "runsync", body);
        expect(told.output).toEqual({ id: told.id, input, s3Config });
      }
    });
  });

  it("is cancelled, purged and run again by its id", async () => {
    let runs = 0;
    const handler: StartOptions["handler"] = async (job, context) => {
      runs += 1;
      if (job.input.throws && runs > 1) return { runs };
      return obedient(job, context);
    };
    await withHandler(handler, async ({ send, until }) => {
      const failed = await send("POST", "runsync", { input: { throws: "too hot" } });
      expect(failed.json).toMatchObject({ status: "FAILED", error: expect.stringContaining("too hot") });
      const { id } = failed.json;
      expect((await send("POST", `retry/${id}`)).json).toEqual({ id, status: "IN_QUEUE" });
      const done = await until(id, "COMPLETED");
      expect(done.json).toMatchObject({ output: { runs: 2 }, retries: 1 });
      expect(done.json.error).toBeUndefined();
      expect(await send("POST", `retry/${id}`)).toMatchObject({
        status: 400,
        json: { error: `only jobs that FAILED or TIMED_OUT can be run again; job ${id} is COMPLETED` },
      });
      const running = await send("POST", "run", { input: { hangs: true } });
      const waiting = await send("POST", "run", { input: {} });
      expect((await send("POST", "purge-queue")).json).toEqual({ removed: 1, status: "completed" });
      expect((await send("GET", `status/${waiting.json.id}`)).json.status).toBe("CANCELLED");
      await until(running.json.id, "IN_PROGRESS");
      expect((await send("GET", "health")).json.jobs).toEqual({
        completed: 1,
        failed: 1,
        inProgress: 1,
        inQueue: 0,
        retried: 1,
      });
    });
  });

  it("that runs for longer than its executionTimeout is TIMED_OUT and can be run again", async () => {
    await withHandler(obedient, async ({ send }) => {
      const body = { input: { hangs: true }, policy: { executionTimeout: 5000 } };
      const { json: told } = await send("POST", "runsync", body);
      expect(told).toMatchObject({
        status: "TIMED_OUT",
        error: "the job ran for longer than its executionTimeout of 5000 ms",
      });
      expect((await send("POST", `retry/${told.id}`)).json).toEqual({ id: told.id, status: "IN_QUEUE" });
      expect((await send("GET", "health")).json.jobs).toMatchObject({ failed: 1, retried: 1 });
    });
  });

  it("is deleted when the ttl that /status gave it is over, whether it runs or not", async () => {
    await withHandler(obedient, async ({ send, until }) => {
      const ended = await send("POST", "runsync", { input: { echo: 1 } });
      const running = await send("POST", "run", { input: { hangs: true } });
      await until(running.json.id, "IN_PROGRESS");
      for (const { id } of [ended.json, running.json]) {
        expect((await send("GET", `status/${id}?ttl=1`)).status).toBe(200);
        while ((await send("GET", `status/${id}`)).status !== 404);
      }
      const after = await send("POST", "runsync", { input: { echo: 2 } }); // its slot is free
      expect(after.json.output).toBe(2);
      expect((await send("GET", `status/${after.json.id}?ttl=soon`)).json.error).toBe(
        'ttl must be a number of milliseconds, got "soon"',
      );
    });
  });
});

describe("/runsync and /status-sync", () => {
  it("answer at the end of the job, or when their wait is over", async () => {
    await withHandler(obedient, async ({ send }) => {
      const done = await send("POST", "runsync", { input: { echo: [1] } });
      expect(done.json).toMatchObject({
        id: expect.stringMatching(/^sync-/),
        status: "COMPLETED",
        output: [1],
      });
      const early = await send("POST", "runsync?wait=1", { input: { hangs: true } });
      expect(early.json).toEqual({ id: expect.any(String), status: "IN_PROGRESS" });
      const { id } = early.json;
      expect((await send("GET", `status-sync/${id}?wait=1`)).json).toMatchObject({
        id,
        status: "IN_PROGRESS",
      });
      const waiting = send("POST", `status-sync/${id}`);
      await send("POST", `cancel/${id}`);
      expect((await waiting).json).toMatchObject({ id, status: "CANCELLED" });
      expect(await send("POST", "runsync?wait=long", { input: {} })).toMatchObject({
        status: 400,
        json: { error: 'wait must be a number of milliseconds, got "long"' },
      });
    });
  });
});

describe("/stream", () => {
  it("gives each item once, as they come, and the status after them", async () => {
    const gates = Array.from({ length: 3 }, () => gate<void>());
    const handler = async function* () {
      for (const [index, { opened }] of gates.entries()) {
        await opened;
        yield { index };
      }
    };
    await withHandler({ handler, returnAggregateStream: true }, async ({ send }) => {
      const { id } = (await send("POST", "run", { input: {} })).json;
      const told: unknown[] = [];
      for (const [index, { open }] of gates.entries()) {
        open();
        while (told.length === index) told.push(...(await send("GET", `stream/${id}`)).json.stream);
      }
      expect(told).toEqual([0, 1, 2].map((index) => ({ output: { index } })));
      expect((await send("GET", `stream/${id}`)).json).toEqual({ id, status: "COMPLETED", stream: [] });
      expect((await send("GET", `status/${id}`)).json.output).toEqual([0, 1, 2].map((index) => ({ index })));
    });
  });

  it("has no HEAD, which would take the items and give none", async () => {
    await withHandler(obedient, async ({ send }) => {
      const { id } = (await send("POST", "runsync", { input: { items: [1] } })).json;
      const head = await send("HEAD", `stream/${id}`);
      expect([head.status, head.headers.allow]).toEqual([405, "GET, POST"]);
      expect((await send("GET", `stream/${id}`)).json.stream).toEqual([{ output: 1 }]);
    });
  });

  it("of a job without items is empty, and tells an error", async () => {
    await withHandler(obedient, async ({ send }) => {
      const plain = await send("POST", "runsync", { input: { echo: 1 } });
      expect((await send("GET", `stream/${plain.json.id}`)).json).toMatchObject({
        status: "COMPLETED",
        stream: [],
      });
      const failed = await send("POST", "runsync", { input: { items: [{ a: 1 }, { error: "no more" }] } });
      expect((await send("GET", `stream/${failed.json.id}`)).json).toMatchObject({
        status: "FAILED",
        error: "no more",
        stream: [{ output: { a: 1 } }],
      });
    });
  });
});

describe("a request", () => {
  it.each<[unknown, string]>([
    [undefined, 'the body must be a JSON object such as {"input": {}}, got an empty one'],
    [[], 'the body must be a JSON object such as {"input": {}}, got []'],
    [{}, "input must be given, any JSON value"],
    [{ inputs: {} }, "input must be given, any JSON value"],
    [
      { input: 1, policy: { ttl: 5 } },
      "policy.ttl must be an integer from 10000 to 604800000 milliseconds, got 5",
    ],
    [
      { input: 1, policy: { executionTimeout: "1m" } },
      "policy.executionTimeout must be an integer from 5000",
    ],
    [
      { input: 1, policy: { timeout: 1 } },
      'policy has an unknown field "timeout"; its fields are executionTimeout, lowPriority, ttl',
    ],
    [{ input: 1, policy: [] }, "policy must be an object of executionTimeout, ttl and lowPriority"],
    [{ input: 1, policy: { lowPriority: "yes" } }, "policy.lowPriority must be true or false"],
    [{ input: 1, webhook: "ftp://x" }, 'webhook must be an http or https URL, got "ftp://x"'],
    [{ input: 1, webhook: "http:// /" }, 'webhook must be an http or https URL, got "http:// /"'],
    [{ input: 1, webhook: 5 }, "webhook must be an http or https URL, got 5"],
    ...["http://a:%ff@1.1.1.1/", "https://a@1.1.1.1/", "https://:b@1.1.1.1/"].map(
      (webhook): [unknown, string] => [
        { input: 1, webhook },
        "webhook must be a URL without user name and password; put a token into its path or its query",
      ],
    ),
    [{ input: 1, webhookV2: "http://x" }, "webhookV2 is not supported; use webhook"],
    [{ input: 1, s3Config: "bucket" }, "s3Config must be an object"],
  ])("to /run with %j is refused by name", async (body, sentence) => {
    await withHandler(obedient, async ({ send }) => {
      for (const path of ["run", "runsync"]) {
        const reply = await send("POST", path, body);
        expect([reply.status, reply.json.error]).toEqual([400, expect.stringContaining(sentence)]);
      }
      expect((await send("GET", "health")).json.jobs.inQueue).toBe(0);
    });
  });

  it("to an operation that is not there, or by another method, is told what is", async () => {
    await withHandler(obedient, async ({ send, url }) => {
      const cases: [string, string, number, string | undefined][] = [
        ["GET", "run", 405, "POST"],
        ["GET", "runsync", 405, "POST"],
        ["GET", "purge-queue", 405, "POST"],
        ["GET", "cancel/x", 405, "POST"],
        ["POST", "health", 405, "GET, HEAD"],
        ["DELETE", "status/x", 405, "GET, HEAD, POST"],
        ["GET", "status/x", 404, undefined],
        ["POST", "cancel/x", 404, undefined],
        ["POST", "retry/x", 404, undefined],
        ["GET", "status", 404, undefined],
        ["GET", "status/x/y", 404, undefined],
        ["POST", "batch", 404, undefined],
        ["GET", "constructor", 404, undefined],
        ["GET", "", 404, undefined],
      ];
      for (const [method, path, status, allow] of cases) {
        const reply = await send(method, path);
        expect([method, path, reply.status, reply.headers.allow]).toEqual([method, path, status, allow]);
        expect(reply.json.error).toEqual(expect.any(String));
      }
      expect((await call(`${url}/v2/ep`)).status).toBe(404);
      expect((await call(`${url}/v2/ep/health`, "HEAD")).status).toBe(200);
    });
  });

  it("that is larger than RunPod lets it be is refused: 10 MB of /run, 20 MB of /runsync", async () => {
    await withHandler(
      async () => "taken",
      async ({ send }) => {
        const input = "y".repeat(10_000_000);
        const refused = await send("POST", "run", { input });
        expect(refused).toMatchObject({
          status: 413,
          json: { error: "a body may have at most 10000000 bytes" },
        });
        expect((await send("POST", "runsync", { input })).json.output).toBe("taken");
        expect((await send("POST", "runsync", { input: `${input}${input}` })).status).toBe(413);
      },
      { options: { maxBodyBytes: 100_000_000 } },
    );
  });

  it("of strange shape fails alone: depth, names, ids", async () => {
    await withHandler(obedient, async ({ send, url }) => {
      const deep = `{"input":{"echo":${"[".repeat(5000)}${"]".repeat(5000)}}}`;
      const deeper = `{"input":{"echo":${"[".repeat(4_000_000)}${"]".repeat(4_000_000)}}}`;
      for (const body of [deep, deeper, '{"input":{"echo":{"__proto__":{"a":1},"constructor":1}}}']) {
        const reply = await call(`${url}/v2/ep/runsync`, "POST", body, json);
        expect(["COMPLETED", "FAILED", undefined]).toContain(reply.json.status);
        expect(reply.status).toBeLessThan(500);
      }
      for (const id of ["__proto__", "constructor", "%00", "%2e%2e", "a".repeat(5000), "%zz"]) {
        const reply = await send("GET", `status/${id}`);
        expect([id.slice(0, 20), reply.status]).toEqual([id.slice(0, 20), 404]);
      }
      expect((await send("POST", "runsync", { input: { echo: "\ud800 \u0000 \u2028" } })).json.output).toBe(
        "\ufffd \u0000 \u2028",
      );
    });
  });

  it("whose output is nested as deeply as JSON can be is asked for like any other, by its webhook too", async () => {
    const nested = async ({ input }: { readonly input: number }) => {
      let output: unknown = 1;
      for (let depth = 0; depth < input; depth += 1) output = [output];
      return output;
    };
    const isWhole = (text: string, depth: number) => text.split("[").length - 1 === depth;
    await withHook(async (webhook, told) => {
      await withHandler(nested, async ({ send }) => {
        // The deepest that can be written, by halving.
        let [most, least] = [100_000, 1];
        let [asked, completed] = [0, 0];
        while (most - least > 1) {
          const depth = Math.floor((most + least) / 2);
          const reply = await send("POST", "runsync", { input: depth, webhook });
          asked += 1;
          expect([depth, reply.status]).toEqual([depth, 200]);
          if (reply.json.status === "COMPLETED") {
            completed += 1;
            least = depth;
            expect(isWhole(reply.text, depth)).toBe(true);
            expect((await send("GET", `status/${reply.json.id}`)).status).toBe(200);
          } else most = depth;
        }
        while (told.length < asked) await new Promise((resolve) => setImmediate(resolve));
        const ends = told.filter((body) => (body as { status: string }).status === "COMPLETED");
        expect(ends).toHaveLength(completed);
        expect(least).toBeGreaterThan(1000);
      });
    });
  });

  it("needs a key, raw or as Bearer, where the server has one", async () => {
    await withHandler(
      obedient,
      async ({ url }) => {
        const status = async (headers: Readonly<Record<string, string>>) =>
          (await call(`${url}/v2/ep/run`, "POST", '{"input":1}', { ...json, ...headers })).status;
        expect(await status({})).toBe(401);
        expect(await status({ Authorization: "k1" })).toBe(200);
        expect(await status({ Authorization: "Bearer k1" })).toBe(200);
      },
      { options: { keys: ["k1"] } },
    );
  });

  it("of a web page elsewhere runs no job", async () => {
    await withHandler(obedient, async ({ url }) => {
      const headers = { Origin: "https://evil.example", "Content-Type": "text/plain" };
      expect((await call(`${url}/v2/ep/run`, "POST", '{"input":1}', headers)).status).toBe(403);
      const health = await call(`${url}/v2/ep/health`, "GET", undefined, json);
      expect(health.json.jobs.completed).toBe(0);
    });
  });

  it("may name any endpoint, or the one that was said", async () => {
    await withHandler(obedient, async ({ url }) => {
      for (const id of ["ep", "3f9x", "other"])
        expect((await call(`${url}/v2/${id}/health`)).status).toBe(200);
    });
    await withHandler(
      obedient,
      async ({ url }) => {
        expect((await call(`${url}/v2/mine/health`)).status).toBe(200);
        const other = await call(`${url}/v2/other/health`);
        expect(other).toMatchObject({
          status: 404,
          json: { error: "there is no endpoint other here; this server's is mine" },
        });
        expect((await call(`${url}/v2/other/openai/v1/models`)).status).toBe(404);
      },
      { options: { endpointId: "mine" } },
    );
  });
});
