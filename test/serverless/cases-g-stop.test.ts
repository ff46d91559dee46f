// Conformance cases G: jobs that the platform stops.
import { describe, expect, it } from "vitest";
import type { Handler } from "../../src/serverless/contract.js";
import type { Platform } from "../../tools/platform-emulator/index.mjs";
import { finished, gate, withWorker } from "./harness.js";

const job = { id: "job-1", input: {} };

/** Waits until its job is stopped; tells when. */
function waiting() {
  const stopped: string[] = [];
  const started: string[] = [];
  const handler: Handler = (given, { signal }) => {
    started.push(given.id);
    return new Promise((_resolve, reject) => {
      signal.addEventListener("abort", () => {
        stopped.push(given.id);
        reject(signal.reason);
      });
    });
  };
  return { handler, started, stopped };
}

/** Stops a job, and waits until the worker has heard of it and asks again. */
async function stopped(platform: Platform, id: string): Promise<void> {
  const told = () => platform.calls("job-stop").filter((call) => call.status === 200).length;
  const before = told();
  platform.stop(id);
  await platform.until(() => told() > before);
  await platform.until(() => platform.calls("job-stop").at(-1)?.status === undefined);
}

describe("stops", () => {
  it("case 75: a running job is aborted, nothing is posted, and its slot is taken again at once", async () => {
    const { handler, started, stopped } = waiting();
    await withWorker(handler, {}, async ({ platform }) => {
      platform.enqueue(job);
      await platform.until(() => started.length === 1);
      platform.stop("job-1");
      await platform.until(() => stopped.length === 1);
      platform.enqueue({ id: "next", input: {} });
      await platform.until(() => started.includes("next"));
      expect(platform.calls("job-done", "job-stream")).toEqual([]);
    });
  });

  it("case 76: a job that does not listen is let go all the same", async () => {
    const { open, opened } = gate();
    await withWorker(
      () => opened,
      {},
      async ({ platform, worker }) => {
        platform.enqueue(job);
        await platform.until(() => worker.lines.join("\n").includes("Started."));
        platform.stop("job-1");
        platform.enqueue({ id: "next", input: {} });
        await platform.until(() => platform.job("next").status === "IN_PROGRESS");
        open();
        await platform.until(() => platform.job("next").done.length === 1);
        expect(platform.calls("job-done").map((call) => call.parameters.jobId)).toEqual(["next"]);
      },
    );
  });

  it("case 77: a job that waits for a slot never starts", async () => {
    const { handler, started } = waiting();
    const list = [
      { id: "first", input: 1 },
      { id: "second", input: 1 },
    ];
    await withWorker(
      handler,
      { before: (platform) => platform.script("job-take", [{ status: 200, body: list }]) },
      async ({ platform, worker }) => {
        await platform.until(() => started.length === 1);
        platform.stop("second");
        platform.stop("first");
        platform.enqueue({ id: "third", input: 1 });
        await platform.until(() => started.includes("third"));
        expect(started).toEqual(["first", "third"]);
        expect(worker.lines.join("\n")).not.toContain("| second | Started.");
      },
    );
  });

  it("case 78: what makes no sense is ignored", async () => {
    const { handler, started, stopped } = waiting();
    const answers = [
      { jobsToStop: ["nobody", "nobody"] },
      { jobsToStop: [1, null, {}] },
      {},
      { jobsToStop: "job-1" },
      null,
    ];
    const troubles = answers.map((body) => ({
      status: 200,
      body: JSON.stringify(body),
      headers: { "Content-Type": "application/json" },
    }));
    await withWorker(
      handler,
      { before: (platform) => platform.script("job-stop", troubles) },
      async ({ platform }) => {
        platform.enqueue(job);
        await platform.until(() => started.length === 1);
        await platform.until(
          () => platform.calls("job-stop").length > answers.length,
          "all answers are read",
          20_000,
        );
        expect(stopped).toEqual([]);
        platform.stop("job-1");
        await platform.until(() => stopped.length === 1);
      },
    );
  });

  it("case 79: a job whose stop comes before it is answered as cancelled, and runs when it comes again", async () => {
    const { handler, started } = waiting();
    await withWorker(
      handler,
      { before: (platform) => platform.script("job-take", [{ status: 204, delayMs: 400 }]) },
      async ({ platform, worker }) => {
        await stopped(platform, "early");
        const { done } = await finished(platform, { id: "early", input: 1 });
        expect(done).toEqual([{ error: expect.stringContaining("cancelled") }]);
        expect(started).toEqual([]);
        await stopped(platform, "early");
        platform.enqueue({ id: "early", input: 1 });
        await platform.until(() => started.length === 1);
        expect(worker.lines.join("\n")).not.toContain("ERROR");
      },
    );
  });

  it("case 79: an early stop of a job that the platform has ended itself is no error", async () => {
    const { handler, started } = waiting();
    const options = { handler, concurrencyModifier: () => 2 };
    const lease = { status: 200, body: [{ id: "gone", input: 1 }], delayMs: 400 };
    await withWorker(
      options,
      { before: (platform) => platform.script("job-take-batch", [lease]) },
      async ({ platform, worker }) => {
        await stopped(platform, "gone");
        await platform.until(() => platform.calls("job-done").some((call) => call.status === 400));
        platform.enqueue({ id: "next", input: 1 });
        await platform.until(() => started.includes("next"));
        expect(worker.lines.join("\n")).not.toContain("ERROR");
      },
    );
  });

  it("case 79: a second stop, of a job that was running, waiting or done, does not swallow its retry", async () => {
    const { open, opened } = gate();
    const started: string[] = [];
    const handler: Handler = async ({ id, input }, { signal }) => {
      started.push(id);
      if (input === "hold") {
        await Promise.race([opened, new Promise((resolve) => signal.addEventListener("abort", resolve))]);
      }
      return id;
    };
    const list = [
      { id: "running", input: "hold" },
      { id: "waiting", input: 1 },
    ];
    await withWorker(
      handler,
      { before: (platform) => platform.script("job-take", [{ status: 200, body: list }]) },
      async ({ platform }) => {
        await platform.until(() => started.length === 1);
        await stopped(platform, "waiting");
        await stopped(platform, "running");
        await finished(platform, { id: "done", input: 1 });
        for (const id of ["running", "waiting", "done"]) await stopped(platform, id);
        for (const id of ["running", "waiting", "done"]) {
          const { done, takes } = await finished(platform, { id, input: 1 });
          expect({ done, takes }).toEqual({ done: [{ output: id }], takes: 1 });
        }
        open();
      },
    );
  });

  it.each([[404], [500], [429], [200]])(
    "case 80: a job-stop that always answers %d is asked once a second at most",
    async (status) => {
      const { handler } = waiting();
      const body = status === 200 ? "" : undefined;
      const troubles = Array.from({ length: 100 }, () => ({ status, ...(body !== undefined && { body }) }));
      await withWorker(
        handler,
        { before: (platform) => platform.script("job-stop", troubles) },
        async ({ platform, worker }) => {
          await platform.until(() => platform.calls("job-stop").length >= 1);
          await platform.until(() => platform.calls("job-take").length >= 8); // 300 ms each
          expect(platform.calls("job-stop").length).toBeLessThanOrEqual(4);
          expect(worker.lines.filter((line) => line.startsWith("WARN")).length).toBeLessThanOrEqual(1);
        },
      );
    },
  );

  it("case 81: a URL without /job-take/ has no stops, which is said once", async () => {
    const environment = { RUNPOD_WEBHOOK_GET_JOB: "http://127.0.0.1:9/other/$ID" };
    await withWorker(
      async () => 1,
      { env: environment },
      async ({ platform, worker }) => {
        await platform.until(() => worker.lines.some((line) => line.includes("jobs cannot be stopped")));
        expect(platform.calls("job-stop")).toEqual([]);
      },
    );
  });

  it("case 82: the other jobs go on", async () => {
    const { open, opened } = gate();
    const handler: Handler = async (given) => {
      await opened;
      return given.id;
    };
    await withWorker({ handler, concurrencyModifier: () => 3 }, {}, async ({ platform }) => {
      for (const id of ["a", "b", "c"]) platform.enqueue({ id, input: {} });
      await platform.until(() => platform.book.all.every((each) => each.status === "IN_PROGRESS"));
      platform.stop("b");
      await platform.until(() => platform.book.queued === 0);
      await finishedAfter(open, platform, ["a", "c"]);
      expect(platform.job("b").done).toEqual([]);
    });
  });
});

async function finishedAfter(open: () => void, platform: Platform, ids: readonly string[]) {
  await platform.nextChange(200); // the stop is on its way
  open();
  await platform.until(() => ids.every((id) => platform.job(id).done.length === 1));
}
