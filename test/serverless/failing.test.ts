// A worker that fails all its jobs at once: also the job that a take brings which was
// under way.
import { expect, it } from "vitest";
import { createPlatform } from "../../tools/platform-emulator/index.mjs";
import { startWorker } from "./harness.js";

it("a job that is handed out while the worker breaks down is answered", async () => {
  const platform = await createPlatform();
  const payload = { id: "late", input: 1 };
  platform.enqueue(payload);
  const headers = { Authorization: "secret-key" };
  await fetch(`${platform.url}/v2/ep/job-take/w1?job_in_progress=0`, { headers }); // leased, the answer on its way
  platform.script("job-take", [{ status: 200, body: payload, delayMs: 50 }]);
  const worker = startWorker(() => new Promise(() => {}), platform.env());
  await platform.until(() => platform.calls("job-take").length === 2);
  worker.breakDown(new Error("too bad"));
  expect(await worker.ended).toBe(1);
  expect(platform.job("late").done).toEqual([{ error: "the worker broke down: Error: too bad" }]);
  await platform.close();
});
