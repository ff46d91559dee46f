// The worker's figures, as Prometheus reads them.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, it } from "vitest";
import { finished, gate, withWorker } from "./harness.js";

/** Values by name and labels. */
async function scraped(lines: readonly string[]): Promise<Map<string, number>> {
  const [, port] =
    lines.map((line) => /Metrics are at port (\d+)/.exec(line)).find((found) => found !== null) ?? [];
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  const values = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(
    values.map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.slice(line.lastIndexOf(" ")))]),
  );
}

describe("metrics", () => {
  it("count jobs by their end, and tell what runs", async () => {
    const { open, opened } = gate();
    const handler = async (job: { input: unknown }) => {
      if (job.input === "throw") throw new Error("no");
      if (job.input === "wait") await opened;
      return 1;
    };
    const env = { INFERNODE_METRICS_PORT: "0" };
    const before = (platform: { script(route: string, list: readonly object[]): void }) =>
      platform.script("job-take-batch", [{ status: 500 }]);
    await withWorker(
      { handler, concurrencyModifier: () => 3 },
      { env, before },
      async ({ platform, worker }) => {
        await finished(platform, { id: "good", input: 1 });
        await finished(platform, { id: "bad", input: "throw" });
        platform.enqueue({ id: "stopped", input: "wait" });
        await platform.until(() => platform.job("stopped").status === "IN_PROGRESS");
        platform.stop("stopped");
        await platform.until(() => worker.lines.some((line) => line.includes("stopped | Stopped.")));
        platform.enqueue({ id: "running", input: "wait" });
        await platform.until(() => worker.lines.some((line) => line.includes("running | Started.")));
        const values = await scraped(worker.lines);
        expect(values.get("infernode_jobs_taken_total")).toBe(4);
        expect(values.get("infernode_take_failures_total")).toBe(1);
        expect(values.get("infernode_jobs_running")).toBe(1);
        expect(values.get("infernode_jobs_waiting")).toBe(0);
        for (const outcome of ["completed", "failed", "stopped"]) {
          expect(values.get(`infernode_job_seconds_count{outcome="${outcome}"}`)).toBe(1);
        }
        expect(values.get("process_resident_memory_bytes")).toBeGreaterThan(1e6);
        open();
      },
    );
  });

  it("that cannot be served keep no job from being done", async () => {
    const server = createServer().listen(0);
    await new Promise((resolve) => server.once("listening", resolve));
    const { port } = server.address() as AddressInfo;
    await withWorker(
      async () => 1,
      { env: { INFERNODE_METRICS_PORT: String(port) } },
      async ({ platform, worker }) => {
        expect((await finished(platform, { id: "x", input: 1 })).done).toEqual([{ output: 1 }]);
        expect(worker.lines.some((line) => line.includes(`The metrics port ${port} cannot be had`))).toBe(
          true,
        );
      },
    );
    server.close();
  });
});
