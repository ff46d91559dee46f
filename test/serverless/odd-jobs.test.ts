// Jobs with odd fields, and handlers that log, iterate and throw in odd ways: each job
// ends, with its own reason.
import { describe, expect, it } from "vitest";
import type { Job, JobContext } from "../../src/serverless/contract.js";
import { finished, withWorker } from "./harness.js";

describe("a job", () => {
  it("whose batchId cannot become text ends as any other, also where it comes twice", async () => {
    const odd = { id: "odd", input: 1, batchId: { toString: 1, valueOf: 1 } };
    const twice = [{ status: 200, body: [odd, odd] }];
    await withWorker(
      async () => "done",
      { before: (platform) => platform.script("job-take", twice) },
      async ({ platform }) => {
        await platform.until(() => platform.calls("job-done").length > 0, "the odd job has ended");
        expect(platform.calls("job-done")[0]?.body).toBe('{"output":"done"}');
        expect((await finished(platform, { id: "next", input: 1 })).done).toEqual([{ output: "done" }]);
      },
    );
  });
});

describe("a handler", () => {
  it("may log any value", async () => {
    const refuse = () => {
      throw new Error("do not look");
    };
    const values = [undefined, null, 5n, Symbol("mark"), { a: 1 }, [1], new TypeError("why"), refuse];
    const hostile = [{ toString: refuse, toJSON: refuse }, new Proxy({}, { get: refuse })];
    const handler = (_job: Job, { log }: JobContext) => {
      for (const value of [...values, ...hostile]) log.info(value as string);
      return "logged";
    };
    await withWorker(handler, {}, async ({ platform, worker }) => {
      expect((await finished(platform, { id: "x", input: 1 })).done).toEqual([{ output: "logged" }]);
      for (const text of ["undefined", "null", "5", "Symbol(mark)", '{"a":1}', "[1]", "TypeError: why"])
        expect(worker.lines.some((line) => line.includes(`| x | ${text}`))).toBe(true);
    });
  });

  it.each<[string, () => unknown]>([
    ["asynchronous", asyncSteps],
    ["synchronous", steps],
  ])("may stream by an %s next() alone", async (_name, made) => {
    let ended = 0;
    const handler = () => Object.assign(made() as object, { return: () => ({ done: true, value: ++ended }) });
    await withWorker({ handler, returnAggregateStream: true }, {}, async ({ platform }) => {
      const { done } = await finished(platform, { id: "x", input: 1 });
      expect(done).toEqual([{ output: [1, 2] }]);
      expect(ended).toBe(0);
    });
  });

  it("that throws an error of megabytes fails with both ends of it", async () => {
    const handler = async () => {
      throw new Error(`the reason: ${"x".repeat(30e6)} at the end`);
    };
    await withWorker(handler, {}, async ({ platform }) => {
      const [done] = (await finished(platform, { id: "x", input: 1 })).done;
      const told = JSON.parse(String(done?.error));
      expect(told.error_message).toMatch(
        /^the reason: x+\n\.\.\.TRUNCATED \d+ CHARACTERS\.\.\.\nx+ at the end$/,
      );
      expect(done?.error?.length).toBeLessThan(1e6);
    });
  });

  it.each<[string, () => unknown]>([
    ["an error it returns", () => ({ error: `the reason: ${"x".repeat(30e6)}` })],
    [
      "an error in a stream",
      async function* () {
        yield 1;
        throw `the reason: ${"x".repeat(30e6)}`;
      },
    ],
  ])("may have megabytes in %s", async (_name, handler) => {
    await withWorker(handler, {}, async ({ platform }) => {
      const [done] = (await finished(platform, { id: "x", input: 1 })).done;
      expect(done?.error).toContain("the reason: x");
      expect(done?.error?.length).toBeLessThan(1e6);
    });
  });
});

function steps() {
  let count = 0;
  return { next: () => ({ done: ++count > 2, value: count }) };
}

function asyncSteps() {
  const { next } = steps();
  return { next: async () => next() };
}
