// Conformance cases B: what comes back when a worker asks for jobs.
import { deflateSync, gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import type { Platform, Trouble } from "../../tools/platform-emulator/index.mjs";
import { finished, gate, withWorker } from "./harness.js";

const echo = async (job: { input: unknown }) => job.input;
const job = { id: "job-1", input: { n: 1 } };
const takes = ["job-take", "job-take-batch"];
const json = { "Content-Type": "application/json" };

/** For some attempts in a row, with pauses between them. */
const failing = Array.from({ length: 4 }, () => ({ status: 503 }));

/** A worker of several slots whose handler waits for its gate. */
function held(slots: number) {
  const { open, opened } = gate();
  const started: string[] = [];
  const handler = async (given: { id: string }) => {
    started.push(given.id);
    await opened;
    return given.id;
  };
  return { options: { handler, concurrencyModifier: () => slots }, open, started };
}

/** A platform whose first answers to a take are these, and then it has a job. */
async function following(
  troubles: readonly Trouble[],
  check: (gaps: number[], lines: readonly string[]) => void,
) {
  const before = {
    before: (platform: Platform) => platform.script("job-take", troubles),
  };
  await withWorker(echo, before, async ({ platform, worker }) => {
    await finished(platform, job);
    const times = platform.calls("job-take").map((call) => call.at);
    const gaps = times.slice(1, troubles.length + 1).map((time, index) => time - (times[index] ?? 0));
    check(gaps, worker.lines);
  });
}

describe("taking jobs", () => {
  it("case 15: one slot asks for a job, more ask for a batch of what is free", async () => {
    await withWorker(echo, {}, async ({ platform }) => {
      await finished(platform, job);
      expect(platform.calls("job-take-batch")).toEqual([]);
    });
    const { options, open } = held(4);
    await withWorker(options, {}, async ({ platform }) => {
      await platform.until(() => platform.calls("job-take-batch").length > 0);
      expect(platform.calls("job-take-batch")[0]?.url).toContain("&batch_size=4&job_in_progress=0");
      open();
    });
  });

  it("case 16: with one slot left it asks for one job, and says that it is busy", async () => {
    const { options, open, started } = held(4);
    await withWorker(options, {}, async ({ platform }) => {
      for (const id of ["a", "b", "c"]) platform.enqueue({ id, input: {} });
      await platform.until(() => started.length === 3 && platform.calls("job-take").length > 0);
      expect(platform.calls("job-take")[0]?.url).toContain("&job_in_progress=1");
      open();
    });
  });

  it("case 16: a result that is on its way does not make it busy", async () => {
    const before = { before: (platform: Platform) => platform.script("job-done", [{ delayMs: 1500 }]) };
    await withWorker(echo, before, async ({ platform }) => {
      platform.enqueue(job);
      await platform.until(() => platform.calls("job-done").length === 1);
      const taken = platform.calls("job-take").length;
      await platform.until(() => platform.calls("job-take").length > taken);
      expect(platform.job("job-1").done).toEqual([]);
      expect(platform.calls("job-take").at(-1)?.url).toContain("&job_in_progress=0");
      await platform.until(() => platform.job("job-1").done.length === 1);
    });
  });

  it("case 17: an object is a job, a list is several, on either route", async () => {
    const one = { status: 200, body: { id: "one", input: 1 } };
    const list = {
      status: 200,
      body: [
        { id: "two", input: 2 },
        { id: "three", input: 3 },
      ],
    };
    for (const slots of [1, 4]) {
      const seen: unknown[] = [];
      const handler = async (given: { input: unknown }) => void seen.push(given.input);
      const before = {
        before: (platform: Platform) => {
          for (const route of takes) platform.script(route, [one, list]);
        },
      };
      await withWorker({ handler, concurrencyModifier: () => slots }, before, async ({ platform }) => {
        await platform.until(() => seen.length === 3);
        expect(seen.sort()).toEqual([1, 2, 3]);
      });
    }
  });

  it("case 18: more jobs than were asked for all run", async () => {
    const ids = Array.from({ length: 9 }, (_, index) => `j${index}`);
    const body = ids.map((id) => ({ id, input: {} }));
    const seen: string[] = [];
    let most = 0;
    let now = 0;
    const handler = async (given: { id: string }) => {
      now += 1;
      most = Math.max(most, now);
      await new Promise((resolve) => setImmediate(resolve));
      now -= 1;
      seen.push(given.id);
    };
    const before = {
      before: (platform: Platform) => platform.script("job-take-batch", [{ status: 200, body }]),
    };
    await withWorker({ handler, concurrencyModifier: () => 3 }, before, async ({ platform }) => {
      await platform.until(() => seen.length === 9);
      expect(seen.sort()).toEqual(ids);
      expect(most).toBe(3);
    });
  });

  it("case 19: 204 is no job, it asks again", () =>
    following([{ status: 204, delayMs: 120 }], ([gap = 0], lines) => {
      expect(gap).toBeLessThan(1000);
      expect(lines.join("\n")).not.toContain("ERROR");
    }));

  it("case 19: a platform that does not hold its polls is not stormed", () => {
    return following(
      Array.from({ length: 6 }, () => ({ status: 204 })),
      (gaps) => {
        expect(gaps.slice(3).every((gap) => gap > 200)).toBe(true);
      },
    );
  });

  it("case 20: 400 is normal around a thaw: no error, a short pause", () => {
    return following(
      Array.from({ length: 4 }, () => ({ status: 400 })),
      (gaps, lines) => {
        expect(lines.join("\n")).not.toContain("ERROR");
        expect(Math.max(...gaps)).toBeLessThan(5000);
        expect(gaps[3]).toBeGreaterThan(gaps[0] ?? 0);
      },
    );
  });

  it("case 21: 429 pauses as long as it says", () => {
    return following([{ status: 429, headers: { "Retry-After": "1" } }], ([gap = 0]) =>
      expect(gap).toBeGreaterThanOrEqual(990),
    );
  });

  it("case 21: 429 that does not say pauses five seconds", () => {
    return following([{ status: 429 }], ([gap = 0]) => expect(gap).toBeGreaterThanOrEqual(4990));
  });

  it.each([[{ status: 500 }], [{ status: 502 }], [{ status: 401 }], [{ drop: "before" as const }]])(
    "case 22: %j makes it ask ever more seldom",
    (trouble) =>
      following(
        Array.from({ length: 5 }, () => trouble),
        (gaps) => {
          const first = gaps[0] ?? 0;
          expect(gaps.at(-1)).toBeGreaterThan(3 * first);
          expect(gaps.reduce((sum, gap) => sum + gap, 0)).toBeGreaterThan(800); // five in most of a second
        },
      ),
  );

  it.each([
    [{ body: "<p>hello</p>", headers: { "Content-Type": "text/html" } }],
    [{ body: "" }],
    [{ body: '{"id": "x", "inp', headers: json }],
    [{ body: "null", headers: json }],
    [{ body: '"str"', headers: json }],
    [{ body: "42", headers: json }],
  ])("case 23: %j is no job", (trouble) =>
    following([{ status: 200, ...trouble }], ([gap = 0], lines) => {
      expect(gap).toBeGreaterThan(40);
      expect(lines.join("\n")).not.toContain("Started. x");
    }),
  );

  it("case 24: application/json with a charset is JSON", () => {
    const body = JSON.stringify({ id: "c", input: 5 });
    const headers = { "Content-Type": "application/json; charset=utf-8" };
    return following([{ status: 200, body, headers }], (_gaps, lines) => {
      expect(lines.join("\n")).toContain("| c | Started.");
    });
  });

  it("case 25: a job without an id is logged; one without an input fails instead of being lost", async () => {
    await withWorker(
      echo,
      { before: (platform) => platform.script("job-take", [{ status: 200, body: { input: 1 } }]) },
      async ({ platform, worker }) => {
        platform.enqueue({ id: "bare" });
        await platform.until(() => platform.job("bare").status === "FAILED");
        expect(platform.job("bare").done[0]?.error).toContain("missing field(s): input");
        expect(
          worker.lines.filter((line) => line.includes("Job has missing field(s): id or input.")),
        ).toHaveLength(2);
      },
    );
  });

  it("case 26: a numeric id is a string in URLs and headers", async () => {
    await withWorker(
      async (given) => typeof given.id,
      {},
      async ({ platform }) => {
        platform.enqueue({ id: 77, input: {} });
        await platform.until(() => platform.job("77").done.length > 0);
        expect(platform.job("77").done).toEqual([{ output: "string" }]);
        expect(platform.violations).toEqual([]);
      },
    );
  });

  it("case 27: fields that we do not know reach the handler as they came", async () => {
    const whole = {
      id: "w",
      input: {},
      webhook: "http://x",
      s3Config: { a: 1 },
      status: "IN_QUEUE",
      retries: 2,
      more: [null],
    };
    await withWorker(
      async (given) => ({ given }),
      {},
      async ({ platform }) => {
        expect((await finished(platform, whole)).done).toEqual([{ output: { given: whole } }]);
      },
    );
  });

  it.each([[null], ["text"], [[1, 2]], [7], [false]])(
    "case 28: the input %j is handed over as it is",
    async (input) => {
      await withWorker(
        async (given) => ({ given: given.input }),
        {},
        async ({ platform }) => {
          expect((await finished(platform, { id: "i", input })).done).toEqual([{ output: { given: input } }]);
        },
      );
    },
  );

  it("case 29: a duplicate of a running job runs once", async () => {
    const { options, open, started } = held(3);
    const twice = {
      status: 200,
      body: [
        { id: "d", input: 1 },
        { id: "d", input: 1 },
      ],
    };
    const again = { status: 200, body: [{ id: "d", input: 1 }] };
    await withWorker(
      options,
      { before: (platform) => platform.script("job-take-batch", [twice, again]) },
      async ({ platform, worker }) => {
        await platform.until(
          () => worker.lines.filter((line) => line.includes("second delivery is dropped")).length === 2,
        );
        open();
        await platform.until(() => platform.calls("job-done").length > 0);
        expect(started).toEqual(["d"]);
      },
    );
  });

  it.each([
    ["once more, where its result had arrived before", [{ lateMs: 1500 }], 2],
    ["no more, where its result arrives after that", [{ drop: "after" as const }, ...failing], 1],
  ])(
    "case 29: a job that is retried while its answer is on its way runs %s",
    async (_name, troubles, runs) => {
      let started = 0;
      const before = { before: (platform: Platform) => platform.script("job-done", troubles) };
      const handler = async () => {
        started += 1;
      };
      await withWorker({ handler, concurrencyModifier: () => 2 }, before, async ({ platform }) => {
        await finished(platform, job);
        const { done, takes } = await finished(platform, job);
        expect({ done, takes }).toEqual({ done: [{ output: null }], takes: 1 });
        await finished(platform, { id: "next", input: 1 });
        expect(started).toBe(runs + 1);
      });
    },
  );

  it("case 30: a poll that is held for ever is given up without an error, and asked again", async () => {
    const env = { INFERNODE_POLL_MS: "250" };
    await withWorker(echo, { env, platform: { holdMs: 60_000 } }, async ({ platform, worker }) => {
      await platform.until(() => platform.calls("job-take").length >= 3);
      expect((await finished(platform, job)).done).toEqual([{ output: { n: 1 } }]);
      expect(worker.lines.join("\n")).not.toContain("ERROR");
    });
  });

  it("case 31: a platform without the batch route is asked for one job at a time", async () => {
    const handler = { handler: echo, concurrencyModifier: () => 4 };
    await withWorker(
      handler,
      { before: (platform) => platform.script("job-take-batch", [{ status: 404 }]) },
      async ({ platform }) => {
        await finished(platform, job);
        await finished(platform, { id: "job-2", input: 1 });
        expect(platform.calls("job-take-batch")).toHaveLength(1);
      },
    );
  });

  it("case 32: an id with reserved characters is encoded", async () => {
    const id = "a/b?c d%é";
    await withWorker(echo, {}, async ({ platform }) => {
      expect((await finished(platform, { id, input: 3 })).done).toEqual([{ output: 3 }]);
      expect(platform.violations).toEqual([]);
    });
  });

  it.each([
    ["gzip", gzipSync],
    ["deflate", deflateSync],
  ] as const)("case 33: %s bodies are read", async (encoding, pack) => {
    const body = pack(JSON.stringify({ id: "packed", input: 1 }));
    const trouble = { status: 200, body, headers: { ...json, "Content-Encoding": encoding } };
    await following([trouble], (_gaps, lines) => expect(lines.join("\n")).toContain("| packed | Started."));
  });

  it("case 34: a batch id is in the log", async () => {
    await withWorker(echo, {}, async ({ platform, worker }) => {
      await finished(platform, { id: "b", input: 1, batchId: "B7" });
      expect(worker.lines).toContain("INFO   | b | [batchId=B7] Started.");
    });
  });
});
