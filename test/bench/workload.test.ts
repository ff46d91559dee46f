// The requests of workloads: traces and their blocks, conversations, cancelled requests, and files
// that are none.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { judgeBenchmark, loadsOf } from "../../src/bench/options.js";
import type { PromptSizer } from "../../src/bench/prompt-text.js";
import type { PlannedAsk } from "../../src/bench/record.js";
import type { TraceRequest } from "../../src/bench/trace-file.js";
import { Workload, type WorkloadOptions } from "../../src/bench/workload.js";
import { longestRequest, readWorkloadFile } from "../../src/bench/workload-file.js";

const folder = mkdtempSync(join(tmpdir(), "infernode-workload-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** One token a word, and seven beside the text. */
const sizer: PromptSizer = {
  overhead: 7,
  cut: (text, tokens) =>
    text
      .split(" ")
      .slice(0, Math.max(1, tokens - 7))
      .join(" "),
  wordsFor: (tokens) => tokens,
};

const plain: WorkloadOptions = {
  promptTokens: { type: "fixed", tokens: 40 },
  outputTokens: { type: "fixed", tokens: 10 },
  ...{ sharedPrefix: 0, temperature: 0, prompts: undefined, trace: undefined, cancelRate: 0 },
};

function requests(options: Partial<WorkloadOptions>, count: number, seed = "seed"): PlannedAsk[] {
  const workload = new Workload({ ...plain, ...options }, sizer, seed);
  return Array.from({ length: count }, () => workload.next());
}

function wordsOf({ content }: PlannedAsk): readonly string[] {
  return "prompt" in content ? content.prompt.split(" ") : expect.fail("a conversation");
}

/** What `--trace` reads of a file with this text. */
function traced(text: string) {
  const trace = join(folder, "trace");
  writeFileSync(trace, text);
  return readWorkloadFile(judgeBenchmark({ trace }));
}

describe("traces", () => {
  it("of Azure: times after the first, to the ten-millionth of a second, in order of time", () => {
    const { trace, identity } = traced(
      "TIMESTAMP,ContextTokens,GeneratedTokens\r\n2023-11-16 18:17:03.9799600,4808,10\r\n" +
        "2023-11-16 18:17:05.0000000,100,0\r\n2023-11-16 18:17:04.0312345,3180,8\r\n",
    );
    expect(trace?.map(({ promptTokens, outputTokens }) => [promptTokens, outputTokens])).toEqual([
      [4808, 10],
      [3180, 8],
      [100, 0],
    ]);
    expect(trace?.[0]?.atMs).toBe(0);
    expect(trace?.[1]?.atMs).toBeCloseTo(51.2745, 3);
    expect(trace?.[2]?.atMs).toBeCloseTo(1020.04, 3);
    expect(identity).toMatchObject({ requests: 3 });
    expect(identity?.sha256).toMatch(/^[0-9a-f]{64}$/);
  });

  it("of Azure's second release: zones, and columns by their names", () => {
    const { trace } = traced(
      "ContextTokens,GeneratedTokens,TIMESTAMP\n12,3,2024-05-10 00:00:00.009930+00:00\n" +
        "13,4,2024-05-10 02:00:01.009930+02:00\n",
    );
    expect(trace?.map(({ atMs, promptTokens }) => [Math.round(atMs * 1000), promptTokens])).toEqual([
      [0, 12],
      [1_000_000, 13],
    ]);
  });

  const mooncake =
    '{"timestamp": 3000, "input_length": 1100, "output_length": 5, "hash_ids": [0, 1, 2]}\n' +
    '{"timestamp": 4000, "input_length": 1100, "output_length": 6, "hash_ids": [0, 1, 3], "turn": 2}\n' +
    '{"timestamp": 5000, "input_length": 600, "output_length": 7, "hash_ids": [4, 1]}\n';

  it("of Mooncake: equal names of blocks are equal text of 512 tokens, others are not", () => {
    const { trace = [], ...rest } = traced(mooncake);
    expect(trace.map(({ atMs }) => atMs)).toEqual([0, 1000, 2000]);
    expect(longestRequest({ trace, ...rest })).toBe(1106);
    const made = requests({ trace }, 3);
    expect(made.map(({ outputTokens }) => outputTokens)).toEqual([5, 6, 7]);
    const [first = [], second = [], third = []] = made.map(wordsOf);
    // Lengths count the sizer's seven tokens.
    expect([first, second, third].map(({ length }) => length)).toEqual([1093, 1093, 593]);
    expect(second.slice(0, 1024)).toEqual(first.slice(0, 1024));
    expect(second.slice(1024)).not.toEqual(first.slice(1024));
    expect(third.slice(0, 512)).not.toEqual(first.slice(0, 512));
    expect(third.slice(512)).toEqual(first.slice(512, 593));
    const [other = []] = requests({ trace }, 1, "another repeat").map(wordsOf);
    expect(other.slice(0, 4)).not.toEqual(first.slice(0, 4));
  });

  it("without blocks: prompts share nothing; answers of 0 tokens are asked for with 1", () => {
    const trace: TraceRequest[] = [{ atMs: 0, promptTokens: 60, outputTokens: 0, blocks: null }];
    const [first, second] = requests({ trace }, 2); // from the beginning again
    expect(first && wordsOf(first)).toHaveLength(53);
    expect(first?.outputTokens).toBe(1);
    expect(first && wordsOf(first)).not.toEqual(second && wordsOf(second));
  });

  const azure = "TIMESTAMP,ContextTokens,GeneratedTokens\n";
  it.each([
    ["", /trace must have a request on each line, and is empty/],
    ["time,in,out\n1,2,3\n", /trace:1 must be the heading TIMESTAMP,ContextTokens,GeneratedTokens/],
    [azure, /trace:1 must be followed by a request on each line/],
    [`${azure}2023-11-16 18:17:03.97,1,2\n\nyesterday,1,2\n`, /trace:4 must have a time and two numbers/],
    [`${azure}2023-11-16 18:17:03.97,1\n`, /trace:2 must have a time and two numbers/],
    [`${azure}2023-11-16 18:17:03.97,-5,2\n`, /trace:2 must have a time and two numbers/],
    [`${azure}2023-11-16 18:17:03.97,1e99,2\n`, /trace:2 must have a time and two numbers/],
    [`${mooncake}{"timestamp": 1}\n`, /trace:4 must be an object such as \{"timestamp": 0, /],
    [`${mooncake}{"timestamp": \n`, /trace:4 must be an object such as/],
    [mooncake.replace("[4, 1]", "[4, 1, 9]"), /trace:3 must have 2 hash_ids, one for each 512 .* and has 3/],
    [mooncake.replace("600", "1e12"), /trace:3 must be an object such as/],
  ])("%j is refused in one sentence with its line", (text, sentence) => {
    expect(() => traced(text)).toThrow(sentence);
    expect(() => traced(text)).toThrow(/^--trace: /);
  });

  it("are replayed at their own times, unless other loads are given", () => {
    const loads = (given: object) =>
      loadsOf(judgeBenchmark({ trace: "file", ...given })).map(({ type }) => type);
    expect(loads({})).toEqual(["trace"]);
    expect(loads({ traceSpeed: [1, 2] })).toEqual(["trace", "trace"]);
    expect(loads({ concurrency: [4] })).toEqual(["concurrency"]);
    expect(loads({ rate: [4], traceSpeed: [1] })).toEqual(["rate", "trace"]);
  });
});

describe("conversations", () => {
  it("hold what was said, begin anew after their last turn, and share only the prefix", () => {
    const turns = { type: "fixed", tokens: 3 } as const;
    const workload = new Workload({ ...plain, turns, sharedPrefix: 0.5 }, sizer, "seed", 2);
    const ask = () => workload.next();
    const said = ({ content }: PlannedAsk) => ("messages" in content ? content.messages : []);
    const [one, two] = [ask(), ask()];
    expect([one.turn, two.turn]).toEqual([1, 1]);
    const [first = [], other = []] = [one, two].map((each) => said(each)[0]?.content.split(" "));
    expect(other.slice(0, 13)).toEqual(first.slice(0, 13)); // half of 40 tokens, less the sizer's seven
    expect(other.slice(13)).not.toEqual(first.slice(13));
    two.answered("hello");
    one.answered("good day");
    const next = ask();
    expect(next.turn).toBe(2);
    expect(said(next).map(({ role }) => role)).toEqual(["user", "assistant", "user"]);
    expect(said(next).slice(0, 2)).toEqual([...said(two), { role: "assistant", content: "hello" }]);
    next.answered("and");
    expect(said(ask()).slice(0, 1)).toEqual(said(one));
    const last = ask();
    expect([last.turn, said(last).length]).toEqual([3, 5]);
    last.answered("bye");
    const anew = ask();
    expect([anew.turn, said(anew).length]).toEqual([1, 1]);
  });

  it("one that fails ends; where all wait for answers, another user comes", () => {
    const turns = { type: "fixed", tokens: 2 } as const;
    const workload = new Workload({ ...plain, turns }, sizer, "seed", 1);
    const [first, second] = [workload.next(), workload.next()];
    expect([first.turn, second.turn]).toEqual([1, 1]);
    first.answered(null);
    second.answered("yes");
    expect(workload.next().turn).toBe(2);
  });
});

describe("cancelled requests", () => {
  it("are as many as were asked for, after a part of their answer", () => {
    const made = requests({ cancelRate: 0.25 }, 2000);
    const tokens = made.flatMap(({ cancelAt }) => (cancelAt?.type === "tokens" ? [cancelAt.tokens] : []));
    expect(tokens.length / 2000).toBeCloseTo(0.25, 1);
    expect([Math.min(...tokens), Math.max(...tokens)]).toEqual([1, 9]);
    expect(requests({ cancelRate: 0 }, 50).every(({ cancelAt }) => cancelAt === null)).toBe(true);
    const timed = requests({ cancelRate: 1, cancelAfter: 30 }, 3).map(({ cancelAt }) => cancelAt);
    expect(timed).toEqual(Array(3).fill({ type: "time", ms: 30 }));
  });

  it("change nothing else of a workload", () => {
    const content = (each: PlannedAsk) => each.content;
    expect(requests({ cancelRate: 0.5 }, 20).map(content)).toEqual(requests({}, 20).map(content));
  });
});
