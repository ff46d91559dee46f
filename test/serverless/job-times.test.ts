// How long a job of the public API may run and is kept, and that it can be run again.
import { expect, it } from "vitest";
import type { Handler } from "../../src/serverless/contract.js";
import type { JobTimes, LocalJob } from "../../src/serverless/local-job.js";
import { LocalJobs } from "../../src/serverless/local-jobs.js";
import { Logger } from "../../src/serverless/logger.js";
import { configOf, judged } from "./harness.js";

const long: JobTimes = { executionMs: 600_000, ttlMs: 600_000, keptMs: 600_000 };

const handler: Handler = async ({ input }, { signal }) => {
  if (input === "hang") await new Promise((resolve) => signal.addEventListener("abort", resolve));
  if (input === "fail") return { error: "no" };
  return input;
};

function jobsOf(limit = () => 1, onEnd = (_job: LocalJob) => {}) {
  const told: string[] = [];
  const lines: string[] = [];
  const jobs = new LocalJobs({
    options: judged({ handler }),
    config: configOf({}),
    logger: new Logger((line) => void lines.push(line), "ERROR", false),
    limit: async () => limit(),
    onEnd: (job) => {
      told.push(`${job.job.id} ${job.status}`);
      onEnd(job);
    },
  });
  return { jobs, told, lines };
}

const gone = async (jobs: LocalJobs, id: string) => {
  while (jobs.find(id) !== undefined) await new Promise((resolve) => setImmediate(resolve));
};

it("a job that runs too long is TIMED_OUT, its signal aborted and its slot free", async () => {
  const { jobs, told } = jobsOf();
  const slow = await jobs.submit({ id: "slow", input: "hang" }, 0, { ...long, executionMs: 20 });
  const next = await jobs.submit({ id: "next", input: 1 }, 0, long);
  await Promise.all([slow.untilEnded(), next.untilEnded()]);
  expect(slow.result?.error).toBe("the job ran for longer than its executionTimeout of 20 ms");
  expect(told).toEqual(["slow TIMED_OUT", "next COMPLETED"]);
  expect(jobs.total("TIMED_OUT")).toBe(1);
});

it("the time that a job waits is not its execution", async () => {
  const { jobs } = jobsOf();
  const first = await jobs.submit({ id: "first", input: "hang" }, 0, { ...long, executionMs: 200 });
  const second = await jobs.submit({ id: "second", input: "hang" }, 0, { ...long, executionMs: 50 });
  await first.untilEnded();
  expect(second.ended).toBe(false);
  await second.untilEnded();
  expect(second.status).toBe("TIMED_OUT");
});

it("a job is deleted when its ttl is over, waiting or running, and nobody is told", async () => {
  const { jobs, told } = jobsOf();
  await jobs.submit({ id: "running", input: "hang" }, 0, { ...long, ttlMs: 30 });
  await jobs.submit({ id: "waiting", input: "hang" }, 0, { ...long, ttlMs: 10 });
  await gone(jobs, "waiting");
  await gone(jobs, "running");
  const after = await jobs.submit({ id: "after", input: 1 }, 0, long);
  await after.untilEnded();
  expect(told).toEqual(["after COMPLETED"]);
});

it("a result is deleted when its time is over", async () => {
  const { jobs } = jobsOf();
  await (await jobs.submit({ id: "short", input: 1 }, 0, { ...long, keptMs: 5 })).untilEnded();
  await (await jobs.submit({ id: "kept", input: 1 }, 0, long)).untilEnded();
  await gone(jobs, "short");
  expect(jobs.find("kept")?.result).toEqual({ output: 1 });
});

it("a job is kept as long as it was asked to be while it ran, whatever the time of results", async () => {
  const { jobs } = jobsOf();
  const job = await jobs.submit({ id: "asked", input: "fail" }, 0, { ...long, keptMs: 5 });
  jobs.keepFor(job, 600_000);
  await job.untilEnded();
  await (await jobs.submit({ id: "later", input: 1 }, 0, { ...long, keptMs: 50 })).untilEnded();
  await gone(jobs, "later");
  expect(jobs.find("asked")).toBe(job);
  const again = await jobs.retry(job);
  await again.untilEnded();
  await (await jobs.submit({ id: "later", input: 1 }, 0, { ...long, keptMs: 50 })).untilEnded();
  await gone(jobs, "later");
  expect(jobs.find("asked")).toBe(again);
  const short = await jobs.submit({ id: "short", input: "hang" }, 0, long);
  jobs.keepFor(short, 30);
  await gone(jobs, "short");
});

it("what failed can be run again with its input until it is deleted, what went well cannot", async () => {
  const { jobs, told } = jobsOf();
  const failed = await jobs.submit({ id: "j", input: "fail" }, 7, long);
  await failed.untilEnded();
  expect(failed.keptBytes).toBe(failed.outlet.bytes + 7);
  const again = await jobs.retry(failed);
  await again.untilEnded();
  expect(jobs.find("j")).toBe(again);
  expect([again.retries, again.job.input, jobs.retried]).toEqual([1, "fail", 1]);
  expect(told).toEqual(["j FAILED", "j FAILED"]);
  const done = await jobs.submit({ id: "k", input: 1 }, 7, long);
  await done.untilEnded();
  expect([done.canRunAgain, done.job.input]).toEqual([false, null]);
  await expect(jobs.retry(done)).rejects.toThrow("job k cannot be run again");
});

it("jobs wait while there is no room, until there is said to be some", async () => {
  let limit = 0;
  const { jobs } = jobsOf(() => limit);
  const job = await jobs.submit({ id: "j", input: 1 }, 0, long);
  expect(job.status).toBe("IN_QUEUE");
  limit = 1;
  await jobs.fill();
  await job.untilEnded();
  expect(job.status).toBe("COMPLETED");
});

it("an end that its listener cannot tell stops neither the queue nor a drain", async () => {
  const { jobs, told, lines } = jobsOf(undefined, () => {
    throw new RangeError("nested too deeply");
  });
  for (const id of ["a", "b"]) await jobs.submit({ id, input: 1 }, 0, long);
  await jobs.find("b")?.untilEnded();
  await jobs.submit({ id: "c", input: "hang" }, 0, long);
  for (const id of ["d", "e"]) await jobs.submit({ id, input: 1 }, 0, long);
  expect(jobs.purge()).toHaveLength(2);
  await jobs.failAll("leaving");
  expect(told).toEqual(["a COMPLETED", "b COMPLETED", "d CANCELLED", "e CANCELLED", "c FAILED"]);
  expect(lines).toHaveLength(5);
  expect(lines[0]).toContain("a | Nobody was told of its end: nested too deeply");
});
