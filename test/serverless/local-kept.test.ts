// How much the local API keeps of what it has answered.
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, it } from "vitest";
import { startApi } from "./harness.js";

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
