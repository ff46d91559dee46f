// Case 106: the webhooks of local jobs, over HTTP on this machine.
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Handler } from "../../src/serverless/contract.js";
import { jobJson } from "../../src/serverless/job-view.js";
import { LocalJobs } from "../../src/serverless/local-jobs.js";
import { Logger } from "../../src/serverless/logger.js";
import { Webhooks } from "../../src/serverless/webhooks.js";
import { configOf, gate, judged, startApi } from "./harness.js";

interface Call {
  readonly method: string | undefined;
  readonly body: () => Readonly<Record<string, unknown>>;
}

/** Statuses it answers with, one after the other; then 200. */
let answers: number[] = [];
let heard: Call[] = [];
/** It answers nothing before this. */
let mayAnswer = gate();
/** Calls that it has not answered yet, and how many there were at most. */
let open = 0;
let mostOpen = 0;
let hook: Server;
let webhook = "";

beforeEach(async () => {
  answers = [];
  heard = [];
  open = 0;
  mostOpen = 0;
  mayAnswer = gate();
  mayAnswer.open();
  hook = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const { method } = request;
    heard.push({ method, body: () => JSON.parse(Buffer.concat(chunks).toString()) });
    open += 1;
    mostOpen = Math.max(mostOpen, open);
    await mayAnswer.opened;
    open -= 1;
    response.writeHead(answers.shift() ?? 200, { Location: "/elsewhere" }).end();
  }).listen(0, "127.0.0.1");
  await once(hook, "listening");
  webhook = `http://127.0.0.1:${(hook.address() as AddressInfo).port}/hook`;
});
afterEach(() => {
  hook.closeAllConnections();
  hook.close();
});

const handler: Handler = async ({ input }, { signal }) => {
  const { echo, throws, waits } = input as { echo?: unknown; throws?: string; waits?: true };
  if (waits) await new Promise((resolve) => signal.addEventListener("abort", resolve));
  if (throws !== undefined) throw new Error(throws);
  return echo;
};

/** Jobs whose webhooks are told, with pauses of that length; `lastMs` is settled()'s time for attempts. */
function jobsOf(pauseMs = 0, bytesLimit = 1e6, lastMs = 30_000) {
  const lines: string[] = [];
  const logger = new Logger((line) => void lines.push(line), "INFO", false);
  const webhooks = new Webhooks(logger, pauseMs, bytesLimit, true, lastMs);
  const jobs = new LocalJobs({
    options: judged({ handler }),
    config: configOf({ RUNPOD_POD_ID: "w1" }),
    logger,
    limit: async () => 1,
    onEnd: (job) => webhooks.tell(job),
  });
  return { jobs, webhooks, lines };
}

describe("case 106: a webhook", () => {
  it("hears of every end, with what /status says", async () => {
    const { jobs, webhooks } = jobsOf();
    const inputs = [{ echo: { a: 1 } }, { throws: "too hot" }, { waits: true }, { echo: 1 }];
    const all = [];
    for (const [index, input] of inputs.entries())
      all.push(await jobs.submit({ id: `j${index}`, input, webhook }));
    const [, , running, waiting] = all;
    await all[1]?.untilEnded();
    if (waiting !== undefined) jobs.cancel(waiting);
    if (running !== undefined) jobs.cancel(running);
    for (const job of all) await job.untilEnded();
    await webhooks.settled();
    const bodies = heard.map(({ body }) => body()).sort((a, b) => String(a.id).localeCompare(String(b.id)));
    expect(bodies).toEqual(all.map((job) => JSON.parse(jobJson(job))));
    expect(bodies).toMatchObject([
      { id: "j0", status: "COMPLETED", output: { a: 1 }, workerId: "w1", executionTime: expect.any(Number) },
      { id: "j1", status: "FAILED", error: expect.stringContaining("too hot") },
      { id: "j2", status: "CANCELLED" },
      { id: "j3", status: "CANCELLED" },
    ]);
    expect(heard.every(({ method }) => method === "POST")).toBe(true);
  });

  it.each([
    [[], 1],
    [[500], 2],
    [[500, 404], 3],
    [[302, 200], 2],
  ])("that answers %j first is told %d times", async (statuses, times) => {
    answers = [...statuses];
    const { jobs, webhooks, lines } = jobsOf();
    await (await jobs.submit({ id: "j", input: { echo: 1 }, webhook })).untilEnded();
    await webhooks.settled();
    expect(heard).toHaveLength(times);
    expect(heard.every(({ body }) => body().output === 1)).toBe(true);
    expect(lines.join("")).not.toContain("was not told");
  });

  it.each([
    [[503, 500, 301], "it answered 301, a redirect to /elsewhere"],
    [[500, 500, 500], "it answered 500"],
  ])("that answers %j is given up, and the log says why", async (statuses, reason) => {
    answers = [...statuses];
    const { jobs, webhooks, lines } = jobsOf();
    await (await jobs.submit({ id: "j", input: { echo: 1 }, webhook })).untilEnded();
    await webhooks.settled();
    expect(heard).toHaveLength(3);
    expect(lines.join("")).toContain(`The webhook of job j was not told: ${reason}`);
  });

  it("that keeps failing is given up early where too many bytes wait for it", async () => {
    answers = Array.from({ length: 100 }, () => 500);
    const { jobs, webhooks, lines } = jobsOf(600_000, 8000);
    const echo = "y".repeat(1000);
    for (let index = 0; index < 10; index += 1) {
      await (await jobs.submit({ id: `j${index}`, input: { echo }, webhook })).untilEnded();
    }
    const givenUp = () => lines.filter((line) => line.includes("at attempt 1 of 3")).length;
    while (heard.length < 10 || givenUp() === 0) await new Promise((resolve) => setImmediate(resolve));
    await webhooks.settled();
    expect(givenUp()).toBeLessThan(10);
    expect(heard).toHaveLength(30 - 2 * givenUp());
  });

  it("that cannot be reached costs its job nothing", async () => {
    const { jobs, webhooks, lines } = jobsOf();
    const job = await jobs.submit({ id: "j", input: { echo: 1 }, webhook: "http://127.0.0.1:9/" });
    await job.untilEnded();
    await webhooks.settled();
    expect(job.status).toBe("COMPLETED");
    expect(lines.join("")).toContain("The webhook of job j was not told");
  });

  /** Purges so many jobs that wait, while their webhook answers nothing; then 32 of them are being told. */
  async function purged(count: number, { jobs, lines }: ReturnType<typeof jobsOf>) {
    mayAnswer = gate();
    const running = await jobs.submit({ id: "running", input: { waits: true } });
    for (let index = 0; index < count; index += 1) await jobs.submit({ id: `j${index}`, input: 1, webhook });
    expect(jobs.purge()).toHaveLength(count);
    while (open < 32) await new Promise((resolve) => setImmediate(resolve));
    for (let turn = 0; turn < 50; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    const connections = await promisify(hook.getConnections.bind(hook))();
    jobs.cancel(running);
    return { connections, notTold: () => lines.filter((line) => line.includes("was not told")) };
  }

  it("is one of 32 that are told at once, though a purge ends many jobs", async () => {
    const parts = jobsOf();
    const { connections, notTold } = await purged(200, parts);
    expect(connections).toBe(32);
    mayAnswer.open();
    await parts.webhooks.settled();
    expect([heard.length, mostOpen, notTold()]).toEqual([200, 32, []]);
    expect(new Set(heard.map(({ body }) => body().id)).size).toBe(200);
  });

  it("is not told where the results that wait for their turn are too many bytes", async () => {
    const parts = jobsOf(0, 5000);
    const { notTold } = await purged(200, parts);
    const dropped = notTold().length;
    expect(dropped).toBeGreaterThan(0);
    expect(notTold()[0]).toMatch(
      /: \d+ bytes of results wait for their webhooks already, at most 5000 may\./,
    );
    mayAnswer.open();
    await parts.webhooks.settled();
    expect(dropped).toBeLessThan(200 - 32);
    expect([heard.length, notTold().length]).toEqual([200 - dropped, dropped]);
  });

  it("whose turn has not come when the server's last time is over is not told", async () => {
    const parts = jobsOf(0, 1e6, 0);
    const { notTold } = await purged(40, parts);
    const settled = parts.webhooks.settled();
    mayAnswer.open();
    await settled;
    expect([heard.length, notTold().length]).toEqual([32, 8]);
    expect(notTold()[0]).toContain("the server ends");
  });

  it("whose URL Node cannot call is given up, and the worker can leave", async () => {
    const { jobs, webhooks, lines } = jobsOf();
    const odd = "http://a:%ff@1.1.1.1/";
    await (await jobs.submit({ id: "j", input: { echo: 1 }, webhook: odd })).untilEnded();
    await webhooks.settled();
    expect(lines.join("")).toContain("The webhook of job j was not told: URI malformed");
  });

  it("is told the rest of its times without pauses when the worker leaves", async () => {
    answers = [500, 500];
    const ran = gate();
    const { worker, url } = await startApi(async () => ran.open());
    await fetch(`${url}/run`, { method: "POST", body: JSON.stringify({ input: {}, webhook }) });
    await ran.opened;
    worker.signal("SIGTERM");
    expect(await worker.ended).toBe(0);
    expect(heard).toHaveLength(3);
  });
});
