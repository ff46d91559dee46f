// `infernode/openai` on Fastify, Express, hono and node:http, asked by OpenAI's own client; and
// what its options refuse.
import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Engine, EngineOptions, Model } from "../../src/index.js";
import { createOpenaiApi, type OpenaiApi, type OpenaiApiOptions } from "../../src/mount/openai-api.js";
import { loadEmbedded, until } from "../helpers/embedded.js";
import { frameworks, key, type Mounted } from "./frameworks.js";

const messages = [{ role: "user" as const, content: "Tell me a story about a fox." }];
const endless = { model: "tale", messages, max_tokens: 900, ...({ ignore_eos: true } as object) };

let model: Model;
beforeAll(async () => {
  model = await loadEmbedded();
}, 120_000); // ms: on a machine that does other things too
afterAll(() => model.close());

interface Scene extends Mounted {
  readonly engine: Engine;
  readonly openai: OpenaiApi;
  readonly client: OpenAI;
}

interface SceneOptions {
  readonly engine?: EngineOptions;
  readonly api?: Partial<OpenaiApiOptions>;
  readonly prefix?: string;
}

async function withMounted(
  framework: string,
  { engine: given, api, prefix = "/v1" }: SceneOptions,
  work: (scene: Scene) => Promise<void>,
): Promise<void> {
  const engine = await model.createEngine({ threads: 1, slots: 2, ...given });
  const openai = createOpenaiApi({ engine, model, names: ["tale", "story"], ...api });
  const mounted = await frameworks[framework]?.(openai, prefix);
  if (mounted === undefined) throw new Error("there is that framework");
  try {
    const client = new OpenAI({ apiKey: key, baseURL: mounted.url, maxRetries: 0 });
    await work({ ...mounted, engine, openai, client });
  } finally {
    await mounted.close();
    await engine.close();
  }
}

const isIdle = (engine: Engine) => engine.stats().running === 0 && engine.stats().waiting === 0;

describe.each(Object.keys(frameworks))("mounted on %s", (framework) => {
  it("converses, whole and streamed alike, and embeds", async () => {
    await withMounted(framework, {}, async ({ client }) => {
      expect((await client.models.list()).data.map(({ id }) => id)).toEqual(["tale", "story"]);
      const request = { model: "tale", messages, max_tokens: 8, temperature: 0 };
      const whole = await client.chat.completions.create(request);
      let text = "";
      for await (const chunk of await client.chat.completions.create({ ...request, stream: true }))
        text += chunk.choices[0]?.delta.content ?? "";
      expect(text).toBe(whole.choices[0]?.message.content);
      const { data } = await client.embeddings.create({ model: "story", input: "A fox ran." });
      expect(Math.hypot(...(data[0]?.embedding ?? []))).toBeCloseTo(1, 5);
    });
  });

  it("tells what is wrong with a request by a status, the host's keys included", async () => {
    await withMounted(framework, {}, async ({ client, url }) => {
      const refused = { status: 400, param: "temperature", code: "invalid_value" };
      for (const stream of [false, true])
        await expect(
          client.chat.completions.create({ model: "tale", messages, temperature: -1, stream }),
        ).rejects.toMatchObject(refused);
      await expect(client.models.retrieve("gpt-9")).rejects.toMatchObject({ status: 404 });
      await expect(client.post("/nothing", { body: {} })).rejects.toMatchObject({ status: 404 });
      await expect(client.post("/models", { body: {} })).rejects.toMatchObject({ status: 405 });
      const stranger = await fetch(`${url}/models`);
      expect([stranger.status, await stranger.json()]).toEqual([401, { from: "the host" }]);
    });
  });

  it("ends the generation of a client that leaves, streamed or not", async () => {
    await withMounted(framework, {}, async ({ client, engine }) => {
      for await (const _chunk of await client.chat.completions.create({ ...endless, stream: true })) break;
      await until(() => isIdle(engine));
      const leaving = new AbortController();
      const whole = client.chat.completions.create(endless, { signal: leaving.signal });
      await until(() => engine.stats().running === 1);
      leaving.abort();
      await expect(whole).rejects.toThrow("aborted");
      await until(() => isIdle(engine) && engine.stats().cancelled === 2);
      expect(engine.stats().failed).toBe(0);
    });
  });

  it("refuses with 429 and Retry-After where the engine's queue is full", async () => {
    await withMounted(framework, { engine: { slots: 1, queueLimit: 1 } }, async ({ client, engine }) => {
      const leaving = new AbortController();
      const running = client.chat.completions.create(endless, { signal: leaving.signal });
      await until(() => engine.stats().running === 1);
      const refused = client.chat.completions.create(endless);
      await expect(refused).rejects.toMatchObject({ status: 429, code: "queue_full" });
      await expect(refused).rejects.toSatisfy(({ headers }) => headers.get("retry-after") === "1");
      leaving.abort();
      await expect(running).rejects.toThrow("aborted");
    });
  });

  it("refuses with 429 where the prompts under way would have too many tokens", async () => {
    await withMounted(framework, { api: { maxQueueTokens: 100 } }, async ({ client, engine }) => {
      const leaving = new AbortController();
      const running = client.chat.completions.create(endless, { signal: leaving.signal });
      await until(() => engine.stats().running === 1);
      const short = { model: "tale", prompt: "Once", max_tokens: 1 };
      await client.completions.create(short);
      const refused = client.completions.create({ ...short, prompt: "Once upon a time ".repeat(30) });
      await expect(refused).rejects.toMatchObject({ status: 429, code: "queue_full" });
      await expect(refused).rejects.toThrow("more than 100 tokens");
      leaving.abort();
      await expect(running).rejects.toThrow("aborted");
      await until(() => isIdle(engine));
      await client.completions.create({ ...short, prompt: "Once upon a time ".repeat(30) }); // alone
    });
  });

  it("answers below any path of the host's", async () => {
    await withMounted(framework, { prefix: "/llm/v1" }, async ({ client }) => {
      const { choices } = await client.completions.create({ model: "tale", prompt: "Once", max_tokens: 2 });
      expect(choices).toHaveLength(1);
    });
  });
});

describe("createOpenaiApi()", () => {
  const within = async (work: (openai: OpenaiApi, engine: Engine, told: string[]) => Promise<void>) => {
    const engine = await model.createEngine({ threads: 1, slots: 1 });
    const told: string[] = [];
    const onFailure = (error: Error) => void told.push(error.message);
    const onUnknownField = (path: string) => void told.push(path);
    try {
      await work(
        createOpenaiApi({ engine, model, maxBodyBytes: 200, onFailure, onUnknownField }),
        engine,
        told,
      );
    } finally {
      await engine.close();
    }
  };
  const post = (body: string) => new Request("http://x/a/v1/completions", { method: "POST", body });

  it("calls the model by its file's name, and tells fields that nobody defines", async () => {
    await within(async (openai, _engine, told) => {
      const answered = await openai.fetch(post('{"prompt": "Once", "max_tokens": 1, "tempratur": 1}'));
      expect(await answered.json()).toMatchObject({ model: "tinytale-q8_0" });
      expect(told).toEqual(["tempratur"]);
    });
  });

  it("refuses bodies that are too long or no JSON", async () => {
    await within(async (openai) => {
      expect((await openai.fetch(post(`{"prompt": "${"a".repeat(300)}"}`))).status).toBe(413);
      expect((await openai.fetch(post("{"))).status).toBe(400);
      const odd = [undefined, null, "text", [1]];
      for (const body of odd)
        expect(await openai.answer({ path: "/v1/completions", method: "POST", body })).toMatchObject({
          status: 400,
          body: { error: { message: "the body must be an object" } },
        });
    });
  });

  it("answers beside /v1, and with 404 where there is no route", async () => {
    await within(async (openai) => {
      const call = { method: "POST", body: { prompt: "a fox" } };
      const counted = await openai.answer({ ...call, path: "/llm/tokenize?x=1" });
      expect(counted).toMatchObject({ status: 200, body: { count: expect.any(Number) } });
      for (const path of ["", "/", "/nothing", "/v1", "http://x/y"])
        expect((await openai.answer({ ...call, path })).status).toBe(404);
    });
  });

  it("answers 503 once the engine is closed, and tells of it", async () => {
    await within(async (openai, engine, told) => {
      await engine.close();
      const { status, headers } = await openai.answer({
        path: "/v1/completions",
        method: "POST",
        body: { prompt: "Once" },
      });
      expect([status, headers["Retry-After"]]).toEqual([503, "1"]);
      expect(told).toHaveLength(1);
    });
  });

  it.each([
    [{}, "createOpenaiApi(): engine must be an engine of createEngine(), got nothing"],
    [{ model: 5 }, "model must be a model of loadModel()"],
    [{ names: [] }, "names must be a list of at least one name"],
    [{ names: [""] }, "names[0] must be text that is not empty"],
    [{ maxBodyBytes: 0 }, "maxBodyBytes must be an integer of at least 1"],
    [{ name: "x" }, "name"],
  ])("refuses %j by name", async (wrong, sentence) => {
    await within(async (_openai, engine) => {
      const given = Object.keys(wrong).length === 0 ? wrong : { engine, model, ...wrong };
      expect(() => createOpenaiApi(given as OpenaiApiOptions)).toThrow(sentence);
    });
  });
});
