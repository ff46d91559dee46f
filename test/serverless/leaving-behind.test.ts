// A worker that is told to leave at once while something hangs: the last word of its
// job does not wait for it.
import { expect, it } from "vitest";
import type { JobContext } from "../../src/serverless/contract.js";
import type { Platform } from "../../tools/platform-emulator/index.mjs";
import { withWorker } from "./harness.js";

const hangs = { delayMs: 60_000 };
const forever = new Promise(() => {});
async function* items() {
  yield "first";
  yield "second";
}
async function* events() {
  yield 'data: "first"\n\n';
  await forever;
}
async function progress(_job: unknown, context: JobContext) {
  context.progress("half");
  await forever;
}

it.each([
  ["an item", "job-stream", items, [hangs]],
  ["events", "job-stream", events, [hangs, hangs]], // also those that tell of the end
  ["progress", "job-done", progress, [hangs]],
] as const)("%s that hangs keeps no job's last word", async (_name, route, handler, troubles) => {
  const before = (platform: Platform) => platform.script(route, troubles);
  await withWorker(handler, { before }, async ({ platform, worker }) => {
    platform.enqueue({ id: "x", input: { openai_input: { stream: true } } });
    await platform.until(() => platform.calls(route).length > 0);
    worker.signal("SIGTERM");
    worker.signal("SIGTERM");
    expect(await worker.ended).toBe(0);
    expect(platform.job("x").done).toEqual([{ error: "worker shutting down" }]);
  });
});
