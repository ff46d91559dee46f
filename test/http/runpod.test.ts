// RunPod's own clients against the server, unchanged: its package for JavaScript, and its package
// for Python where that is installed.
import { execFile, spawnSync } from "node:child_process";
import { promisify } from "node:util";
import runpodSdk from "runpod-sdk";
import { describe, expect, it } from "vitest";
import { call, json, withServer } from "./scene.js";

const timeout = 60_000;
const messages = [{ role: "user", content: "Tell me a story about a fox." }];
const story = { prompt: "Tell me a story.", params: { max_tokens: 8, temperature: 0 } };
const endless = { openai_input: { messages, max_tokens: 900, ignore_eos: true } };

describe("the runpod-sdk package", { timeout }, () => {
  it("runs, waits, streams, cancels and purges", async () => {
    await withServer({ options: { keys: ["secret-key"] } }, async ({ url, served }) => {
      const endpoint = runpodSdk("secret-key", { baseUrl: `${url}/v2` }).endpoint("ep");
      if (endpoint === null) throw new Error("the endpoint is there");
      const done = await endpoint.runSync({ input: story });
      expect(done).toMatchObject({
        status: "COMPLETED",
        completed: true,
        succeeded: true,
        output: { model: "tinytale" },
      });
      const { id, status } = await endpoint.run({ input: { ...story, stream: true } });
      expect(status).toBe("IN_QUEUE");
      const chunks: { generated_text: string }[] = [];
      for await (const chunk of endpoint.stream(id)) chunks.push(chunk.output);
      expect(chunks.map((chunk) => chunk.generated_text).join("")).toBe(done.output.generated_text);
      expect(await endpoint.status(id)).toMatchObject({ status: "COMPLETED", completed: true });
      expect(await endpoint.statusSync(id)).toMatchObject({ status: "COMPLETED", succeeded: true });

      const running = await Promise.all(Array.from({ length: 5 }, () => endpoint.run({ input: endless })));
      expect(await endpoint.health()).toMatchObject({
        jobs: { completed: 2, failed: 0, inProgress: 4, inQueue: 1, retried: 0 },
        workers: { idle: 0, ready: 1, running: 1 },
      });
      expect(await endpoint.purgeQueue()).toEqual({ removed: 1, status: "completed" });
      for (const { id: each } of running.slice(0, 4))
        expect(await endpoint.cancel(each)).toEqual({ id: each, status: "CANCELLED" });
      while (served.text?.stats().running !== 0) await new Promise((resolve) => setImmediate(resolve));
      const failed = await endpoint.runSync({ input: { route: "/v1/nowhere" } });
      expect(failed).toMatchObject({ status: "FAILED", completed: true, succeeded: false });
      expect(await endpoint.health()).toMatchObject({ jobs: { completed: 2, failed: 1, inProgress: 0 } });
    });
  });

  it("is refused without the key, and told nothing of jobs that are not there", async () => {
    await withServer({ options: { keys: ["secret-key"] } }, async ({ url }) => {
      const of = (key: string) => runpodSdk(key, { baseUrl: `${url}/v2` }).endpoint("ep");
      await expect(of("wrong")?.run({ input: story })).rejects.toThrow("401");
      await expect(of("secret-key")?.status("nobody")).rejects.toThrow("404");
      const itself = await call(`${url}/v2/ep`, "GET", undefined, { Authorization: "secret-key" });
      expect(itself).toMatchObject({
        status: 404,
        json: { error: expect.stringMatching(/^an endpoint itself answers nothing; it has run,/) },
      });
    });
  });
});

describe("OpenAI's address of an endpoint", { timeout }, () => {
  it("has the routes of /v1", async () => {
    await withServer({}, async ({ url }) => {
      const body = JSON.stringify({ messages, max_tokens: 8, temperature: 0 });
      const [below, bare] = await Promise.all(
        [`${url}/v2/ep/openai`, url].map((base) => call(`${base}/v1/chat/completions`, "POST", body, json)),
      );
      expect(below?.json.choices).toEqual(bare?.json.choices);
      expect((await call(`${url}/v2/ep/openai/v1/models`)).json.data[0].id).toBe("tinytale");
      const streamed = await call(
        `${url}/v2/ep/openai/v1/chat/completions`,
        "POST",
        body.replace("{", '{"stream":true,'),
        json,
      );
      expect(streamed.text).toMatch(/^data: \{.*data: \[DONE\]\n\n$/s);
      expect((await call(`${url}/v2/ep/openai/v1/nowhere`, "POST", "{}", json)).status).toBe(404);
      expect((await call(`${url}/v2/ep/health`)).json.jobs.completed).toBe(0); // no jobs of the queue
    });
  });
});

const python = process.env.INFERNODE_TEST_PYTHON ?? "python3";
const hasRunpod = spawnSync(python, ["-c", "import runpod"]).status === 0;
const missing = `: no runpod package for ${python}; pip install runpod, or set INFERNODE_TEST_PYTHON`;

const program = `
import json, os, runpod
endpoint = runpod.Endpoint("ep", api_key="secret-key")
story = {"prompt": "Tell me a story.", "params": {"max_tokens": 8, "temperature": 0}}
whole = endpoint.run_sync(story)
job = endpoint.run({"input": story})
output = job.output(timeout=60)
streamed = "".join(each["generated_text"] for each in endpoint.run({"input": {**story, "stream": True}}).stream())
endless = {"openai_input": {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 900, "ignore_eos": True}}
cancelled = endpoint.run(endless).cancel()["status"]
jobs = endpoint.health()["jobs"]
purged = endpoint.purge_queue()
try:
    runpod.Endpoint("ep", api_key="wrong").run(story)
    refused = ""
except RuntimeError as error:
    refused = str(error)
print(json.dumps([whole["generated_text"], output["generated_text"], streamed, job.status(), cancelled, jobs, purged, refused]))
`;

describe.skipIf(!hasRunpod)(`the runpod package of Python${hasRunpod ? "" : missing}`, { timeout }, () => {
  it("runs, waits, streams, cancels and purges", async () => {
    await withServer({ options: { keys: ["secret-key"] } }, async ({ url }) => {
      const env = { PATH: process.env.PATH, RUNPOD_ENDPOINT_BASE_URL: `${url}/v2`, HOME: "/nowhere" };
      const { stdout } = await promisify(execFile)(python, ["-c", program], { env });
      const [whole, output, streamed, status, cancelled, jobs, purged, refused] = JSON.parse(stdout);
      expect(whole).not.toBe("");
      expect([output, streamed]).toEqual([whole, whole]);
      expect([status, cancelled]).toEqual(["COMPLETED", "CANCELLED"]);
      expect(jobs).toEqual({ completed: 3, failed: 0, inProgress: 0, inQueue: 0, retried: 0 });
      expect(purged).toEqual({ removed: 0, status: "completed" });
      expect(refused).toContain("401");
    });
  });
});
