// A model that is unloaded when nobody uses it: who waits for it, and what a failed load does.
import { expect, it } from "vitest";
import { ModelSleep } from "../../src/endpoint/model-sleep.js";
import { until } from "../http/scene.js";
import { gate } from "../serverless/harness.js";

/** A model whose loads end when the test says so. */
function scene(wakingMs = 60_000) {
  const loads: ReturnType<typeof gate<boolean>>[] = [];
  const counts = { unloads: 0, awake: 0 };
  const uses = { are: false };
  const sleep = new ModelSleep({
    idleMs: 1,
    wakingMs,
    load: () => {
      const load = gate<boolean>();
      loads.push(load);
      return load.opened;
    },
    unload: async () => {
      counts.unloads += 1;
    },
    isUsed: () => uses.are,
    onAwake: () => {
      counts.awake += 1;
    },
  });
  return { sleep, loads, counts, uses, asleep: () => until(() => sleep.residence === "unloaded") };
}

it("a model is loaded once for all that wait, and stays while it is used", async () => {
  const { sleep, loads, counts, uses, asleep } = scene();
  await asleep();
  uses.are = true;
  const waiting = [sleep.awake(), sleep.awake(), sleep.awake()];
  expect(sleep.awakeForJobs()).toBe(false);
  expect([sleep.residence, loads.length]).toEqual(["loading", 1]);
  loads[0]?.open(true);
  await Promise.all(waiting);
  expect([sleep.residence, sleep.loads, sleep.awakeForJobs()]).toEqual(["loaded", 2, true]);
  const before = counts.unloads;
  for (let turn = 0; turn < 50; turn += 1) await new Promise((resolve) => setTimeout(resolve));
  expect(counts.unloads).toBe(before);
  uses.are = false;
  await asleep();
  sleep.stop();
});

it("who waits for a load that fails is told so, and the next one tries again", async () => {
  const { sleep, loads, uses, asleep } = scene();
  await asleep();
  uses.are = true;
  const waiting = [sleep.awake(), sleep.awake()].map((one) => one.catch((thrown) => thrown.code));
  loads[0]?.open(false);
  expect(await Promise.all(waiting)).toEqual(["model_not_loaded", "model_not_loaded"]);
  expect(sleep.awakeForJobs()).toBe(false); // jobs wait a while before they try
  expect(loads).toHaveLength(1);
  const again = sleep.awake();
  loads[1]?.open(true);
  await again;
  sleep.stop();
});

it("a request waits for as long as it may, or its client stays", async () => {
  const { sleep, loads, uses, asleep } = scene(1);
  await asleep();
  uses.are = true;
  await expect(sleep.awake()).rejects.toMatchObject({ status: 503, code: "model_loading" });
  const left = new AbortController();
  left.abort();
  await expect(sleep.awake(left.signal)).rejects.toMatchObject({ status: 503 });
  loads[0]?.open(true);
  sleep.stop();
});
