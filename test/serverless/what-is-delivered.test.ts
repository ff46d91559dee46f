// What counts as delivered: each status, at the first attempt and after one that may
// or cannot have arrived, for results, errors and streamed items; through the emulated
// platform's sockets and through proxies that limit, break and redirect.
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, it } from "vitest";
import { readConfig } from "../../src/serverless/config.js";
import { Delivery, type Receipt } from "../../src/serverless/delivery.js";
import { WireClient } from "../../src/serverless/wire-client.js";
import { createPlatform, type Platform, type Trouble } from "../../tools/platform-emulator/index.mjs";
import { createProxy } from "../../tools/platform-emulator/proxy.mjs";
import { finished, startWorker, withWorker } from "./harness.js";

type Verdict = Receipt["type"] | "retried";
type Before = "first attempt" | "after one that may have arrived" | "after one that cannot have arrived";

const befores: readonly Before[] = [
  "first attempt",
  "after one that may have arrived",
  "after one that cannot have arrived",
];
/** Answers that leave open whether the platform has the post. */
const may: readonly Trouble[] = [{ drop: "before" }, { status: 502 }, { status: 408 }];
/** Answers that say that it has not. */
const cannot: readonly Trouble[] = [{ status: 429 }, { status: 403 }, { status: 302 }];

function verdictOn(status: number, before: Before): Verdict {
  if (status >= 200 && status < 300) return "delivered";
  if (status === 413) return "refused";
  if (![400, 404, 409, 410].includes(status)) return "retried";
  return before === "after one that may have arrived" ? "delivered" : "refused";
}

const statuses = [
  200, 201, 202, 204, 300, 301, 302, 303, 304, 305, 307, 308, 400, 401, 402, 403, 404, 405, 407, 408, 409,
  410, 411, 413, 414, 415, 421, 422, 425, 426, 429, 431, 451, 500, 501, 502, 503, 504, 520,
];

const kinds = [
  { kind: "result", route: "job-done", body: '{"output":1}' },
  { kind: "error", route: "job-done", body: '{"error":"no"}' },
  { kind: "item", route: "job-stream", body: '{"output":1}' },
] as const;

/** A platform whose worker holds a job, and the worker's way to speak of it. */
async function holding(origin?: (platform: Platform) => Promise<string>) {
  const platform = await createPlatform({ pingIntervalMs: 60_000 });
  const id = platform.enqueue({ input: 1 });
  const client = new WireClient();
  const headers = { Authorization: "secret-key" };
  const take = `${platform.url}/v2/ep/job-take/w1?job_in_progress=0`;
  await client.request({ method: "GET", url: take, headers, timeoutMs: 10_000 });
  const delivery = new Delivery(client, readConfig(platform.env()), () => 1);
  const base = (await origin?.(platform)) ?? platform.url;
  return {
    platform,
    id,
    send: (route: string, body: string, budgetMs = 60_000) => {
      const url = `${base}/v2/ep/${route}/w1/${id}?isStream=false`;
      return delivery.send({ url, jobId: id, body, budgetMs, signal: new AbortController().signal });
    },
    async close() {
      client.close();
      await platform.close();
    },
  };
}

/** What a status means at the end of these answers, and whether it was sent once more. */
async function verdictOf(route: string, body: string, troubles: readonly Trouble[]): Promise<Verdict> {
  const { platform, send, close } = await holding();
  platform.script(route, troubles);
  const receipt = await send(route, body);
  const attempts = platform.calls(route).length;
  await close();
  return attempts > troubles.length ? "retried" : receipt.type;
}

describe("a post", () => {
  const cases = statuses.flatMap((status, index) =>
    befores.map((before) => {
      const list = before === "first attempt" ? [] : before.includes("cannot") ? cannot : may;
      const earlier = list.slice(index % 3, (index % 3) + 1);
      return { status, before, troubles: [...earlier, { status }], verdict: verdictOn(status, before) };
    }),
  );

  it.concurrent.each(cases)("is $verdict by status $status, $before", async ({ troubles, verdict }) => {
    const verdicts = await Promise.all(kinds.map(({ route, body }) => verdictOf(route, body, troubles)));
    expect(verdicts).toEqual([verdict, verdict, verdict]);
  });

  it.concurrent.each([400, 404, 409, 410])(
    "is refused by a %d after a refused connection",
    async (status) => {
      const holder = createServer().listen(0, "127.0.0.1");
      await once(holder, "listening");
      const { port } = holder.address() as AddressInfo;
      await closed(holder);
      const { send, close } = await holding(async () => `http://127.0.0.1:${port}`);
      const sending = send("job-done", "{}");
      await new Promise((resolve) => setTimeout(resolve, 20)); // the first attempt finds nobody
      const server = createServer((_request, response) => response.writeHead(status).end());
      server.listen(port, "127.0.0.1");
      expect(await sending).toEqual({ type: "refused", status, mayHaveArrived: false });
      await closed(server);
      await close();
    },
  );

  it("is refused by a 400 after a connection that broke before all of it was sent", async () => {
    let attempts = 0;
    const server = createServer((request, response) => {
      attempts += 1;
      if (attempts === 1) request.once("data", () => request.socket.resetAndDestroy());
      else request.resume().on("end", () => response.writeHead(400).end());
    });
    const { send, close } = await holding(() => listening(server));
    const body = JSON.stringify({ output: "y".repeat(15e6) });
    expect(await send("job-done", body)).toEqual({ type: "refused", status: 400, mayHaveArrived: false });
    await closed(server);
    await close();
  });

  it.each([
    [200, "delivered"],
    [404, "refused"],
    [413, "refused"],
  ])("is judged by the status %d of an answer that breaks off", async (status, verdict) => {
    const server = createServer((request, response) => {
      request.resume();
      response.writeHead(status, { "Content-Length": 100 });
      response.write("half", () => request.socket.resetAndDestroy());
    });
    const { send, close } = await holding(() => listening(server));
    expect(await send("job-done", "{}")).toMatchObject({ type: verdict });
    await closed(server);
    await close();
  });

  it("is sent once more at the end of its time, though Retry-After says longer", async () => {
    const { platform, send, close } = await holding();
    platform.script("job-done", [{ status: 503, headers: { "Retry-After": "86400" } }]);
    expect(await send("job-done", '{"output":1}', 300)).toMatchObject({ type: "delivered" });
    await close();
  });
});

describe("a redirect", () => {
  it.each([307, 308])("%d within the origin is followed with method, body and key", async (status) => {
    const { platform, id, send, close } = await holding();
    const moved = `/v2/ep/job-done/w1/${id}?moved=1`;
    platform.script("job-done", [
      { status, headers: { Location: moved } },
      { status, headers: { Location: `${platform.url}${moved}&again=1` } },
    ]);
    expect(await send("job-done", '{"output":"here"}')).toMatchObject({ type: "delivered" });
    expect(platform.job(id).done).toEqual([{ output: "here" }]);
    expect(platform.calls("job-done").at(-1)?.url).toBe(`${moved}&again=1`);
    expect(platform.violations).toEqual([]);
    await close();
  });

  it.each([301, 302, 303, 307, 308])("%d to another origin is not followed, and told", async (status) => {
    const seen: string[] = [];
    const stranger = createServer((request, response) => {
      seen.push(String(request.headers.authorization));
      response.end();
    });
    const Location = `${await listening(stranger)}/job-done`;
    const { platform, send, close } = await holding();
    platform.script("job-done", [{ status, headers: { Location } }]);
    const reason = `status ${status}, a redirect to ${Location}`;
    expect(await send("job-done", "{}", 0)).toEqual({ type: "undelivered", reason, mayHaveArrived: false });
    expect(seen).toEqual([]);
    await close();
    await closed(stranger);
  });

  it("that leads in a circle ends", async () => {
    const { platform, send, close } = await holding();
    platform.script(
      "job-done",
      Array.from({ length: 6 }, () => ({ status: 307, redirect: true })),
    );
    expect(await send("job-done", "{}", 0)).toMatchObject({ type: "undelivered" });
    expect(platform.calls("job-done")).toHaveLength(6);
    await close();
  });
});

/** A worker behind a proxy that takes a megabyte, until its job has ended. */
async function behindProxy(
  handler: Parameters<typeof withWorker>[0],
  manners: readonly ("reset" | "early" | "late")[],
  budgetMs = 20_000,
) {
  const platform = await createPlatform();
  const proxy = await createProxy(platform.url, { limitBytes: 1e6, manners });
  const own = platform.env();
  const behind = Object.entries(own).map(([name, value]) => [name, value.replace(platform.url, proxy.url)]);
  const env = { ...Object.fromEntries(behind), INFERNODE_DELIVERY_BUDGET_MS: String(budgetMs) };
  const worker = startWorker(handler, env);
  const job = await finished(platform, { id: "job-1", input: 1 });
  worker.signal("SIGTERM");
  await worker.ended;
  await proxy.close();
  await platform.close();
  return { job, refused: proxy.refused, violations: platform.violations };
}

describe("behind a proxy that limits bodies", () => {
  const large = "y".repeat(3e6);
  it.each([
    [["early"]],
    [["late"]],
    [["reset", "early"]],
    [["reset", "late"]],
    [["reset", "reset", "late"]],
  ] as const)("a large result becomes a small error: %j", async (manners) => {
    const { job, refused, violations } = await behindProxy(async () => large, manners);
    expect(refused).toEqual(manners);
    expect(job.done).toEqual([
      { error: expect.stringMatching(/^Output of 3\.0 MB exceeds the RunPod limit/) },
    ]);
    expect(violations).toEqual([]);
  });

  it.each([
    ["19 bytes", "result", [{ status: 413 }]],
    ["20.0 kB", "y".repeat(20e3 - 13), [{ drop: "before" }, { status: 413 }]],
    ["2.0 MB", "y".repeat(2e6), [{ status: 413 }, { drop: "after" }]],
  ] as const)(
    "a 413 of %s is answered with an error, whatever came before and after",
    async (size, value, troubles) => {
      const before = { before: (platform: Platform) => platform.script("job-done", troubles) };
      await withWorker(
        async () => value,
        before,
        async ({ platform, worker }) => {
          const { done } = await finished(platform, { input: 1 });
          expect(done[0]?.error).toContain(`Output of ${size} exceeds`);
          await platform.until(() => platform.calls("job-done").at(-1)?.status !== undefined);
          expect(worker.lines.join("\n")).not.toContain("Failed to return");
        },
      );
    },
  );

  it("a large result becomes a small error where the proxy only ever breaks the connection", async () => {
    const { job } = await behindProxy(async () => large, ["reset"], 500);
    expect(job.done[0]?.error).toMatch(/^Output of 3\.0 MB did not reach the platform: /);
  });

  it("a large output beside an error becomes a small error, and stopPod is kept", async () => {
    const options = { refreshWorker: true, handler: async () => ({ error: "halfway", text: large }) };
    const { job } = await behindProxy(options, ["late"]);
    expect(job.done).toEqual([{ error: expect.stringContaining("exceeds the RunPod limit"), stopPod: true }]);
  });

  const event = `data: ${JSON.stringify({ text: '"'.repeat(1000) })}\n\n`;
  async function* events() {
    yield event.repeat(450);
  }

  it("events that are too large together come in parts, none lost", async () => {
    const { job, refused } = await behindProxy(events, ["late"]);
    expect(refused.length).toBeGreaterThan(0);
    expect(job.stream.join("")).toBe(event.repeat(450));
    expect(job.done).toEqual([{ output: [] }]);
  });

  it("an item that is too large fails a job whose items are nowhere else", async () => {
    async function* stream() {
      yield "before";
      yield { large };
      yield "after";
    }
    const alone = await behindProxy(stream, ["early"]);
    expect(alone.job.stream).toEqual(["before", "after"]);
    expect(alone.job.done).toEqual([{ error: "1 streamed item did not reach the platform: status 413" }]);
  });
});

describe("a stream", () => {
  async function* stream() {
    yield 1;
    yield 2;
  }

  it.each([400, 404, 413])(
    "whose item is refused with %d fails the job that has it nowhere else",
    async (status) => {
      const before = { before: (platform: Platform) => platform.script("job-stream", [{ status }]) };
      const error = `1 streamed item did not reach the platform: status ${status}`;
      await withWorker(stream, before, async ({ platform }) => {
        const { done, stream: items } = await finished(platform, { input: 1 });
        expect(items).toEqual([2]);
        expect(done).toEqual([{ error }]);
      });
      await withWorker({ handler: stream, returnAggregateStream: true }, before, async ({ platform }) => {
        expect((await finished(platform, { input: 1 })).done).toEqual([{ output: [1, 2] }]);
      });
    },
  );

  it.each([404, 413])(
    "whose events are refused with %d tells its reader, where they were",
    async (status) => {
      const event = (name: string) => `data: {"text":"${name}"}\n\n`;
      async function* events() {
        yield event("a");
        yield event("b");
        yield "data: [DONE]\n\n";
      }
      const before = { before: (platform: Platform) => platform.script("job-stream", [{ status }]) };
      await withWorker({ handler: events, returnAggregateStream: true }, before, async ({ platform }) => {
        const { stream: items, done } = await finished(platform, { input: 1 });
        const [gap = "", ...rest] = items.join("").split(/(?<=\n\n)/);
        expect(JSON.parse(gap.slice(6)).error).toMatchObject({
          type: "server_error",
          message: `1 streamed item did not reach the platform: status ${status}`,
        });
        expect(rest).toEqual([event("b"), "data: [DONE]\n\n"]);
        expect((done[0]?.output as string[] | undefined)?.join("")).toBe(
          `${event("a")}${event("b")}data: [DONE]\n\n`,
        );
      });
    },
  );
});

async function listening(server: Server): Promise<string> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function closed(server: Server): Promise<void> {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
}
