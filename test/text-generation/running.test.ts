// A job whose text is being generated: stops and streams, counted in the engine's steps
// and the platform's answers, so that the figures hold on any machine.
import { describe, expect, it } from "vitest";
import type { Handler } from "../../src/serverless/contract.js";
import { eventsOf, type TextScene, withTextWorker } from "./scene.js";

const messages = [{ role: "user", content: "Tell me a story about a fox." }];
const endless = { messages, max_tokens: 900, ignore_eos: true, stream: true };

/** The engine's steps when a worker hears of a stop: before it cancels, and right after. */
interface Heard {
  before?: number;
  after?: number;
}

/** Stops a job once it streams. @returns its id and the engine's steps when the slot is free */
async function stopRunning({ platform, service }: TextScene, heard: Heard) {
  const id = platform.enqueue({ input: { openai_input: endless } });
  await platform.until(() => platform.job(id).stream.length > 0, "the job streams");
  platform.stop(id);
  await platform.until(() => heard.after !== undefined, "the worker hears of the stop");
  await platform.until(() => service().engine.stats().running === 0, "the slot is free");
  return { id, steps: service().engine.stats().steps };
}

describe("a stop", () => {
  it("frees the slot within a step, and nothing is posted afterwards", async () => {
    let steps = () => 0;
    let heard: Heard = {};
    async function* listening(items: AsyncIterable<unknown>, signal: AbortSignal) {
      let listens = false;
      for await (const item of items) {
        // The engine listens too by now, so that this one is told after it.
        if (!listens) signal.addEventListener("abort", () => (heard.after = steps()));
        listens = true;
        yield item;
      }
    }
    const around = (handler: Handler): Handler => {
      return async (job, context) => {
        context.signal.addEventListener("abort", () => (heard.before = steps()));
        const given = await handler(job, context);
        return Symbol.asyncIterator in Object(given)
          ? listening(given as AsyncIterable<unknown>, context.signal)
          : given;
      };
    };
    const work = async (scene: TextScene) => {
      const { platform, run, service } = scene;
      steps = () => service().engine.stats().steps;
      const postsOf = (id: string) =>
        platform.calls("job-stream", "job-done").filter((call) => call.parameters.jobId === id).length;
      const counts: { readonly least: number; readonly most: number }[] = [];
      let late = 0;
      for (let round = 0; round < 8; round += 1) {
        heard = {};
        const stopped = await stopRunning(scene, heard);
        const posts = postsOf(stopped.id);
        expect((await run({ prompt: "Hi", params: { max_tokens: 2 } })).status).toBe("COMPLETED");
        late += postsOf(stopped.id) - posts;
        expect(platform.job(stopped.id).done).toEqual([]);
        const { before = 0, after = 0 } = heard;
        counts.push({ least: stopped.steps - after, most: stopped.steps - before });
      }
      const least = counts.map((count) => count.least);
      const most = counts.map((count) => count.most);
      console.log(
        `steps to the free slot: ${least.join(", ")} from the cancel on, ${most.join(", ")} from its ` +
          `cause on; posts after a stop: ${late}`,
      );
      expect(Math.max(...least)).toBeLessThanOrEqual(1);
      // Between cause and cancel the machine may give this thread no core for a while, but not always.
      expect(Math.min(...most)).toBeLessThanOrEqual(1);
      expect(late).toBe(0);
    };
    await withTextWorker({ MAX_NUM_SEQS: "1" }, work, { around });
  });
});

interface Made {
  /** Characters streamed with this item and before it. */
  readonly end: number;
  /** Posts the platform had answered when it was made. */
  readonly answered: number;
}

describe("a stream", () => {
  it("is of whole events, each at most two round trips behind generation, however slow the platform", async () => {
    const made: Made[] = [];
    let scene: TextScene | undefined;
    const answered = () =>
      (scene?.platform.calls("job-stream") ?? []).filter((call) => call.answeredAt !== undefined).length;
    async function* watched(items: AsyncIterable<unknown>) {
      let end = 0;
      for await (const item of items) {
        end += String(item).length;
        made.push({ end, answered: answered() });
        yield item;
      }
    }
    const around = (handler: Handler): Handler => {
      return async (job, context) => watched((await handler(job, context)) as AsyncIterable<unknown>);
    };
    const work = async (given: TextScene) => {
      scene = given;
      const slow = Array.from({ length: 200 }, () => ({ delayMs: 50 }));
      given.platform.script("job-stream", slow);
      const input = { openai_input: { ...endless, max_tokens: 300 } };
      const { stream } = await given.run(input);
      expect(eventsOf(stream).length).toBeGreaterThan(4);
      let end = 0;
      const ends = stream.map((item) => {
        expect(String(item).endsWith("\n\n")).toBe(true);
        end += String(item).length;
        return end;
      });
      const behind = made.map((item) => ends.findIndex((posted) => posted >= item.end) + 1 - item.answered);
      console.log(
        `${made.length} items in ${stream.length} posts, ${Math.max(...behind)} round trips behind at most`,
      );
      expect(Math.min(...behind)).toBeGreaterThanOrEqual(1);
      expect(Math.max(...behind)).toBeLessThanOrEqual(2);
    };
    await withTextWorker({}, work, { around });
  });
});
