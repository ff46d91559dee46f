// Worker threads that generate, end and are ended, judged by exit code.
import { describe, expect, it } from "vitest";
import { runFixture } from "../helpers/programs.js";

const minute = 60_000;

describe("worker threads", () => {
  it("can be terminated mid-generation while the main thread generates on", { timeout: minute }, async () => {
    const ending = await runFixture("terminate-worker.mjs");
    expect(ending).toMatchObject({ code: 0, signal: null, stdout: "true\ntrue\n", stderr: "" });
  });

  it("can be terminated at any point of loading", { timeout: minute }, async () => {
    const ending = await runFixture("terminate-while-loading.mjs");
    expect(ending).toMatchObject({ code: 0, signal: null, stdout: "true\n", stderr: "" });
  });

  it("generate two at once and the main thread beside them", { timeout: minute }, async () => {
    const ending = await runFixture("two-workers.mjs");
    expect(ending).toMatchObject({ code: 0, signal: null, stdout: "true\n", stderr: "" });
  });
});
