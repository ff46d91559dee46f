// Conformance cases J: a worker on its developer's machine, in a process of its own.
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { createPlatform } from "../../tools/platform-emulator/index.mjs";
import { spawnWorker } from "./child.js";

const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** A folder of its own; with a test_input.json where text is given. */
function folderWith(testInput?: string): string {
  const folder = mkdtempSync(join(tmpdir(), "infernode-local-"));
  folders.push(folder);
  if (testInput !== undefined) writeFileSync(join(folder, "test_input.json"), testInput);
  return folder;
}

async function ran(testInput: string | undefined, args: readonly string[] = [], env = {}) {
  const child = spawnWorker("worker", env, args, folderWith(testInput));
  const code = await child.ended;
  return { code, lines: child.lines };
}

const ok = JSON.stringify({ input: { echo: { n: 1 } } });

describe("one local job", () => {
  it("case 101: without test_input.json there is nothing to do", async () => {
    const { code, lines } = await ran(undefined);
    expect(code).toBe(1);
    expect(lines.at(-1)).toBe("WARN   | test_input.json not found, exiting.");
  });

  it("a flag that is almost one of ours is told, others are the program's own", async () => {
    const { code, lines } = await ran(ok, ["--tst_input", "{}", "--verbose", "mine"]);
    expect(code).toBe(0);
    const warnings = lines.filter((line) => line.startsWith("WARN"));
    expect(warnings).toEqual(["WARN   | --tst_input is no flag of the worker; did you mean --test_input?"]);
  });

  it.each([
    ["", 'test_input.json must be a job as JSON, such as {"input": {}}.'],
    ["{nonsense", 'test_input.json must be a job as JSON, such as {"input": {}}.'],
    ["{}", "Job has no input parameter. Unable to run."],
    ['{"input":null}', "Job has no input parameter. Unable to run."],
    ['"text"', "Job has no input parameter. Unable to run."],
  ])("case 101: %j in test_input.json is refused", async (text, message) => {
    const { code, lines } = await ran(text);
    expect(code).toBe(1);
    expect(lines.at(-1)).toBe(`ERROR  | ${message}`);
  });

  it("case 101: a job that succeeds ends with 0 and its result", async () => {
    const { code, lines } = await ran(ok);
    expect(code).toBe(0);
    expect(lines.slice(-3)).toEqual([
      "INFO   | Job local_test completed successfully.",
      'INFO   | Job result: {"output":{"n":1}}',
      "INFO   | Local testing complete, exiting.",
    ]);
    expect(lines).toContain("INFO   | local_test | Started.");
  });

  it.each([
    ['{"id":"mine","input":{"throws":"too hot"}}', "Job mine failed with error: "],
    ['{"input":{"echo":{"error":"too cold"}}}', "Job local_test failed with error: too cold"],
  ])("case 101: the job %s fails and ends with 1", async (text, message) => {
    const { code, lines } = await ran(text);
    expect(code).toBe(1);
    expect(lines.find((line) => line.startsWith("ERROR  | Job "))).toContain(message);
  });

  it("case 102: --test_input goes before the file and before the platform", async () => {
    const platform = await createPlatform();
    const given = JSON.stringify({ input: { echo: "argument" } });
    for (const args of [
      ["--test_input", given],
      ["positional", "--other", `--test_input=${given}`],
    ]) {
      const { code, lines } = await ran(ok, args, platform.env());
      expect(code).toBe(0);
      expect(lines).toContain('INFO   | Job result: {"output":"argument"}');
    }
    expect(platform.trace).toEqual([]);
    await platform.close();
  });

  it("case 5: without a URL for jobs the worker is local and calls nobody", async () => {
    const platform = await createPlatform();
    const env = platform.env({ RUNPOD_WEBHOOK_GET_JOB: "" });
    expect((await ran(ok, [], env)).code).toBe(0);
    expect(platform.trace).toEqual([]);
    await platform.close();
  });

  it("case 103: a stream is printed chunk by chunk", async () => {
    const { code, lines } = await ran('{"input":{"stream":["a",{"b":1}]}}');
    expect(code).toBe(0);
    expect(lines.filter((line) => line.includes("Job stream"))).toEqual([
      'INFO   | local_test | Job stream: {"output":"a"}',
      'INFO   | local_test | Job stream: {"output":{"b":1}}',
    ]);
  });

  it("the log level and the debugger are arguments, too", async () => {
    const quiet = await ran(ok, ["--rp_log_level", "error"]);
    expect(quiet).toMatchObject({ code: 0, lines: [expect.stringContaining("Starting Serverless Worker")] });
    const { code, lines } = await ran(ok, ["--rp_debugger", "--rp_log_level=loud"]);
    expect(code).toBe(0);
    expect(lines.filter((line) => line.includes("--rp_debugger has no effect"))).toHaveLength(1);
    expect(lines.filter((line) => line.includes("--rp_log_level must be"))).toHaveLength(1);
  });

  it("an interrupted job ends the process with 1", async () => {
    const child = spawnWorker("worker", {}, ["--test_input", '{"input":{"untilStopped":true}}']);
    while (!child.lines.join("\n").includes("Started.")) await once(child.process.stdout ?? process, "data");
    child.process.kill("SIGINT");
    expect(await child.ended).toBe(1);
    expect(child.lines.at(-1)).toBe("ERROR  | Job local_test failed with error: interrupted");
  });
});

/** A worker that serves the API; ends with the work. */
async function withApi(
  work: (api: Api) => Promise<void>,
  { args = ["--rp_serve_api", "--rp_api_port", "0"], env = {} } = {},
): Promise<void> {
  const child = spawnWorker("worker", env, args, folderWith());
  const address = () => /Serving the API on http:\/\/([\w.]+):(\d+)/.exec(child.lines.join("\n"));
  while (address() === null) {
    await Promise.race([once(child.process.stdout ?? process, "data"), child.ended]);
    if (child.process.exitCode !== null) throw new Error(child.lines.join("\n"));
  }
  const [, host = "", port = ""] = address() ?? [];
  const call = async (method: string, path: string, body?: unknown) => {
    const text = body === undefined ? {} : { body: JSON.stringify(body) };
    const response = await fetch(`http://127.0.0.1:${port}${path}`, { method, ...text });
    return { status: response.status, body: (await response.json()) as Answer };
  };
  try {
    await work({ call, host, lines: child.lines });
    const at = performance.now();
    child.process.kill("SIGTERM");
    expect(await child.ended).toBe(0);
    expect(performance.now() - at).toBeLessThan(20_000);
  } finally {
    child.process.kill("SIGKILL");
  }
}

type Answer = Readonly<Record<string, unknown>> & { readonly id: string };

interface Api {
  readonly call: (method: string, path: string, body?: unknown) => Promise<{ status: number; body: Answer }>;
  readonly host: string;
  readonly lines: readonly string[];
}

const ipv4 = ["--rp_serve_api", "--rp_api_port", "0", "--rp_api_host", "127.0.0.1"];

describe("the local API", () => {
  it.each(["", "/v2/any"])("case 104: %s/run executes, /status tells, by GET and POST", async (prefix) => {
    await withApi(
      async ({ call }) => {
        const { body } = await call("POST", `${prefix}/run`, { input: { echo: 7, sleepMs: 50 } });
        expect(body).toEqual({ id: expect.stringMatching(/^test-/), status: "IN_PROGRESS" });
        const whole = await call("GET", `${prefix}/status-sync/${body.id}`);
        expect(whole.body).toMatchObject({ id: body.id, status: "COMPLETED", output: 7 });
        expect(whole.body.executionTime).toBeGreaterThanOrEqual(49);
        const posted = await call("POST", `${prefix}/status/${body.id}`);
        expect(posted.body).toEqual(whole.body);
        expect((await call("GET", `${prefix}/health`)).body).toMatchObject({ jobs: { completed: 1 } });
      },
      { args: ipv4 },
    );
  });

  it("case 104: unknown ids, invalid inputs and empty results have their answers", async () => {
    await withApi(
      async ({ call }) => {
        const missing = { id: "nobody", status: "FAILED", error: "Job ID not found" };
        expect(await call("GET", "/status/nobody")).toEqual({ status: 200, body: missing });
        for (const body of [{ input: "text" }, { input: [1] }, { input: null }, {}, 3]) {
          expect((await call("POST", "/runsync", body)).status).toBe(422);
        }
        const empty = await call("POST", "/runsync", { input: { echo: {} } });
        expect(empty.body).toMatchObject({ status: "COMPLETED" });
        const failed = await call("POST", "/runsync", { input: { throws: "too hot" } });
        expect(failed.body).toMatchObject({ status: "FAILED", error: expect.stringContaining("too hot") });
        for (const path of ["/nothing", "/%zz", "/status/%zz/more", "/v2/ep"]) {
          expect((await call("POST", path, {})).status).toBe(404);
        }
      },
      { args: ipv4 },
    );
  });

  it("case 104: a stream comes while it is made", async () => {
    await withApi(
      async ({ call }) => {
        const { body } = await call("POST", "/run", { input: { stream: ["a", "b", "c"], gapMs: 150 } });
        const answers: Answer[] = [];
        while (answers.at(-1)?.status !== "COMPLETED") {
          answers.push((await call("GET", `/stream/${body.id}`)).body);
        }
        const items = answers.map(({ stream }) => stream as { output: string }[]);
        expect(items.flat().map(({ output }) => output)).toEqual(["a", "b", "c"]);
        expect(answers[0]).toMatchObject({ status: "IN_PROGRESS", stream: [{ output: "a" }] });
        const plain = await call("POST", "/runsync", { input: { echo: 1 } });
        expect((await call("POST", `/stream/${plain.body.id}`)).body).toMatchObject({
          status: "FAILED",
          error: "Stream not supported, handler must be a generator.",
        });
      },
      { args: ipv4 },
    );
  });

  it("case 104: jobs wait for a slot, are purged and cancelled", async () => {
    await withApi(
      async ({ call }) => {
        const running = await call("POST", "/run", { input: { untilStopped: true } });
        const waiting = await call("POST", "/run", { input: { echo: 1 } });
        expect([running.body.status, waiting.body.status]).toEqual(["IN_PROGRESS", "IN_QUEUE"]);
        expect((await call("POST", "/purge-queue")).body).toEqual({ removed: 1, status: "completed" });
        expect((await call("POST", `/cancel/${running.body.id}`)).body.status).toBe("CANCELLED");
        expect((await call("GET", `/status/${waiting.body.id}`)).body.status).toBe("CANCELLED");
        expect((await call("POST", "/runsync", { input: { echo: 2 } })).body.output).toBe(2);
      },
      { args: [...ipv4, "--rp_api_concurrency", "1"] },
    );
  });

  it("case 105: host and port are arguments; what they cannot be is refused", async () => {
    const args = ["--rp_serve_api", "--rp_api_host", "0.0.0.0", "--rp_api_port", "0"];
    await withApi(
      async ({ call, host }) => {
        expect(host).toBe("0.0.0.0");
        expect((await call("GET", "/health")).status).toBe(200);
      },
      { args },
    );
    const { code, lines } = await ran(undefined, ["--rp_serve_api", "--rp_api_port", "many"]);
    expect(code).toBe(2);
    expect(lines.at(-1)).toBe('ERROR  | --rp_api_port must be an integer from 0 to 65535, got "many".');
  });

  it("case 106: a webhook is told although the worker is leaving", async () => {
    let heard = 0;
    const hook = createServer((request, response) => {
      request.resume();
      setTimeout(() => {
        heard += 1;
        response.end();
      }, 300);
    }).listen(0, "127.0.0.1");
    await once(hook, "listening");
    const webhook = `http://127.0.0.1:${(hook.address() as AddressInfo).port}/hook`;
    await withApi(
      async ({ call }) => {
        await call("POST", "/runsync", { input: { echo: 1 }, webhook });
      },
      { args: ipv4 },
    );
    expect(heard).toBe(1);
    hook.close();
  });

  it("an endpoint's realtime route answers with the result's own body", async () => {
    const free = createServer().listen(0, "0.0.0.0");
    await once(free, "listening");
    const { port } = free.address() as AddressInfo;
    free.close();
    await once(free, "close");
    const env = { RUNPOD_REALTIME_PORT: String(port), RUNPOD_ENDPOINT_ID: "ep", RUNPOD_WEBHOOK_GET_JOB: "x" };
    await withApi(
      async ({ call, lines }) => {
        expect((await call("POST", "/ep/realtime", { id: "r1", input: { echo: 1 } })).body).toEqual({
          output: 1,
        });
        expect(lines.some((line) => line.includes('"requestId":"r1"'))).toBe(true);
      },
      { args: [], env },
    );
  });
});
