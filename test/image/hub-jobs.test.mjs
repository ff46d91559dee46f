// The jobs of .runpod/tests.json and those of worker-vllm's, as the Hub's harness gives them
// to a worker: the command through sh -c, no key, no addresses for streams and pings.
// A job passes where its result has no error.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { hubPlatform } from "../../tools/image/hub-platform.mjs";

const root = path.resolve(import.meta.dirname, "../..");
const volume = mkdtempSync(path.join(tmpdir(), "infernode-hub-"));
afterAll(() => rmSync(volume, { recursive: true, force: true }));

const own = JSON.parse(readFileSync(path.join(root, ".runpod/tests.json"), "utf8"));

// worker-vllm's tests (runpod-workers/worker-vllm, .runpod/tests.json): its inputs and its
// model's name, which the platform's cache holds here as a GGUF file.
const workerVllm = {
  tests: [
    { name: "basic_inference_test", input: { prompt: "Write a short poem about artificial intelligence." } },
    {
      name: "openai_messages_test",
      input: {
        openai_route: "/v1/chat/completions",
        openai_input: {
          messages: [
            { role: "system", content: "You are a helpful assistant that writes concise responses." },
            { role: "user", content: "Explain what a neural network is in one sentence." },
          ],
          max_tokens: 200,
          temperature: 0.1,
        },
      },
    },
  ],
  config: { env: [{ key: "MODEL_NAME", value: "HuggingFaceTB/SmolLM2-135M-Instruct" }] },
};

// A model cache as the platform lays it out, with the embedded model under another name.
function cacheModel(repository) {
  const cached = path.join(volume, "huggingface-cache/hub", `models--${repository.replace("/", "--")}`);
  mkdirSync(path.join(cached, "snapshots/1a2b"), { recursive: true });
  const assets = path.join(root, "assets");
  const [file] = readdirSync(assets).filter((name) => name.endsWith(".gguf"));
  symlinkSync(path.join(assets, file), path.join(cached, "snapshots/1a2b/model.gguf"));
}

cacheModel("HuggingFaceTB/SmolLM2-135M-Instruct");

// Resolves to the results of the tests, by name, and what the worker said.
async function resultsOf({ tests, config }) {
  const { platform, env } = await hubPlatform();
  const more = Object.fromEntries(config.env.map(({ key, value }) => [key, value]));
  const worker = spawn("/bin/sh", ["-c", "exec node dist/cli/main.js worker"], {
    cwd: root,
    env: { PATH: process.env.PATH, BASE_PATH: volume, ...env, ...more },
  });
  let said = "";
  for (const stream of [worker.stdout, worker.stderr]) stream.on("data", (chunk) => (said += chunk));
  const ended = once(worker, "close");
  try {
    const results = {};
    for (const { name, input } of tests) {
      const id = platform.enqueue({ id: name, input });
      const gone = ended.then(() => Promise.reject(new Error(`the worker ended: ${said}`)));
      await Promise.race([gone, platform.until(() => platform.job(id).done.length > 0, name, 60_000)]);
      results[name] = platform.job(id);
    }
    return { results, violations: platform.violations };
  } finally {
    worker.kill("SIGTERM");
    await ended;
    await platform.close();
  }
}

describe("the Hub's harness", { timeout: 120_000 }, () => {
  it.each([
    ["our own tests", own, "tinytale"],
    ["worker-vllm's", workerVllm, "HuggingFaceTB/SmolLM2-135M-Instruct"],
  ])("passes %s", async (_, file, model) => {
    const { results, violations } = await resultsOf(file);
    expect(Object.keys(results)).toEqual(file.tests.map(({ name }) => name));
    for (const [name, { status, done }] of Object.entries(results)) {
      expect({ name, status, error: done[0].error }).toEqual({ name, status: "COMPLETED", error: undefined });
      expect(JSON.stringify(done[0].output)).toContain(model);
    }
    expect(violations).toEqual([]);
  });

  it("sees a job that fails", async () => {
    const tests = [{ name: "bad", input: { openai_route: "/v1/nowhere", openai_input: {} } }];
    const { results } = await resultsOf({ tests, config: { env: [] } });
    expect(results.bad.status).toBe("FAILED");
    expect(typeof results.bad.done[0].error).toBe("string");
  });
});
