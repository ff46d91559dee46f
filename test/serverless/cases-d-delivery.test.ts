// Conformance cases D: results on a platform that fails.
import { describe, expect, it } from "vitest";
import type { Trouble } from "../../tools/platform-emulator/index.mjs";
import { finished, withWorker } from "./harness.js";

const echo = async (job: { input: unknown }) => job.input;
const job = { id: "job-1", input: "result" };

/** The statuses of all tries, when the first ones go wrong like this. */
async function tries(troubles: readonly Trouble[]): Promise<readonly unknown[]> {
  let statuses: readonly unknown[] = [];
  await withWorker(
    echo,
    { before: (platform) => platform.script("job-done", troubles) },
    async ({ platform }) => {
      expect((await finished(platform, job)).done).toEqual([{ output: "result" }]);
      await platform.until(() => platform.calls("job-done").every((call) => call.status !== undefined));
      statuses = platform.calls("job-done").map((call) => call.status);
    },
  );
  return statuses;
}

describe("delivery of results", () => {
  it("case 51: 500 twice, then delivered", async () => {
    expect(await tries([{ status: 500 }, { status: 503 }])).toEqual([500, 503, 200]);
  });

  it("case 52: a platform that never takes a result costs that result only, and is told", async () => {
    const troubles = Array.from({ length: 50 }, () => ({ status: 500 }));
    const env = { INFERNODE_DELIVERY_BUDGET_MS: "1500" };
    await withWorker(
      echo,
      { env, before: (platform) => platform.script("job-done", troubles) },
      async ({ platform, worker }) => {
        platform.enqueue(job);
        await platform.until(() =>
          worker.lines.some((line) => line.includes("Failed to return job results.")),
        );
        expect(platform.calls("job-done").length).toBeLessThan(8);
        const taken = platform.calls("job-take").length;
        await platform.until(() => platform.calls("job-take").length > taken);
      },
    );
  });

  it("case 53: a connection that breaks is tried again", async () => {
    expect(await tries([{ drop: "before" }])).toEqual(["dropped", 200]);
  });

  it("case 54: 429 and 408 are tried again, 429 when it says", async () => {
    const again = { status: 429, headers: { "Retry-After": "0.4" } };
    expect(await tries([again, { status: 408 }])).toEqual([429, 408, 200]);
  });

  it("case 55: 400 at the first try is final, and a large result gets a small error instead", async () => {
    const small = {
      before: (platform: { script(route: string, list: readonly Trouble[]): void }) =>
        platform.script("job-done", [{ status: 400 }]),
    };
    await withWorker(echo, small, async ({ platform, worker }) => {
      platform.enqueue(job);
      await platform.until(() =>
        worker.lines.some((line) => line.includes("Failed to return job results. | status 400")),
      );
      expect(platform.calls("job-done")).toHaveLength(1);
    });
    await withWorker(
      async () => "y".repeat(2e6),
      small,
      async ({ platform }) => {
        const { done } = await finished(platform, job);
        expect(done[0]?.error).toMatch(/^Output of 2\.0 MB exceeds the RunPod limit/);
      },
    );
  });

  it("case 56: a 400 after a try whose answer was lost means that it had arrived", async () => {
    await withWorker(
      echo,
      { before: (platform) => platform.script("job-done", [{ drop: "after" }]) },
      async ({ platform, worker }) => {
        await finished(platform, job);
        await platform.until(() => platform.calls("job-done").length === 2);
        await finished(platform, { id: "job-2", input: 2 });
        expect(platform.calls("job-done").map((call) => call.status)).toEqual(["dropped", 400, 200]);
        expect(worker.lines.join("\n")).not.toContain("Failed to return");
      },
    );
  });

  it("case 57: a result that is slow to send keeps nobody waiting", async () => {
    await withWorker(
      echo,
      { before: (platform) => platform.script("job-done", [{ delayMs: 3000 }]) },
      async ({ platform }) => {
        platform.enqueue({ id: "slow", input: 1 });
        await platform.until(() => platform.calls("job-done").length === 1);
        for (const id of ["a", "b", "c"]) await finished(platform, { id, input: 1 });
        expect(platform.job("slow").done).toEqual([]);
        await platform.until(() => platform.job("slow").done.length === 1);
      },
    );
  });

  it("case 58: results are sent again while the worker is leaving", async () => {
    const troubles = [{ status: 500 }, { drop: "before" as const }, { status: 502 }];
    await withWorker(
      echo,
      { before: (platform) => platform.script("job-done", troubles) },
      async ({ platform, worker }) => {
        platform.enqueue(job);
        await platform.until(() => platform.calls("job-done").length === 1);
        worker.signal("SIGTERM");
        expect(await worker.ended).toBe(0);
        expect(platform.job("job-1").done).toEqual([{ output: "result" }]);
      },
    );
  });

  it("undelivered results are in the pings, and so many of them stop the taking", async () => {
    const troubles = Array.from({ length: 400 }, () => ({ delayMs: 1500 }));
    const options = { handler: echo, concurrencyModifier: () => 64 };
    await withWorker(
      options,
      { before: (platform) => platform.script("job-done", troubles) },
      async ({ platform }) => {
        const ids = Array.from({ length: 330 }, (_, index) =>
          platform.enqueue({ id: `u${index}`, input: 1 }),
        );
        await platform.until(() => platform.calls("job-done").length >= 256);
        const held = platform.book.all.filter((each) => each.status === "IN_PROGRESS").length;
        expect(held).toBeLessThanOrEqual(256 + 64);
        await platform.until(() =>
          platform
            .calls("ping")
            .some((call) => (call.parameters.query?.get("job_id") ?? "").split(",").length > 200),
        );
        await platform.until(
          () => ids.every((id) => platform.job(id).done.length === 1),
          "all arrive",
          30_000,
        );
      },
    );
  }, 60_000);
});
