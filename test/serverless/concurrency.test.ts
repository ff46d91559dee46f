// A concurrency modifier that does not answer, and a preparation that does not end: jobs
// go on, and the worker leaves when it is told to.
import { describe, expect, it } from "vitest";
import { finished, gate, startApi, startWorker, withWorker } from "./harness.js";

const echo = async (job: { input: unknown }) => job.input;
const never = () => new Promise<number>(() => {});

describe("a concurrency modifier that never answers", () => {
  it("keeps the limit as it is: jobs are taken, and SIGTERM ends the worker", async () => {
    await withWorker({ handler: echo, concurrencyModifier: never }, {}, async ({ platform, worker }) => {
      for (const id of ["a", "b", "c"])
        expect((await finished(platform, { id, input: 1 })).status).toBe("COMPLETED");
      expect(platform.calls("job-take-batch")).toEqual([]);
      const said = worker.lines.filter((line) => line.includes("concurrencyModifier"));
      expect(said).toEqual([
        "WARN   | concurrencyModifier has not answered within 1000 ms; 1 stays in force until it does.",
      ]);
      worker.signal("SIGTERM");
      expect(await worker.ended).toBe(0);
    });
  });

  it("keeps nobody waiting who told the worker to leave before its first take", async () => {
    const asked = gate();
    const modifier = () => {
      asked.open();
      return never();
    };
    await withWorker({ handler: echo, concurrencyModifier: modifier }, {}, async ({ platform, worker }) => {
      await asked.opened;
      worker.signal("SIGTERM");
      expect(await worker.ended).toBe(0);
      expect(platform.calls("job-take", "job-take-batch")).toEqual([]);
      expect(worker.lines.join("\n")).not.toContain("has not answered");
    });
  });

  it("counts from its answer on, however late that comes", async () => {
    const answer = gate<number>();
    let asked = 0;
    const modifier = () => {
      asked += 1;
      return asked === 1 ? 3 : answer.opened;
    };
    await withWorker({ handler: echo, concurrencyModifier: modifier }, {}, async ({ platform, worker }) => {
      await platform.until(() => worker.lines.join("\n").includes("3 stays in force"));
      expect(asked).toBe(2); // it owes an answer, and is not asked again
      answer.open(5);
      await platform.until(() => platform.calls("job-take-batch").at(-1)?.url.includes("batch_size=5&"));
    });
  });

  it("holds up no job of the local API, and not its end", async () => {
    const { worker, url } = await startApi({ handler: echo, concurrencyModifier: never });
    for (const input of [{ n: 1 }, { n: 2 }]) {
      const response = await fetch(`${url}/runsync`, { method: "POST", body: JSON.stringify({ input }) });
      expect(await response.json()).toMatchObject({ status: "COMPLETED", output: input });
    }
    worker.signal("SIGTERM");
    expect(await worker.ended).toBe(0);
  });
});

describe("a preparation that never ends", () => {
  it("holds up no end of the local API", async () => {
    const { open, opened } = gate();
    const prepare = () => {
      open();
      return new Promise<void>(() => {});
    };
    const worker = startWorker({ handler: echo, prepare }, {}, ["--rp_serve_api", "--rp_api_port", "0"]);
    await opened;
    worker.signal("SIGTERM");
    expect(await worker.ended).toBe(0);
    expect(worker.lines.join("\n")).not.toContain("Serving");
  });
});
