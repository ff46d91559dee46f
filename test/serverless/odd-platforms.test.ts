// Platforms, proxies and environments that answer in odd ways: the worker asks them no
// faster than others, and loses nothing that they hand out. What is compared are counts.
import { deflateRawSync, gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import type { JobContext } from "../../src/serverless/contract.js";
import { JobLedger } from "../../src/serverless/job-ledger.js";
import type { Platform } from "../../tools/platform-emulator/index.mjs";
import { configOf, finished, gate, withWorker } from "./harness.js";

const echo = async (job: { input: unknown }) => job.input;

describe("a Retry-After", () => {
  const odd = ["0", "", "0.000001", "1e10", "Thu, 01 Jan 1970 00:00:00 GMT"];

  it.each(odd)("of %j makes no flood of polls", async (after) => {
    const troubles = Array.from({ length: 5000 }, () => ({ status: 429, headers: { "Retry-After": after } }));
    const before = (platform: Platform) => {
      platform.script("job-take", troubles);
      platform.script("job-stop", troubles);
    };
    await withWorker(echo, { platform: { pingIntervalMs: 100 }, before }, async ({ platform }) => {
      await platform.until(() => platform.calls("ping").length >= 10);
      const pings = platform.calls("ping").length;
      expect(platform.calls("job-take").length).toBeLessThan(2 * pings);
      expect(platform.calls("job-stop").length).toBeLessThan(2 * pings);
    });
  });

  it("of 0 seconds makes no flood of posts", async () => {
    const troubles = Array.from({ length: 5000 }, () => ({ status: 503, headers: { "Retry-After": "0" } }));
    const env = { INFERNODE_DELIVERY_BUDGET_MS: "1000" };
    const before = (platform: Platform) => platform.script("job-done", troubles);
    await withWorker(echo, { env, before }, async ({ platform, worker }) => {
      platform.enqueue({ id: "x", input: 1 });
      await platform.until(() => worker.lines.join("\n").includes("Failed to return job results"));
      expect(platform.calls("job-done").length).toBeLessThan(12);
    });
  });
});

describe("an answer to a take", () => {
  const head = { "Content-Type": "application/json" };
  const body = JSON.stringify({ id: "x", input: 7 });

  it.each([
    [
      "in raw deflate",
      { body: deflateRawSync(body) as never, headers: { ...head, "Content-Encoding": "deflate" } },
    ],
    ["in gzip", { body: gzipSync(body) as never, headers: { ...head, "Content-Encoding": "gzip" } }],
    ["as text/plain", { body, headers: { "Content-Type": "text/plain" } }],
    ["with a byte order mark", { body: `\ufeff${body}`, headers: head }],
  ])("%s brings its job", async (_name, trouble) => {
    const before = (platform: Platform) => platform.script("job-take", [{ status: 200, ...trouble }]);
    await withWorker(echo, { before }, async ({ platform }) => {
      await platform.until(() => platform.calls("job-done").length > 0);
      expect(platform.calls("job-done")[0]?.body).toBe('{"output":7}');
    });
  });

  it("that is empty is no failure, though it claims to be compressed", async () => {
    const nothing = { status: 204, body: "", headers: { "Content-Encoding": "gzip" } };
    const before = (platform: Platform) => platform.script("job-take", [nothing, nothing]);
    await withWorker(echo, { before }, async ({ platform, worker }) => {
      expect((await finished(platform, { id: "x", input: 1 })).done).toEqual([{ output: 1 }]);
      expect(worker.lines.join("\n")).not.toContain("ERROR");
    });
  });
});

describe("a time in the environment", () => {
  it("beyond what timers can wait is the longest that they can", () => {
    const environment = {
      RUNPOD_SHUTDOWN_GRACE_MS: "1e12",
      RUNPOD_PING_INTERVAL: "1e12",
      INFERNODE_POLL_MS: "1e12",
      RUNPOD_NETWORK_CHECK_TIMEOUT: "1e12",
      RUNPOD_GPU_TEST_TIMEOUT: "1e12",
    };
    const { shutdownGraceMs, pingIntervalMs, pollMs, checks } = configOf(environment);
    const longest = 2 ** 31 - 1;
    expect([shutdownGraceMs, pingIntervalMs, pollMs]).toEqual([longest, longest, longest]);
    expect(checks.networkSeconds * 1000).toBeLessThanOrEqual(longest);
    expect(checks.gpuSeconds * 1000).toBeLessThanOrEqual(longest);
  });

  it("such as a long shutdown grace lets a running job end", async () => {
    const { open, opened } = gate();
    const handler = async () => void (await opened);
    const env = { RUNPOD_SHUTDOWN_GRACE_MS: "3000000000" };
    await withWorker(handler, { env }, async ({ platform, worker }) => {
      platform.enqueue({ id: "x", input: 1 });
      await platform.until(() => platform.job("x").status === "IN_PROGRESS");
      worker.signal("SIGTERM");
      await new Promise((resolve) => setTimeout(resolve, 20)); // an overflown timer is one of 1 ms
      open();
      expect(await worker.ended).toBe(0);
      expect(platform.job("x").done).toEqual([{ output: null }]);
    });
  });
});

it("progress between events that wait leaves few posts of both", async () => {
  const event = (index: number) => `data: ${index}\n\n`;
  const indices = Array.from({ length: 2000 }, (_, index) => index);
  async function* handler(_job: unknown, context: JobContext) {
    for (const index of indices) {
      context.progress(index);
      yield event(index);
    }
  }
  const before = (platform: Platform) => platform.script("job-stream", [{ delayMs: 500 }]);
  await withWorker(handler, { before }, async ({ platform }) => {
    const { stream, done } = await finished(platform, { id: "x", input: 1 });
    expect(done).toEqual([{ output: [] }]);
    expect(stream.join("")).toBe(indices.map(event).join(""));
    expect(platform.calls("job-stream", "job-done").length).toBeLessThan(40);
  });
});

it("stops of jobs that are not here cost the same each, however many there are", () => {
  /** Milliseconds of this process's CPU. */
  const cost = (count: number) => {
    const ledger = new JobLedger(() => {});
    const before = process.cpuUsage();
    for (let index = 0; index < count; index += 1) ledger.expectStopped(`job-${index}`, index / count);
    const { user, system } = process.cpuUsage(before);
    expect(ledger.wasStopped("job-0", 1)).toBe(true);
    return (user + system) / 1000;
  };
  cost(5000);
  const least = (count: number) => Math.min(cost(count), cost(count), cost(count));
  expect(least(40_000) / least(5000)).toBeLessThan(30); // 8 times as many; 64 would be quadratic
});
