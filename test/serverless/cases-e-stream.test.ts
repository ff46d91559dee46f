// Conformance cases E and F: what a generator yields, and progress.
import { describe, expect, it } from "vitest";
import type { JobContext } from "../../src/serverless/contract.js";
import { finished, gate, withWorker } from "./harness.js";

const job = { id: "job-1", input: {} };
const sse = (value: unknown) => `data: ${JSON.stringify(value)}\n\n`;

async function* numbers(count: number) {
  for (let index = 0; index < count; index += 1) yield index;
}

describe("streams", () => {
  it("case 59: items come in order, one post at a time", async () => {
    const before = {
      before: (platform: { script(route: string, list: readonly object[]): void }) =>
        platform.script(
          "job-stream",
          Array.from({ length: 20 }, (_, index) => ({ delayMs: (index * 7) % 20 })),
        ),
    };
    await withWorker(
      () => numbers(20),
      before,
      async ({ platform }) => {
        const { stream, done } = await finished(platform, job);
        expect(stream).toEqual(Array.from({ length: 20 }, (_, index) => index));
        expect(done).toEqual([{ output: [] }]);
        const calls = platform.calls("job-stream");
        for (const [index, call] of calls.entries()) {
          expect(call.url).toContain("&isStream=false");
          if (index > 0) expect(call.at).toBeGreaterThanOrEqual(calls[index - 1]?.answeredAt ?? Infinity);
        }
      },
    );
  });

  it("case 60: the aggregate is the list of all items as they were posted, else empty", async () => {
    await withWorker(
      { handler: () => numbers(3), return_aggregate_stream: true },
      {},
      async ({ platform }) => {
        expect((await finished(platform, job)).done).toEqual([{ output: [0, 1, 2] }]);
      },
    );
    await withWorker(
      () => numbers(3),
      {},
      async ({ platform }) => {
        expect((await finished(platform, job)).done).toEqual([{ output: [] }]);
      },
    );
  });

  it("case 61: an error in the middle keeps what came before, and fails the job", async () => {
    async function* stream() {
      yield "a";
      throw new Error("broke");
    }
    await withWorker({ handler: stream, returnAggregateStream: true }, {}, async ({ platform }) => {
      const { stream: items, done, status } = await finished(platform, job);
      expect(items).toEqual(["a"]);
      expect(status).toBe("FAILED");
      expect(done[0]?.error).toMatch(/^handler: broke \ntraceback: Error: broke\n/);
      expect(done[0]).not.toHaveProperty("output");
    });
  });

  it("case 62: an item that is an error ends the stream, and closes the generator", async () => {
    let closed = false;
    async function* stream() {
      try {
        yield 1;
        yield { error: { code: 4 }, more: 1 };
        yield 2;
      } finally {
        closed = true;
      }
    }
    await withWorker(stream, {}, async ({ platform }) => {
      const { stream: items, done } = await finished(platform, job);
      expect(items).toEqual([1]);
      expect(done).toEqual([{ error: '{"code":4}' }]);
      expect(closed).toBe(true);
    });
  });

  it("case 63: a post that fails is tried again, one that is refused is logged, and the stream goes on", async () => {
    const troubles = [{ status: 500 }, { drop: "before" as const }, { pass: false }, { status: 404 }];
    const before = {
      before: (platform: { script(route: string, list: readonly object[]): void }) =>
        platform.script(
          "job-stream",
          troubles.filter((each) => !("pass" in each)),
        ),
    };
    await withWorker(
      () => numbers(3),
      before,
      async ({ platform, worker }) => {
        const { stream, done } = await finished(platform, job);
        expect(stream).toEqual([1, 2]); // 0 met 500, a broken connection and 404 after both
        expect(done).toEqual([{ output: [] }]);
        expect(worker.lines.join("\n")).not.toContain("Captured Handler Exception");
      },
    );
  });

  it("case 64: an empty generator's output is an empty list", async () => {
    await withWorker(
      () => numbers(0),
      {},
      async ({ platform }) => {
        expect((await finished(platform, job)).done).toEqual([{ output: [] }]);
      },
    );
  });

  it("case 65: events above a megabyte are split between events", async () => {
    const events = Array.from({ length: 30 }, (_, index) => sse({ index, text: "ö".repeat(30_000) }));
    async function* stream() {
      yield events.join("");
    }
    await withWorker({ handler: stream, returnAggregateStream: true }, {}, async ({ platform }) => {
      const { stream: items, done } = await finished(platform, job);
      expect(items.length).toBeGreaterThan(1);
      for (const item of items as string[]) {
        expect(Buffer.byteLength(item)).toBeLessThanOrEqual(1_000_000);
        expect(item.endsWith("\n\n")).toBe(true);
      }
      expect(items.join("")).toBe(events.join(""));
      expect(done).toEqual([{ output: items }]);
    });
  });

  it("case 66: events that wait are joined, so that a slow platform makes no stream lag", async () => {
    const sent = new Map<number, number>();
    async function* stream() {
      for (let index = 0; index < 100; index += 1) {
        sent.set(index, performance.now());
        yield sse(index);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    }
    const slow = {
      before: (platform: { script(route: string, list: readonly object[]): void }) =>
        platform.script(
          "job-stream",
          Array.from({ length: 100 }, () => ({ delayMs: 150 })),
        ),
    };
    await withWorker(stream, slow, async ({ platform }) => {
      const { stream: items } = await finished(platform, job);
      expect(items.join("")).toBe(Array.from({ length: 100 }, (_, index) => sse(index)).join(""));
      const calls = platform.calls("job-stream");
      // One post at a time, however long the 100 events took.
      const tookMs = (sent.get(99) ?? Infinity) - (sent.get(0) ?? 0);
      expect(calls.length).toBeLessThanOrEqual(tookMs / 150 + 2);
      // A post has all that waited: what it leaves out came after the post before was answered.
      for (const [index, call] of calls.entries()) {
        const last = Number(/data: (\d+)\n\n$/.exec(JSON.parse(call.body).output)?.[1]);
        const answered = calls[index - 1]?.answeredAt ?? 0;
        expect(sent.get(last + 1) ?? Infinity).toBeGreaterThan(answered);
      }
    });
  });

  it("case 67: no character is torn and every chunk ends with its event", async () => {
    const text = "Grüße, 世界! 😀👩‍👩‍👧 ".repeat(50);
    async function* stream() {
      for (const character of text) yield sse(character);
      yield "data: [DONE]\n\n";
    }
    await withWorker(stream, {}, async ({ platform }) => {
      const items = (await finished(platform, job)).stream as string[];
      expect(items.every((item) => item.endsWith("\n\n"))).toBe(true);
      const events = items.join("").split("\n\n").slice(0, -1);
      expect(events.at(-1)).toBe("data: [DONE]"); // case 68
      expect(
        events
          .slice(0, -1)
          .map((event) => JSON.parse(event.slice(6)))
          .join(""),
      ).toBe(text);
    });
  });

  it("case 69: a generator that blocks the event loop does not stop the pings", async () => {
    function* stream() {
      yield 1;
      const end = performance.now() + 1200;
      while (performance.now() < end);
      yield 2;
    }
    await withWorker(
      { handler: stream, prepare: async () => {} },
      { platform: { pingIntervalMs: 100 } },
      async ({ platform }) => {
        // The platform shares this thread: its clock stands still too, but the pings are there.
        await finished(platform, job);
        await platform.until(() => platform.calls("ping").length >= 8);
      },
    );
  });

  it("case 70: an async iterable that a plain function gives is a stream", async () => {
    const iterable = { [Symbol.asyncIterator]: () => numbers(2) };
    for (const handler of [() => iterable, async () => iterable]) {
      await withWorker(handler, {}, async ({ platform }) => {
        expect((await finished(platform, job)).stream).toEqual([0, 1]);
      });
    }
  });

  it("case 71: text, lists and bytes are results, not streams", async () => {
    const values = ["text", [1, 2], Buffer.from("a")];
    await withWorker(
      async ({ input }) => values[Number(input)],
      {},
      async ({ platform }) => {
        for (const index of values.keys()) {
          const { stream, done } = await finished(platform, { id: `v${index}`, input: index });
          expect(stream).toEqual([]);
          expect(done[0]?.output).toEqual(["text", [1, 2], "YQ=="][index]);
        }
      },
    );
  });
});

describe("progress", () => {
  it("case 72: progress comes before the result and never after", async () => {
    let late: JobContext | undefined;
    const { open, opened } = gate();
    const handler = async (_job: unknown, context: JobContext) => {
      late = context;
      context.progress({ done: 1 });
      await opened;
      context.progress({ done: 2 });
      return "end";
    };
    await withWorker(handler, {}, async ({ platform }) => {
      const ending = finished(platform, job);
      await platform.until(() => platform.job("job-1").progress.length > 0);
      open();
      await ending;
      late?.progress("too late");
      await finished(platform, { id: "job-2", input: 1 });
      const calls = platform.calls("job-done").filter((call) => call.parameters.jobId === "job-1");
      const bodies = calls.map((call) => JSON.parse(call.body));
      expect(bodies[0]).toEqual({ status: "IN_PROGRESS", output: { done: 1 } });
      expect(bodies.at(-1)).toEqual({ output: "end" });
      expect(bodies.slice(0, -1).every((body) => body.status === "IN_PROGRESS")).toBe(true);
      expect(calls[0]?.url).toContain("isStream=false");
      expect(platform.violations).toEqual([]);
    });
  });

  it("case 73: a thousand updates at once are a few posts, the last of them the newest", async () => {
    const { open, opened } = gate();
    const handler = async (_job: unknown, context: JobContext) => {
      for (let index = 0; index < 1000; index += 1) context.progress(index);
      await opened;
      return 1;
    };
    await withWorker(handler, {}, async ({ platform }) => {
      platform.enqueue(job);
      await platform.until(() => platform.job("job-1").progress.at(-1) === 999);
      expect(platform.calls("job-done").length).toBeLessThan(5);
      open();
      await platform.until(() => platform.job("job-1").done.length > 0);
    });
  });

  it("case 74: progress that cannot be sent or written fails no job", async () => {
    const circular: Record<string, unknown> = {};
    circular.self = circular;
    const { open, opened } = gate();
    const handler = async (_job: unknown, context: JobContext) => {
      context.progress(circular);
      context.progress("lost");
      await opened;
      return 1;
    };
    await withWorker(
      handler,
      { before: (platform) => platform.script("job-done", [{ status: 500 }]) },
      async ({ platform }) => {
        const ending = finished(platform, job);
        await platform.until(() => platform.calls("job-done").length > 0);
        open();
        expect((await ending).done).toEqual([{ output: 1 }]);
      },
    );
  });
});
