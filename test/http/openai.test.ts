// OpenAI's own client against the server: models, completions, conversations, streams,
// embeddings; and what each of them hears of a request that cannot be served.
import type OpenAI from "openai";
import { describe, expect, it } from "vitest";
import { call, json, type Scene, until, withServer } from "./scene.js";

const messages = [{ role: "user" as const, content: "Tell me a story about a fox." }];
const endless = { model: "tinytale", messages, max_tokens: 900, ...({ ignore_eos: true } as object) };
const isIdle = ({ served }: Scene) => served.text?.stats().running === 0;

describe("the openai package", () => {
  it("lists models, completes and converses, whole and streamed alike", async () => {
    await withServer({}, async ({ client }) => {
      const openai = client();
      expect((await openai.models.list()).data.map((model) => model.id)).toEqual(["tinytale"]);
      expect(await openai.models.retrieve("tinytale")).toMatchObject({ object: "model" });
      const request = { model: "tinytale", messages, max_tokens: 16, temperature: 0 };
      const whole = await openai.chat.completions.create(request);
      let text = "";
      let usage: OpenAI.CompletionUsage | undefined;
      const options = { stream: true as const, stream_options: { include_usage: true } };
      for await (const chunk of await openai.chat.completions.create({ ...request, ...options })) {
        text += chunk.choices[0]?.delta.content ?? "";
        usage = chunk.usage ?? usage;
      }
      expect(text).toBe(whole.choices[0]?.message.content);
      expect(usage?.completion_tokens).toBe(16);
      const prompts = { model: "tinytale", prompt: ["Once", "The fox"], max_tokens: 4, n: 2 };
      const plain = await openai.completions.create(prompts);
      expect(plain.choices.map((choice) => choice.index)).toEqual([0, 1, 2, 3]);
    });
  });

  it("embeds texts and token ids, as numbers and as base64", async () => {
    await withServer({}, async ({ client }) => {
      const openai = client();
      const input = ["The fox ran.", "A dog slept."];
      // The client asks for base64 and decodes it, unless it is told otherwise.
      const decoded = await openai.embeddings.create({ model: "tinytale", input });
      const plain = await openai.embeddings.create({ model: "tinytale", input, encoding_format: "float" });
      expect(plain.data.map((each) => each.index)).toEqual([0, 1]);
      for (const [index, { embedding }] of plain.data.entries()) {
        expect(Math.hypot(...embedding)).toBeCloseTo(1, 5);
        for (const [place, value] of embedding.entries())
          expect(decoded.data[index]?.embedding[place]).toBeCloseTo(value, 6);
      }
      expect(plain.usage.prompt_tokens).toBeGreaterThan(4);
      const tokens = await openai.embeddings.create({ model: "tinytale", input: [[5, 6], [7]] });
      expect(tokens.data).toHaveLength(2);
      expect(tokens.usage.prompt_tokens).toBe(3);
    });
  });

  it("hears what is wrong with a request, by the field's name", async () => {
    const wrong: readonly [string, object, string | null, string][] = [
      ["/embeddings", { input: [] }, "input", "input must be text"],
      ["/embeddings", { input: ["a", 5] }, "input[1]", "input[1] must be text or token ids"],
      ["/embeddings", { input: [1.5] }, "input", "input must be a list of token ids"],
      ["/embeddings", { input: [99_999_999] }, "input[0]", "input"],
      ["/embeddings", { input: "a", encoding_format: "hex" }, "encoding_format", '"float" or "base64"'],
      ["/embeddings", { input: "a", dimensions: 8 }, "dimensions", "dimensions is not supported"],
      ["/embeddings", { input: "a ".repeat(6000) }, null, "input"],
      ["/completions", { prompt: "a", temperature: -1 }, "temperature", "temperature must be"],
      ["/chat/completions", { messages, max_tokens: 0 }, "max_tokens", "max_tokens"],
      ["/chat/completions", { messages, stream: true, top_p: 7 }, "top_p", "top_p"],
      ["/chat/completions", { messages: "hi" }, "messages", "messages"],
    ];
    await withServer({}, async ({ url, client }) => {
      for (const [path, body, param, sentence] of wrong) {
        const whole = { model: "tinytale", ...body };
        await expect(client().post(path, { body: whole })).rejects.toMatchObject({ status: 400 });
        const { error } = (await call(`${url}/v1${path}`, "POST", JSON.stringify(whole), json)).json;
        expect(error.message).toContain(sentence);
        expect(error.type).toBe("invalid_request_error");
        if (param !== null) expect(error.param).toBe(param);
      }
    });
  });

  it("hears of a model that is not there, and of a context that is full", async () => {
    await withServer({}, async ({ client }) => {
      const create = (request: object) =>
        client().chat.completions.create({ model: "tinytale", messages, ...request });
      await expect(create({ model: "gpt-9" })).rejects.toMatchObject({
        status: 404,
        code: "model_not_found",
      });
      const long = { messages: [{ role: "user", content: "a ".repeat(5000) }], stream: true };
      await expect(create(long)).rejects.toMatchObject({ status: 400, code: "context_overflow" });
    });
  });
});

describe("a client that leaves", () => {
  it("ends its generation, streamed or not", async () => {
    await withServer({}, async (scene) => {
      const { client, server } = scene;
      const stream = await client().chat.completions.create({ ...endless, stream: true });
      for await (const _chunk of stream) break;
      await until(() => isIdle(scene) && server.jobs === 0);
      const leaving = new AbortController();
      const whole = client().chat.completions.create(endless, { signal: leaving.signal });
      await until(() => scene.served.text?.stats().running === 1);
      leaving.abort();
      await expect(whole).rejects.toThrow("aborted");
      await until(() => isIdle(scene) && server.jobs === 0);
      expect(scene.served.text?.stats()).toMatchObject({ cancelled: 2, failed: 0 });
    });
  });

  it("harms nobody else, however many leave at once", async () => {
    await withServer({}, async (scene) => {
      const { client, server } = scene;
      const openai = client();
      const one = { model: "tinytale", messages, max_tokens: 40, temperature: 0 };
      const alone = (await openai.chat.completions.create(one)).choices[0]?.message.content;
      const read = async (leaves: boolean) => {
        let text = "";
        for await (const chunk of await openai.chat.completions.create({ ...one, stream: true })) {
          text += chunk.choices[0]?.delta.content ?? "";
          if (leaves && text !== "") return undefined;
        }
        return text;
      };
      const texts = await Promise.all(Array.from({ length: 40 }, (_, index) => read(index % 2 === 0)));
      expect(texts.filter((text) => text !== undefined)).toEqual(Array(20).fill(alone));
      await until(() => isIdle(scene) && server.jobs === 0);
      expect(scene.served.text?.stats().kvCellsUsed).toBe(0);
    });
  });
});
