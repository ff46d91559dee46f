// What the Python worker was seen to post, call by call, where this worker must do the
// same: the whole sequence of a job's posts, with their URLs and bodies. The names are
// those of the recorded runs.
import { describe, expect, it } from "vitest";
import type { StartOptions } from "../../src/serverless/contract.js";
import type { Platform } from "../../tools/platform-emulator/index.mjs";
import { withWorker } from "./harness.js";

interface Trace {
  readonly golden: string;
  readonly options: StartOptions | StartOptions["handler"];
  readonly input?: unknown;
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Route, isStream and body of each post. */
  readonly posts: readonly (readonly [route: "job-stream" | "job-done", isStream: boolean, body: unknown])[];
}

const gpu = "gpu=NVIDIA+RTX+4090";
const echo = (job: { readonly input: unknown }) => job.input;
const done = (body: unknown, isStream = false) => ["job-done", isStream, body] as const;
const item = (output: unknown) => ["job-stream", false, { output }] as const;

async function* three() {
  yield 1;
  yield "two";
  yield { three: [3] };
}
async function* failing() {
  yield "before";
  yield { error: "broken", rest: 1 };
  yield "never";
}
const items = [item(1), item("two"), item({ three: [3] })];

const results: readonly Trace[] = [
  ["text", { output: "text" }],
  [null, { output: null }],
  [0, { output: 0 }],
  [[], { output: [] }],
  [{}, {}],
  [{ a: 1 }, { output: { a: 1 } }],
  [
    { error: "x", extra: 1 },
    { output: { extra: 1 }, error: "x" },
  ],
  [{ error: "x" }, { error: "x" }],
  [{ error: "", a: 1 }, { output: { a: 1 } }],
  [{ output: 5 }, { output: { output: 5 } }],
].map(([input, body]) => ({ golden: "std-modes", options: echo, input, posts: [done(body)] }));

const traces: readonly Trace[] = [
  ...results,
  { golden: "gen", options: three, posts: [...items, done({ output: [] }, true)] },
  {
    golden: "genagg",
    options: { handler: three, return_aggregate_stream: true },
    posts: [...items, done({ output: [1, "two", { three: [3] }] }, true)],
  },
  {
    golden: "gen, an error yielded",
    options: failing,
    posts: [item("before"), done({ error: "broken" }, true)],
  },
  {
    golden: "nostream",
    options: { handler: three, return_aggregate_stream: true },
    env: { RUNPOD_WEBHOOK_POST_STREAM: undefined },
    posts: [done({ output: [1, "two", { three: [3] }] }, true)],
  },
  {
    golden: "refresh-return",
    options: echo,
    input: { refresh_worker: true, a: 1 },
    posts: [done({ output: { a: 1 }, stopPod: true })],
  },
  {
    golden: "refresh",
    options: { handler: echo, refresh_worker: true },
    input: "x",
    posts: [done({ output: "x", stopPod: true })],
  },
];

function postsOf(platform: Platform) {
  return platform.calls("job-stream", "job-done").map(({ method, url, body, rawHeaders }) => ({
    line: `${method} ${url}`,
    body: JSON.parse(body) as unknown,
    contentType: rawHeaders[rawHeaders.indexOf("Content-Type") + 1],
    requestId: rawHeaders[rawHeaders.indexOf("X-Request-ID") + 1],
  }));
}

describe("the posts of a recorded run", () => {
  it.each(traces)("are the same, one by one: $golden, $input", async ({ options, input = 1, env, posts }) => {
    await withWorker(options, { ...(env && { env }) }, async ({ platform }) => {
      platform.enqueue({ id: "job-1", input });
      await platform.until(() => platform.job("job-1").done.length === 1);
      expect(postsOf(platform)).toEqual(
        posts.map(([route, isStream, body]) => ({
          line: `POST /v2/ep/${route}/w1/job-1?${gpu}&isStream=${isStream}`,
          body,
          contentType: "application/x-www-form-urlencoded",
          requestId: "job-1",
        })),
      );
      expect(platform.violations).toEqual([]);
    });
  });
});
