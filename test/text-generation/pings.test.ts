// Pings while a long prompt is read, each of them, as they arrive at a socket.
import { once } from "node:events";
import { join } from "node:path";
import { Worker as Thread } from "node:worker_threads";
import { describe, expect, it } from "vitest";
import { type Done, type TextScene, withTextWorker } from "./scene.js";

/** A fifth of it is far more than a thread waits for a core that is due to it. */
const intervalMs = 1000;
const share = 0.2;
const intervals = 5;
const environment = {
  MODEL_NAME: "synthetic:llama?layers=8&dim=512&type=q8_0&context=65536",
  MAX_MODEL_LEN: "32768",
  MAX_NUM_SEQS: "1",
};

interface Recorded {
  readonly pings: readonly number[];
  /** Of the recorder's own timer. */
  readonly ticks: readonly number[];
}

class Recorder {
  readonly #thread: Thread;
  readonly port: number;

  private constructor(thread: Thread, port: number) {
    this.#thread = thread;
    this.port = port;
  }

  static async start(): Promise<Recorder> {
    const thread = new Thread(join(import.meta.dirname, "ping-recorder.mjs"));
    const [{ port }] = (await once(thread, "message")) as [{ port: number }];
    return new Recorder(thread, port);
  }

  /** What came since the last call; from now on pings are passed on to this platform. */
  async recorded(platformUrl: string): Promise<Recorded> {
    this.#thread.postMessage({ platformUrl });
    const [recorded] = (await once(this.#thread, "message")) as [Recorded];
    return recorded;
  }

  async stop(): Promise<void> {
    await this.#thread.terminate();
  }
}

/** One prompt of so many tokens, none of which was computed before. */
function read(run: TextScene["run"], tokens: number, salt: number): Promise<Done> {
  const prompt = Array.from({ length: tokens }, (_, index) => 300 + ((index * 7 + salt * 131) % 701));
  return run({ openai_route: "/v1/completions", openai_input: { prompt, max_tokens: 1 } });
}

const gapsOf = (times: readonly number[]) => times.slice(1).map((time, index) => time - (times[index] ?? 0));

/** The gaps between pings while a prompt is read. */
async function measure({ run, platform }: TextScene, recorder: Recorder, tokens: number, salt: number) {
  await recorder.recorded(platform.url);
  const began = performance.timeOrigin + performance.now();
  const { status } = await read(run, tokens, salt);
  const ended = performance.timeOrigin + performance.now();
  expect(status).toBe("COMPLETED");
  const { pings, ticks } = await recorder.recorded(platform.url);
  const during = (times: readonly number[]) => times.filter((time) => time > began && time < ended);
  return {
    tookMs: ended - began,
    gaps: gapsOf(during(pings)),
    starvedMs: Math.max(...gapsOf([began, ...during(ticks), ended])),
  };
}

/**
 * Measures until the prompt was long enough and the recorder on time: who was kept from
 * running for a tenth of an interval cannot judge a fifth of one. Not for ever: then it
 * is judged all the same.
 */
async function readLong(scene: TextScene, recorder: Recorder) {
  let { tookMs } = await measure(scene, recorder, 1000, 0);
  let tokens = 1000;
  for (let salt = 1; ; salt += 1) {
    tokens = Math.min(30_000, Math.ceil((tokens * 1.3 * intervals * intervalMs) / tookMs));
    const found = await measure(scene, recorder, tokens, salt);
    const clear = found.tookMs > intervals * intervalMs && found.starvedMs < (intervalMs * share) / 2;
    if (clear || salt === 6) return found;
    tookMs = found.tookMs;
  }
}

describe("pings", () => {
  it("each come on time while a prompt is read for five intervals and more", async () => {
    const recorder = await Recorder.start();
    const RUNPOD_WEBHOOK_PING = `http://127.0.0.1:${recorder.port}/v2/ep/ping/$RUNPOD_POD_ID`;
    const options = { platform: { pingIntervalMs: intervalMs }, env: { RUNPOD_WEBHOOK_PING } };
    const work = async (scene: TextScene) => {
      const { gaps, tookMs, starvedMs } = await readLong(scene, recorder);
      const off = gaps.map((gap) => (100 * (gap / intervalMs - 1)).toFixed(1));
      console.log(
        `${gaps.length + 1} pings in ${(tookMs / 1000).toFixed(1)} s of prefill; off their time by ` +
          `${off.join(", ")} %; the recorder waited ${starvedMs.toFixed(0)} ms at most`,
      );
      expect(tookMs).toBeGreaterThan(intervals * intervalMs);
      expect(gaps.length).toBeGreaterThanOrEqual(intervals - 1);
      for (const gap of gaps) {
        expect(gap).toBeGreaterThan(intervalMs * (1 - share));
        expect(gap).toBeLessThan(intervalMs * (1 + share));
      }
    };
    await withTextWorker(environment, work, options).finally(() => recorder.stop());
  }, 180_000);
});
