// Events that wait for a slow platform are joined. Joining one more must cost the same
// however many wait, since it happens on the thread that runs all jobs.
import { expect, it } from "vitest";
import { withWorker } from "./harness.js";

const sse = (value: unknown) => `data: ${JSON.stringify(value)}\n\n`;

it("events that wait cost the same each, however many wait", async () => {
  /** Milliseconds of this process's CPU that `count` events take which all wait for the first post. */
  const cost = async (count: number) => {
    let used = 0;
    async function* many() {
      yield sse("first");
      const before = process.cpuUsage();
      for (let index = 0; index < count; index += 1) yield sse(index);
      const { user, system } = process.cpuUsage(before);
      used = (user + system) / 1000;
    }
    const before = { before: (platform: Scripted) => platform.script("job-stream", [{ delayMs: 1500 }]) };
    await withWorker(many, before, async ({ platform }) => {
      const id = platform.enqueue({ input: 1 });
      await platform.until(() => platform.job(id).done.length > 0);
      expect(platform.job(id).stream.join("")).toHaveLength(
        sse("first").length + Array.from({ length: count }, (_, index) => sse(index)).join("").length,
      );
    });
    return used;
  };
  const few = Math.min(await cost(5000), await cost(5000));
  const many = Math.min(await cost(40_000), await cost(40_000));
  expect(many / few).toBeLessThan(24); // 8 times as many; 64 would be quadratic
}, 60_000);

interface Scripted {
  script(route: string, list: readonly object[]): void;
}
