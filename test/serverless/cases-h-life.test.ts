// Conformance cases H and I: the heartbeat and a worker's life, with workers in
// processes of their own.
import { describe, expect, it, vi } from "vitest";
import { createPlatform, type Platform, type PlatformOptions } from "../../tools/platform-emulator/index.mjs";
import { type Child, spawnWorker } from "./child.js";
import { finished, gate, type Scene, withWorker } from "./harness.js";

const echo = async (job: { input: unknown }) => job.input;

async function withChild(
  {
    platform: options,
    env = {},
    before,
    program = "worker",
  }: {
    platform?: PlatformOptions;
    env?: Record<string, string>;
    before?: (platform: Platform) => void;
    program?: string;
  },
  work: (platform: Platform, child: Child) => Promise<void>,
): Promise<void> {
  const platform = await createPlatform(options);
  before?.(platform);
  const child = spawnWorker(program, platform.env(env));
  try {
    await work(platform, child);
  } finally {
    child.process.kill("SIGKILL");
    await child.ended;
    await platform.close();
  }
}

const pingsOf = (platform: Platform) =>
  platform.calls("ping").filter((call) => !call.url.includes("status="));

describe("heartbeat", () => {
  it("case 83: pings keep their period while the worker's own thread is busy", async () => {
    const intervalMs = 200;
    await withChild({ platform: { pingIntervalMs: intervalMs } }, async (platform) => {
      platform.enqueue({ id: "busy", input: { blockMs: 2000, echo: 1 } });
      await platform.until(() => platform.job("busy").done.length === 1);
      const { at: taken = 0 } = platform.calls("job-take")[0] ?? {};
      const { at: done = 0 } = platform.calls("job-done")[0] ?? {};
      const times = pingsOf(platform).map((call) => call.at);
      expect(times[0]).toBeLessThan(taken + intervalMs); // before or with the first take
      const during = times.filter((time) => time > taken && time < done);
      expect(during.length).toBeGreaterThanOrEqual(7); // of nine or ten
      expect((done - taken) / during.length).toBeLessThan(intervalMs * 2);
    });
  });

  it("case 84: pings name the jobs that wait and run, and no job_id when idle", async () => {
    const { open, opened } = gate();
    const list = [
      { id: "a", input: 1 },
      { id: "b", input: 1 },
      { id: "c/d", input: 1 },
    ];
    const handler = async () => void (await opened);
    const before = (platform: Platform) => platform.script("job-take", [{ status: 200, body: list }]);
    await withWorker(handler, { platform: { pingIntervalMs: 100 }, before }, async ({ platform }) => {
      const named = () => platform.calls("ping").find((call) => call.url.includes("job_id="));
      await platform.until(named);
      expect(named()?.url).toMatch(/\?job_id=a%2Cb%2Cc%2Fd&runpod_version=1\.12\.0$/);
      expect(named()?.headers).toMatchObject({ authorization: "secret-key" });
      open();
      await platform.until(() =>
        platform.calls("ping").at(-1)?.url.endsWith("/ping/w1?runpod_version=1.12.0"),
      );
    });
  });

  it("case 85: a ping that fails is logged and the next one comes", async () => {
    const troubles = [{ status: 500 }, { drop: "before" as const }, { delayMs: 500 }];
    const before = (platform: Platform) => platform.script("ping", troubles);
    await withWorker(echo, { platform: { pingIntervalMs: 100 }, before }, async ({ platform, worker }) => {
      await platform.until(() => platform.calls("ping").length >= 8);
      expect(
        worker.lines.filter((line) => line.includes("Ping Request Error")).length,
      ).toBeGreaterThanOrEqual(2);
      expect((await finished(platform, { id: "x", input: 5 })).done).toEqual([{ output: 5 }]);
    });
  });

  it("case 86: two thousand ids keep the request line below 64 KiB", async () => {
    const { open, opened } = gate();
    const list = Array.from({ length: 2000 }, (_, index) => ({
      id: `${String(index).padStart(36, "0")}-u1`,
      input: 1,
    }));
    const before = (platform: Platform) => platform.script("job-take", [{ status: 200, body: list }]);
    await withWorker(
      async () => void (await opened),
      { platform: { pingIntervalMs: 100 }, before },
      async ({ platform, worker }) => {
        await platform.until(() => platform.calls("ping").some((call) => call.url.length > 10_000));
        const longest = Math.max(...platform.calls("ping").map((call) => call.url.length));
        expect(longest).toBeLessThan(64 * 1024);
        const { query } = platform.calls("ping").find((call) => call.url.length > 10_000)?.parameters ?? {};
        const ids = query?.get("job_id")?.split(",") ?? [];
        expect(ids.every((id) => /^\d{36}-u1$/.test(id))).toBe(true); // none is cut
        worker.signal("SIGTERM");
        worker.signal("SIGTERM");
        open();
      },
    );
  });

  it("that dies is begun again, and the job that runs is not given to another", async () => {
    const options = { program: "heartless", platform: { pingIntervalMs: 300 } };
    await withChild(options, async (platform, child) => {
      platform.enqueue({ id: "long", input: 1 });
      const named = () => platform.calls("ping").filter((call) => call.url.includes("job_id=long"));
      await platform.until(() => named().length >= 8, "pings name the job");
      expect(platform.job("long")).toMatchObject({ status: "IN_PROGRESS", takes: 1 });
      expect(child.process.exitCode).toBeNull();
    });
  });

  it("that cannot begin ends the worker before it takes a job", async () => {
    await withChild({ program: "heartless", env: { TEST_HEART: "missing" } }, async (platform, child) => {
      expect(await child.ended).toBe(1);
      expect(platform.calls("job-take")).toEqual([]);
      expect(platform.calls("ping").map((call) => call.parameters.query?.get("check"))).toEqual([
        "heartbeat",
      ]);
      expect(child.lines.at(-1)).toBe("ERROR  | Worker is unhealthy, exiting.");
    });
  });

  it("case 87: a check that fails is one unhealthy ping, exit 1, and no take", async () => {
    await withChild({ env: { TEST_CHECK: "no model" } }, async (platform, child) => {
      expect(await child.ended).toBe(1);
      const sick = platform.calls("ping");
      expect(sick).toHaveLength(1);
      expect(sick[0]?.url).toMatch(
        /status=unhealthy&check=hasModel&reason=Error%3A%20no%20model&runpod_version=1\.12\.0$/,
      );
      expect(platform.calls("job-take", "job-take-batch")).toEqual([]);
      expect(child.lines).toContain("ERROR  | Fitness check failed: hasModel | Error: no model");
    });
  });

  it("case 88: a platform that nobody reaches does not delay the exit", async () => {
    await withChild(
      { env: { TEST_CHECK: "x", RUNPOD_WEBHOOK_PING: "http://10.255.255.1:9/ping/$RUNPOD_POD_ID" } },
      async (_platform, child) => {
        const at = performance.now();
        expect(await child.ended).toBe(1);
        expect(performance.now() - at).toBeLessThan(60_000); // the system gives a connection up after two minutes
      },
    );
  });

  it("case 88a: a killed worker pings no more", async () => {
    await withChild({ platform: { pingIntervalMs: 100 } }, async (platform, child) => {
      await platform.until(() => platform.calls("ping").length >= 2);
      child.process.kill("SIGKILL");
      await child.ended;
      await new Promise((resolve) => setTimeout(resolve, 400)); // one may be on its way
      const count = platform.calls("ping").length;
      await new Promise((resolve) => setTimeout(resolve, 500));
      expect(platform.calls("ping").length).toBe(count);
    });
  });
});

describe("a worker's life", () => {
  it("case 89: SIGTERM when idle ends it at once with 0, polls that are held or not", async () => {
    await withChild({ platform: { holdMs: 60_000 } }, async (platform, child) => {
      await platform.until(
        () => platform.calls("job-take").length > 0 && platform.calls("job-stop").length > 0,
      );
      const at = performance.now();
      child.process.kill("SIGTERM");
      expect(await child.ended).toBe(0);
      expect(performance.now() - at).toBeLessThan(30_000); // a poll is held for a minute
    });
  });

  it("case 90: SIGTERM lets running jobs end, takes no other, and pings meanwhile", async () => {
    await withChild({ platform: { pingIntervalMs: 100 } }, async (platform, child) => {
      platform.enqueue({ id: "running", input: { sleepMs: 900, echo: "done" } });
      await platform.until(() => child.lines.join("\n").includes("Started."));
      child.process.kill("SIGTERM");
      await platform.until(() => child.lines.join("\n").includes("taking no more jobs"));
      const [pings, takes] = [platform.calls("ping").length, platform.calls("job-take").length];
      platform.enqueue({ id: "late", input: { echo: 1 } });
      expect(await child.ended).toBe(0);
      expect(platform.job("running").done).toEqual([{ output: "done" }]);
      expect(platform.calls("job-take").length).toBe(takes);
      expect(platform.calls("ping").length).toBeGreaterThan(pings);
      expect(platform.job("late").status).toBe("IN_QUEUE");
    });
  });

  it("case 91: a job that comes as the signal comes is done, not lost", async () => {
    for (const delayMs of [0, 1, 2, 5, 10, 20]) {
      const platform = await createPlatform({ holdMs: 60_000 });
      const child = spawnWorker("worker", platform.env());
      await platform.until(
        () => platform.calls("job-take").length > 0 && platform.calls("job-stop").length > 0,
      );
      platform.enqueue({ id: "race", input: { echo: 1 } });
      await new Promise((resolve) => setTimeout(resolve, delayMs));
      child.process.kill("SIGTERM");
      expect(await child.ended).toBe(0);
      const job = platform.job("race");
      expect(job.status).toBe(job.takes === 0 ? "IN_QUEUE" : "COMPLETED");
      await platform.close();
    }
  });

  it.each([
    ["with a heartbeat", {}],
    ["without one", { RUNPOD_WEBHOOK_PING: "" }],
  ])("case 92: a second signal fails what runs and ends at once, %s", async (_name, env) => {
    await withChild({ env }, async (platform, child) => {
      platform.enqueue({ id: "long", input: { untilStopped: true, echo: 1 } });
      await platform.until(() => child.lines.join("\n").includes("Started."));
      child.process.kill("SIGTERM");
      await platform.until(() => child.lines.join("\n").includes("taking no more jobs"));
      const polls = platform.calls("job-take", "job-stop");
      await platform.until(() => polls.every((call) => call.answeredAt !== undefined)); // the job is all that is left
      child.process.kill("SIGTERM");
      expect(await child.ended).toBe(0);
      expect(platform.job("long").done).toEqual([{ error: "worker shutting down" }]);
    });
  });

  it.each([[false], [true]])(
    "case 93: a worker that was frozen asks again when it thaws (sockets dead: %s)",
    async (dead) => {
      await withChild({ platform: { holdMs: 2000 } }, async (platform, child) => {
        await platform.until(() => platform.calls("job-take").length > 0);
        child.process.kill("SIGSTOP");
        await new Promise((resolve) => setTimeout(resolve, 7000));
        if (dead) platform.script("job-take", [{ drop: "before" }]);
        child.process.kill("SIGCONT");
        const at = performance.now();
        const { done } = await finished(platform, { id: "thawed", input: { echo: 7 } });
        expect(done).toEqual([{ output: 7 }]);
        expect(performance.now() - at).toBeLessThan(30_000); // a take that is lost is given up after 90 s
        expect(child.process.exitCode).toBeNull();
      });
    },
    60_000,
  );

  it.each([[3_600_000], [-3_600_000]])(
    "case 94: a wall clock that jumps by %d ms ends nothing early",
    async (jumpMs) => {
      const { now } = Date;
      let jumped = 0;
      Date.now = () => now() + jumped; // before the worker takes it
      const { open, opened } = gate<number>();
      // A ping that a starved machine answers late is another matter.
      const options = { platform: { pingIntervalMs: 5000 }, env: { RUNPOD_LOG_LEVEL: "DEBUG" } };
      const work = async ({ platform, worker }: Scene) => {
        const jumps = () => worker.lines.filter((line) => line.includes("did not run for a while")).length;
        platform.enqueue({ id: "long", input: 1 });
        await platform.until(() => platform.job("long").status === "IN_PROGRESS");
        const before = jumps();
        jumped = jumpMs;
        await platform.until(() => jumps() > before, "the jump is noticed");
        open(5);
        await platform.until(() => platform.job("long").done.length === 1);
        expect(platform.job("long").done).toEqual([{ output: 5 }]);
        expect((await finished(platform, { id: "next", input: 1 })).done).toEqual([{ output: 5 }]);
        expect(worker.lines.join("\n")).not.toContain("ERROR");
      };
      try {
        await withWorker(async () => opened, options, work);
      } finally {
        Date.now = now;
      }
    },
  );

  it("case 95: a platform that answers 400 for a while gets its job done afterwards", async () => {
    const troubles = Array.from({ length: 8 }, () => ({ status: 400 }));
    await withWorker(
      echo,
      // A ping that a starved machine answers late is another matter.
      {
        platform: { pingIntervalMs: 5000 },
        before: (platform) => platform.script("job-take", troubles),
      },
      async ({ platform, worker }) => {
        expect((await finished(platform, { id: "x", input: 1 })).done).toEqual([{ output: 1 }]);
        expect(worker.lines.join("\n")).not.toContain("ERROR");
      },
    );
  });

  it.each([1, 8])("case 97: short jobs in %d slots follow each other without a pause", async (slots) => {
    const handler = async () => void (await new Promise((resolve) => setImmediate(resolve)));
    await withWorker({ handler, concurrencyModifier: () => slots }, {}, async ({ platform }) => {
      await platform.until(() => platform.calls("job-take", "job-take-batch").length > 0);
      // From here on no timer ends in this thread: who pauses does so for ever.
      vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
      try {
        for (let index = 0; index < 40 * slots; index += 1) platform.enqueue({ id: `j${index}`, input: 1 });
        while (!platform.book.all.every((job) => job.done.length === 1)) await platform.nextChange();
      } finally {
        vi.useRealTimers();
      }
    });
  });

  it.each([
    ["null", () => null],
    ["0", () => 0],
    ["-1", () => -1],
    ["NaN", () => Number.NaN],
    [
      "an exception",
      () => {
        throw new Error("no");
      },
    ],
    ["a promise of text", async () => "many"],
  ])(
    "case 98: a concurrency modifier that gives %s counts as 1, and is warned of once",
    async (_name, modifier) => {
      await withWorker(
        { handler: echo, concurrencyModifier: modifier as never },
        {},
        async ({ platform, worker }) => {
          for (const id of ["a", "b"])
            expect((await finished(platform, { id, input: 2 })).done).toEqual([{ output: 2 }]);
          expect(platform.calls("job-take-batch")).toEqual([]);
          expect(worker.lines.filter((line) => line.includes("concurrencyModifier"))).toHaveLength(1);
        },
      );
    },
  );

  it("case 98: 2.7 is 2, and a promise is awaited", async () => {
    await withWorker({ handler: echo, concurrency_modifier: async () => 2.7 }, {}, async ({ platform }) => {
      await platform.until(() => platform.calls("job-take-batch").length > 0);
      expect(platform.calls("job-take-batch")[0]?.url).toContain("batch_size=2&");
    });
  });

  it("case 99: a lower limit ends no job and takes none until there is room", async () => {
    const gates = Array.from({ length: 9 }, () => gate());
    let limit = 8;
    const handler = async (job: { input: unknown }) => void (await gates[Number(job.input)]?.opened);
    await withWorker({ handler, concurrencyModifier: () => limit }, {}, async ({ platform }) => {
      for (let index = 0; index < 8; index += 1) platform.enqueue({ id: `j${index}`, input: index });
      await platform.until(() => platform.book.queued === 0);
      limit = 2;
      platform.enqueue({ id: "j8", input: 8 });
      await platform.nextChange(50);
      for (let index = 0; index < 6; index += 1) gates[index]?.open();
      await platform.until(() => platform.book.all.filter((job) => job.done.length === 1).length === 6);
      await new Promise((resolve) => setTimeout(resolve, 400));
      expect(platform.job("j8").status).toBe("IN_QUEUE");
      gates[6]?.open();
      await platform.until(() => platform.job("j8").status === "IN_PROGRESS");
      for (const { open } of gates) open();
      await platform.until(() => platform.book.all.every((job) => job.done.length === 1));
    });
  });

  it("case 100: a higher limit takes more at once, while jobs run", async () => {
    const { open, opened } = gate();
    let limit = 1;
    const handler = async () => void (await opened);
    await withWorker({ handler, concurrencyModifier: () => limit }, {}, async ({ platform }) => {
      for (const id of ["a", "b", "c", "d"]) platform.enqueue({ id, input: 1 });
      await platform.until(() => platform.job("a").status === "IN_PROGRESS");
      limit = 4;
      await platform.until(() => platform.book.queued === 0, "all four run");
      expect(platform.calls("job-take-batch")[0]?.url).toContain("batch_size=3&");
      open();
      await platform.until(() => platform.book.all.every((job) => job.done.length === 1));
    });
  });
});
