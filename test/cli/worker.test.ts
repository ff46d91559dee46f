// `infernode worker` as a process on its developer's machine: one job, the local API
// with OpenAI's own client, and an environment that cannot be.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import OpenAI from "openai";
import { afterAll, describe, expect, it } from "vitest";

const timeout = 60_000;
const command = join(import.meta.dirname, "../../dist/cli/main.js");
const cwd = mkdtempSync(join(tmpdir(), "infernode-worker-")); // no test_input.json lies there
afterAll(() => rmSync(cwd, { recursive: true, force: true }));

function start(args: readonly string[], environment: Readonly<Record<string, string>>) {
  const env = { PATH: process.env.PATH, ...environment };
  const child = spawn(process.execPath, [command, "worker", ...args], { cwd, env });
  const said = { text: "" };
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (said.text += chunk));
  const ended = once(child, "close").then(([code]) => code as number | null);
  return { child, said, ended };
}

async function ran(input: object, environment: Readonly<Record<string, string>> = {}) {
  const { said, ended } = start(["--test_input", JSON.stringify({ input })], environment);
  return { code: await ended, text: said.text };
}

describe("arguments of infernode worker", { timeout }, () => {
  it.each([
    [["--port", "8000"], "unknown flag --port; did you mean --rp_api_port?"],
    [["--rp_serve_ap"], "unknown flag --rp_serve_ap; did you mean --rp_serve_api?"],
    [["--rp_serve_api", "--frobnicate"], "unknown flag --frobnicate"],
    [["my-model.gguf"], "the model is named by MODEL_NAME"],
  ])("refuses %j with 2", async (args, sentence) => {
    const { said, ended } = start(args, {});
    expect(await ended).toBe(2);
    expect(said.text).toContain(sentence);
  });

  it("says what to do where there is no job", async () => {
    const { said, ended } = start([], {});
    expect(await ended).toBe(1);
    expect(said.text).toContain("No job to run: pass --test_input '{\"input\": {…}}'");
  });
});

describe("infernode worker", { timeout }, () => {
  it("runs one job that it is given", async () => {
    const { code, text } = await ran({ prompt: "Tell me a story.", params: { max_tokens: 4 } });
    expect(code).toBe(0);
    expect(text.match(/^(?:WARN|ERROR).*$/gm)).toEqual([expect.stringContaining("MODEL_NAME is not set")]);
    expect(text).toMatch(/Job result: {"output":{"generated_text":".+","model":"tinytale","usage":/);
  });

  it.each([
    ["MAX_MODEL_LEN", "lots"],
    ["MAX_CONCURRENCY", "0"],
    ["MODEL_NAME", "/nowhere.gguf"],
    ["CHAT_TEMPLATE", "nonsense"],
    ["TENSOR_PARALLEL_SIZE", "64"],
    ["QUANTIZATION", "squeezellm"],
    ["LOAD_FORMAT", "tensorizer"],
    ["ENABLE_LORA", "true"],
  ])("ends with 1 and the reason where %s is %s", async (name, value) => {
    const { code, text } = await ran({ prompt: "Hi" }, { [name]: value });
    expect(code).toBe(1);
    expect(text).toMatch(/The worker cannot be prepared: InferenceError: /);
    expect(text).toContain(value === "nonsense" ? "chatTemplate" : name === "MODEL_NAME" ? value : name);
    expect(text).not.toContain("Started.");
  });

  it("serves OpenAI's API beside the platform's", async () => {
    const { child, said, ended } = start(["--rp_serve_api", "--rp_api_port", "0"], {});
    try {
      const address = () => /Serving the API on (\S+)/.exec(said.text)?.[1];
      while (address() === undefined) await Promise.race([once(child.stdout, "data"), ended]);
      await speakTo(`${address()}/v2/any/openai/v1`, async () => {
        const response = await fetch(`${address()}/health`);
        return (await response.json()) as { readonly jobs: { readonly inProgress: number } };
      });
      const wrong = await fetch(`${address()}/openai/v1/chat/completions`);
      expect(wrong.status).toBe(405);
      expect(await wrong.json()).toMatchObject({ error: { code: "method_not_allowed" } });
      child.kill("SIGTERM");
      expect(await ended).toBe(0);
    } finally {
      child.kill("SIGKILL");
    }
  });
});

type Health = () => Promise<{ readonly jobs: { readonly inProgress: number } }>;

async function speakTo(baseURL: string, health: Health): Promise<void> {
  const client = new OpenAI({ apiKey: "any", baseURL, maxRetries: 0 });
  expect((await client.models.list()).data.map((model) => model.id)).toEqual(["tinytale"]);
  const request = {
    model: "tinytale",
    messages: [{ role: "user" as const, content: "Tell me a story." }],
    max_tokens: 12,
    temperature: 0,
  };
  const whole = await client.chat.completions.create(request);
  let text = "";
  for await (const chunk of await client.chat.completions.create({ ...request, stream: true })) {
    text += chunk.choices[0]?.delta.content ?? "";
  }
  expect(text).toBe(whole.choices[0]?.message.content);
  const wrong = client.chat.completions.create({ ...request, model: "gpt-9" });
  await expect(wrong).rejects.toMatchObject({ status: 404, code: "model_not_found" });
  const bad = client.chat.completions.create({ ...request, temperature: -1 });
  await expect(bad).rejects.toMatchObject({ status: 400, param: "temperature" });
  const endless = { ...request, max_tokens: 900, stream: true as const, ...({ ignore_eos: true } as object) };
  for await (const _chunk of await client.chat.completions.create(endless)) break;
  while ((await health()).jobs.inProgress > 0); // who leaves ends the generation
}
