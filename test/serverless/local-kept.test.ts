// How much the local API keeps of what it has answered, and of what it has not.
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, it } from "vitest";
import { gate, startApi } from "./harness.js";

const kept = (count: number) => Array.from({ length: count }, () => "COMPLETED");

it("results of ended jobs are bounded in bytes: the oldest go first, the last one stays", async () => {
  const { worker, url } = await startApi(async ({ input }) => "y".repeat(input.megabytes * 1e6));
  const ids: string[] = [];
  const call = async (path: string, body?: string) => {
    const response = await fetch(`${url}${path}`, body === undefined ? {} : { method: "POST", body });
    return (await response.json()) as { readonly id: string; readonly status: string };
  };
  const run = async (megabytes: number) => {
    ids.push((await call("/runsync", JSON.stringify({ input: { megabytes } }))).id);
  };
  const statusOf = async (back: number) => (await call(`/status/${ids.at(-back)}`)).status;
  try {
    for (let index = 0; index < 15; index += 1) await run(5);
    expect([await statusOf(1), await statusOf(13), await statusOf(14)]).toEqual([...kept(2), "FAILED"]); // 64 MiB
    await run(19);
    expect([await statusOf(1), await statusOf(10), await statusOf(11)]).toEqual([...kept(2), "FAILED"]); // 19 + 9 * 5
  } finally {
    worker.signal("SIGTERM");
    await worker.ended;
  }
});

it("inputs are not kept beyond their jobs", async () => {
  const weak: WeakRef<object>[] = [];
  const { worker, url } = await startApi(async ({ input }) => void weak.push(new WeakRef(input)));
  const input = { text: "y".repeat(5e6) };
  await fetch(`${url}/runsync`, { method: "POST", body: JSON.stringify({ input }) });
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  for (let turn = 0; turn < 50 && weak[0]?.deref() !== undefined; turn += 1) {
    await new Promise((resolve) => setImmediate(resolve));
    collect();
  }
  expect(weak.map((reference) => reference.deref())).toEqual([undefined]);
  worker.signal("SIGTERM");
  await worker.ended;
});

it("jobs that wait are bounded in bytes: one too many is told to come later, none is lost", async () => {
  const { open, opened } = gate();
  const { worker, url } = await startApi(async () => void (await opened));
  const post = (path: string, body: object) =>
    fetch(`${url}${path}`, { method: "POST", body: JSON.stringify(body) });
  const large = { text: "y".repeat(19e6) };
  try {
    for (let index = 0; index < 4; index += 1) {
      expect((await post("/run", { input: large })).status).toBe(200); // one runs, three wait
    }
    for (const path of ["/run", "/runsync"]) {
      const refused = await post(path, { input: large });
      expect([refused.status, refused.headers.get("retry-after")]).toEqual([429, "1"]);
      expect(await refused.json()).toEqual({ error: expect.stringContaining("3 jobs wait already") });
    }
    const call = await post("/openai/v1/completions", large);
    expect(call.status).toBe(429);
    expect(await call.json()).toMatchObject({ error: { type: "rate_limit_error" } });
    expect((await post("/run", { input: {} })).status).toBe(200); // a small one has room
    const { jobs } = (await (await fetch(`${url}/health`)).json()) as { jobs: object };
    expect(jobs).toMatchObject({ inProgress: 1, inQueue: 4, failed: 0 });
  } finally {
    open();
    worker.signal("SIGTERM");
    expect(await worker.ended).toBe(0);
  }
});

it("items of one stream are bounded in bytes: the job fails and says so", async () => {
  let made = 0;
  const { worker, url } = await startApi(async function* () {
    for (; made < 20; made += 1) yield "y".repeat(5e6);
  });
  const response = await fetch(`${url}/runsync`, { method: "POST", body: '{"input":{}}' });
  const told = (await response.json()) as { readonly status: string; readonly error: string };
  worker.signal("SIGTERM");
  await worker.ended;
  expect(told.status).toBe("FAILED");
  expect(told.error).toContain("streamed items of more than 67108864 bytes");
  expect(made).toBe(13);
});
