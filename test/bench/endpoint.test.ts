// Benchmarks of endpoints in processes of their own: counts that are the other end's, lengths
// that were asked for, errors by class, and endpoints that refuse, cut short or die.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { apiBase } from "../../src/bench/endpoint-target.js";
import { benchEndpoint, countsOf, startEndpoint } from "./endpoint.js";

/** Requests that are asked before the load: ignore_eos, two lengths, the digest's four. */
const asksBefore = { chat: 7, tokens: 1 + 2 + 4 * 24 };

vi.setConfig({ testTimeout: 60_000 });

describe("a benchmark of an endpoint", () => {
  it.each(["chat", "completions"] as const)("counts what the endpoint counts (%s)", async (api) => {
    const address = await startEndpoint();
    const { ended, points, greedyDigest } = await benchEndpoint(`${address}/plain`, { api });
    expect(ended).toEqual({ reason: "finished", sentence: null });
    expect(greedyDigest?.sha256).toMatch(/^[0-9a-f]{64}$/);
    const repeats = points[0]?.repeats ?? [];
    const sum = (value: "finished" | "outputTokens") =>
      repeats.reduce((total, { requests }) => total + requests.all[value], 0);
    const { answers, tokens } = await countsOf(address);
    expect(sum("finished")).toBe(2 * (12 + 3));
    expect(answers).toBe(sum("finished") + asksBefore.chat);
    expect(tokens).toBe(sum("outputTokens") + asksBefore.tokens);
    expect(repeats.map(({ tokens: each }) => each.requestsWithOtherCounts)).toEqual([0, 0]);
    expect(repeats.map(({ tokens: each }) => each.clientOutputTokens)).toEqual([60, 60]);
  });

  it("sizes prompts by what the endpoint says of two lengths", async () => {
    const address = await startEndpoint();
    const { points } = await benchEndpoint(`${address}/plain`, { promptTokens: "uniform:50,90" });
    const achieved = points[0]?.repeats[0]?.tokens.promptTokens;
    // Two tokens a word and seven around them: off by one at most.
    expect(achieved?.max).toBeLessThanOrEqual(91);
    expect(achieved?.p50).toBeGreaterThanOrEqual(49);
    expect(achieved?.count).toBe(12);
  });

  it("sizes short prompts, too, of an endpoint whose words have different numbers of tokens", async () => {
    const address = await startEndpoint();
    const { points } = await benchEndpoint(`${address}/letters`, { promptTokens: "30", requests: 100 });
    // Words have four to five letters here, and a prompt has whole ones; it was 7.7 tokens off by a guess of what is not words.
    expect(Math.abs((points[0]?.repeats[0]?.tokens.promptTokens?.mean ?? 0) - 30)).toBeLessThan(4);
  });

  it("asks without ignore_eos where the endpoint refuses it, and says so", async () => {
    const address = await startEndpoint();
    const { ended, target } = await benchEndpoint(`${address}/no-ignore-eos`);
    expect(ended.reason).toBe("finished");
    expect(target).toMatchObject({ ignoreEos: false, model: "fox" });
  });

  it("counts events where the endpoint tells no tokens", async () => {
    const address = await startEndpoint();
    const { points } = await benchEndpoint(`${address}/no-usage`);
    expect(points[0]?.repeats[0]?.tokens).toMatchObject({
      ...{ serverOutputTokens: null, clientOutputTokens: 60, promptTokens: null, tokensPerEvent: 1 },
    });
  });

  it.each([
    ["busy", "http-503", "refused", "status 503: overloaded"],
    ["cut", "cut-short", "cut", "the stream ended before the answer did"],
  ] as const)(
    "%s: errors are counted by class, and equal the endpoint's",
    async (mode, name, count, example) => {
      const address = await startEndpoint();
      const { points, ended } = await benchEndpoint(`${address}/${mode}`, { warmup: 0 });
      expect(ended.reason).toBe("finished");
      const errors = points[0]?.repeats.map((repeat) => repeat.errors[name]) ?? [];
      const failed = errors.reduce((sum, error) => sum + (error?.count ?? 0), 0);
      expect(failed).toBeGreaterThan(0);
      expect(failed).toBe((await countsOf(address))[count]);
      expect(failed).toBe(points[0]?.overall.failed);
      expect(errors[0]?.example).toBe(example);
    },
  );

  it("rates: sends when requests are due, however late answers are", async () => {
    const address = await startEndpoint();
    const given = {
      concurrency: undefined,
      rate: [200],
      arrivals: "constant" as const,
      requests: 40,
      warmup: 4,
    };
    const { points } = await benchEndpoint(`${address}/plain`, given);
    const [repeat] = points[0]?.repeats ?? [];
    expect(repeat?.requests).toMatchObject({ sent: 40, finished: 40, warmup: 4 });
    expect(repeat?.window?.kind).toBe("steady");
    expect(repeat?.arrivals.sendDelayMs?.count).toBe(40);
    const { ttftMs, arrivalTtftMs } = repeat?.latency ?? {};
    expect(arrivalTtftMs?.mean).toBeGreaterThanOrEqual(ttftMs?.mean ?? Number.NaN);
  });

  it("replays a trace at its own times, or faster, with its lengths", async () => {
    const address = await startEndpoint();
    const folder = mkdtempSync(join(tmpdir(), "infernode-trace-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const trace = join(folder, "trace.jsonl");
    const times = [0, 40, 50, 300];
    const line = (timestamp: number) => JSON.stringify({ timestamp, input_length: 101, output_length: 3 });
    writeFileSync(trace, times.map(line).join("\n"));
    const given = { trace, traceSpeed: [1, 10], requests: undefined, concurrency: undefined };
    const { points, workloadFile } = await benchEndpoint(`${address}/plain`, given);
    expect(workloadFile).toMatchObject({ requests: 4 });
    expect(points.map(({ load }) => load)).toEqual([
      { type: "trace", speed: 1 },
      { type: "trace", speed: 10 },
    ]);
    for (const { load, repeats } of points) {
      const wanted = 300 / (load.type === "trace" ? load.speed : Number.NaN);
      for (const { requests, tokens, arrivals, window } of repeats) {
        expect(requests).toMatchObject({ sent: 4, finished: 4, warmup: 0 });
        expect(tokens.promptTokens?.p50).toBe(101);
        expect(tokens.outputTokens).toMatchObject({ count: 4, mean: 3 });
        expect(window?.durationMs).toBeCloseTo(wanted, 6); // by when they were due
        expect(arrivals.ratePerSecond).toBeGreaterThan(0);
      }
    }
  });

  it("cancels a share of the requests at the endpoint, too, and counts them apart", async () => {
    const address = await startEndpoint();
    const given = { cancelRate: 0.5, outputTokens: "20", warmup: 0, requests: 16 };
    const { points, ended } = await benchEndpoint(`${address}/drips`, given);
    expect(ended.reason).toBe("finished");
    const repeats = points[0]?.repeats ?? [];
    const abandoned = repeats.reduce((sum, { requests }) => sum + requests.abandoned, 0);
    expect(abandoned).toBeGreaterThan(4);
    for (const { requests, tokens, latency } of repeats) {
      expect(requests.finished + requests.abandoned).toBe(16);
      expect(requests).toMatchObject({ cancelled: 0, failed: 0 });
      expect(tokens.abandonedOutputTokens).toBeGreaterThanOrEqual(requests.abandoned);
      expect(latency.ttftMs?.count).toBe(requests.finished);
    }
    await vi.waitFor(async () => expect((await countsOf(address)).closed).toBe(abandoned));
  });

  it("by time: a request that is not answered in it is given up, which is no failure", async () => {
    const address = await startEndpoint();
    const given = { cancelRate: 1, cancelAfter: 30, warmup: 0, repeats: 1, requests: 40 };
    const { points, ended } = await benchEndpoint(`${address}/stalls-7`, given);
    expect(ended.reason).toBe("finished");
    expect(points[0]?.repeats[0]?.requests).toMatchObject({ sent: 40, abandoned: 40, failed: 0 });
  });

  it("converses: each request holds the answers before it", async () => {
    const address = await startEndpoint();
    const given = { turns: "3", outputTokens: "5", promptTokens: "61", warmup: 0, repeats: 1 };
    const { points } = await benchEndpoint(`${address}/plain`, { ...given, concurrency: [1], requests: 9 });
    const [repeat] = points[0]?.repeats ?? [];
    expect(repeat?.turns).toMatchObject({ count: 9, mean: 2, max: 3 });
    // Two tokens a word and seven around them: 27 words a turn and, with its leading space, five or six an answer.
    expect(repeat?.tokens.promptTokens?.p50).toBe(7 + 2 * (27 + 6 + 27));
  });

  it("fails where ten requests in a row take longer than the timeout", async () => {
    const address = await startEndpoint();
    const { ended, points } = await benchEndpoint(`${address}/stalls-20`, { timeout: 0.2, requests: 40 });
    expect(ended.reason).toBe("failed");
    expect(ended.sentence).toMatch(/\d+ requests in a row failed, the last one with: no end within 0.2 s/);
    const errors = points[0]?.repeats[0]?.errors ?? {};
    expect(Object.keys(errors)).toEqual(["timeout"]);
    expect(errors.timeout?.count).toBeLessThan(27); // not all of the forty were waited for
  });
});

describe("an endpoint that cannot be used, in one sentence", () => {
  it.each([
    [
      "locked",
      { apiKey: "wrong" },
      /\/locked\/v1\/models: status 401: Incorrect API key provided: the key is missing or wrong/,
    ],
    [
      "plain",
      { model: "wolf" },
      /status 404: The model wolf does not exist: .*correct --url or the model's name/,
    ],
  ])("%s %j", async (mode, given, sentence) => {
    const address = await startEndpoint();
    await expect(benchEndpoint(`${address}/${mode}`, given)).rejects.toThrow(sentence);
  });

  it("the right key opens it, and is in no result", async () => {
    const address = await startEndpoint();
    const result = await benchEndpoint(`${address}/locked`, { apiKey: "right" });
    expect(result.ended.reason).toBe("finished");
    expect(JSON.stringify(result)).not.toContain('"right"');
  });

  it("nothing answers there", async () => {
    await expect(benchEndpoint("http://127.0.0.1:1")).rejects.toThrow(
      /nothing answers at http:\/\/127\.0\.0\.1:1\/v1\/models: .*ECONNREFUSED.*correct --url/,
    );
  });

  it("one that dies midway fails with what was measured, marked", async () => {
    const address = await startEndpoint();
    const { ended, points } = await benchEndpoint(`${address}/dies-30`);
    expect(ended.reason).toBe("failed");
    expect(ended.sentence).toMatch(/requests in a row failed, the last one with: .*ECONNREFUSED/);
    expect(points).toHaveLength(1);
    expect(points[0]?.isComplete).toBe(false);
    const [whole, partial] = points[0]?.repeats ?? [];
    expect(whole?.requests).toMatchObject({ sent: 12, finished: 12 });
    // 30 answers less 7 before the load and 15 of the first repeat are left.
    expect(partial?.requests.all.finished).toBe(8);
    // What was in flight is closed, or was sent again and found nobody.
    const classes = Object.keys(partial?.errors ?? {});
    expect(classes).toContain("connect");
    expect(classes.filter((name) => name !== "connect" && name !== "closed")).toEqual([]);
  });
});

it.each([
  ["http://localhost:8000", "http://localhost:8000/v1"],
  ["http://localhost:8000/v1/", "http://localhost:8000/v1"],
  ["https://api.example.org/openai/v1/chat/completions", "https://api.example.org/openai/v1"],
  ["https://user:secret@example.org/v2/abc/openai", "https://example.org/v2/abc/openai/v1"],
])("%s means %s", (given, base) => expect(apiBase(new URL(given))).toBe(base));
