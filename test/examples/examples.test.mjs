// Each program of examples/ runs as it stands, against `infernode serve` of this clone or as the
// server that it is.
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { python } from "../helpers/python.js";
import { addressOf, kExamples, started, toolModel, withServed } from "./running.mjs";

const json = { "Content-Type": "application/json" };
const posted = (url, body, headers = {}) =>
  fetch(url, { method: "POST", headers: { ...json, ...headers }, body: JSON.stringify(body) });

/** Runs the work with a program that serves, and ends it: it leaves with 0. */
async function withProgram(name, env, work) {
  const program = started(process.execPath, [name], { PORT: "0", ...env });
  try {
    await work(await addressOf(program));
  } finally {
    program.leave();
  }
  expect(await program.ended).toMatchObject({ code: 0 });
}

describe("a program that serves", () => {
  it("custom-handler.mjs: jobs of a handler", async () => {
    await withServed(["./custom-handler.mjs"], async (url) => {
      const run = async (input) => (await posted(`${url}/v2/x/runsync`, { input })).json();
      const { status, output } = await run({ topic: "a fox", maxTokens: 12 });
      expect([status, output.story]).toEqual(["COMPLETED", expect.any(String)]);
      expect(output.tokens).toBeLessThanOrEqual(12);
      expect(await run({})).toMatchObject({ status: "FAILED", error: "input.topic must be text" });
    });
  });

  it("fastify.mjs: OpenAI's API and a route beside it, behind keys", async () => {
    await withProgram("fastify.mjs", { API_KEY: "a-key" }, async (url) => {
      expect((await fetch(`${url}/v1/models`)).status).toBe(401);
      const key = { Authorization: "Bearer a-key" };
      const body = { prompt: "Once", max_tokens: 4, stream: true };
      const stream = await posted(`${url}/v1/completions`, body, key);
      expect((await stream.text()).endsWith("data: [DONE]\n\n")).toBe(true);
      expect((await posted(`${url}/summary`, {}, key)).status).toBe(400);
      const { summary } = await (await posted(`${url}/summary`, { text: "A fox ran." }, key)).json();
      expect(summary).toEqual(expect.any(String));
    });
  });

  it("fastify.mjs: ends with a sentence where it has no key to check", async () => {
    const { code, text } = await started(process.execPath, ["fastify.mjs"], { PORT: "0", API_KEY: "" }).ended;
    expect([code, text]).toEqual([1, expect.stringContaining("API_KEY must hold the key")]);
  });

  it("plain-http.mjs: a stream of text, and refusals by a status", async () => {
    await withProgram("plain-http.mjs", {}, async (url) => {
      const text = await (await posted(url, { prompt: "Once upon a time" })).text();
      expect(text).not.toBe("");
      expect((await posted(url, {})).status).toBe(400);
      const empty = await fetch(url, { method: "POST" });
      expect([empty.status, await empty.text()]).toEqual([400, expect.stringContaining("INVALID_OPTION")]);
      expect((await fetch(url, { method: "POST", body: "{" })).status).toBe(400);
    });
  });
});

describe("a program that calls a server", () => {
  const said = async (url, command, args) => {
    const { code, text } = await started(command, args, { INFERNODE_URL: url }).ended;
    expect([code, text]).toEqual([0, text]);
    return text;
  };

  it("the clients' programs do what they show", async () => {
    await withServed([toolModel()], async (url) => {
      const node = (name) => said(url, process.execPath, [name]);
      expect(await node("async-polling.mjs")).toMatch(/\S{3}[\s\S]*waited \d+ ms, ran \d+ ms/);
      const openai = await node("openai-client.mjs");
      expect(openai).toMatch(
        /chat: [\s\S]* \d+\nstream: [\s\S]*object: \{ animal: '(cat|dog|fox)', legs: \d \}/,
      );
      expect(openai).toMatch(/embeddings: 2 \d+\n$/);
      const anthropic = await node("anthropic-client.mjs");
      expect(anthropic).toMatch(
        /message: [\s\S]* true\nstream: [\s\S]*\n(end_turn|max_tokens) after \d+ tokens\n/,
      );
      expect(anthropic).toMatch(/tool: weather \{ city: '(Rome|Oslo)' \}/);
      const vercel = await node("ai-sdk.mjs");
      expect(vercel).toMatch(/streamed: \d+ tokens\nobject: \{ animal: '(cat|dog|fox)', legs: \d \}/);
      expect(vercel).toMatch(/tool: \{ city: '(Rome|Oslo)', degrees: \d+ \}/);
    });
  });

  const { program, reason } = python("requests");
  it.skipIf(program === undefined)(
    `requests_client.py does what it shows${reason === undefined ? "" : ` (skipped: ${reason})`}`,
    async () => {
      await withServed([], async (url) => {
        const text = await said(url, program, ["requests_client.py"]);
        expect(text).toMatch(/job: COMPLETED [\s\S]*chat: [\s\S]*stream: /);
      });
    },
  );
});

it("README.md names each file", () => {
  const text = readFileSync(path.join(kExamples, "README.md"), "utf8");
  const files = readdirSync(kExamples).filter((name) => name !== "README.md");
  expect(files.filter((name) => !text.includes(`](${name})`))).toEqual([]);
});
