// Tokenizing, detokenizing and reranking: what vLLM answers to them, computed here by the model
// itself. Bad input is refused by the field's name.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadModel, type Model } from "../../src/index.js";
import { type Api, openApi } from "./scene.js";

const reference = "synthetic:qwen3?dim=64&layers=2&type=f32&labels=2";
let api: Api;
let ranker: Api;
let model: Model;
beforeAll(async () => {
  api = await openApi();
  ranker = await openApi({ MODEL_NAME: reference });
  model = await loadModel(reference);
});
afterAll(async () => {
  await api.close();
  await ranker.close();
  await model.close();
});

/** The answer's object, or its error. */
// biome-ignore lint/suspicious/noExplicitAny: what a server answers
async function ask(path: string, body: object, of: Api = api): Promise<{ status: number; reply: any }> {
  const { status, reply } = await of.call(path, body);
  return { status, reply };
}

const messages = [{ role: "user", content: "Hi" }];

describe("/tokenize", () => {
  it("counts what a completion computes", async () => {
    const prompt = "Hello <|im_end|> world";
    const { reply } = await ask("/tokenize", { model: "m", prompt });
    const { reply: whole } = await ask("/v1/completions", { prompt, max_tokens: 1 });
    expect(reply).toEqual({
      count: whole.usage.prompt_tokens,
      max_model_len: 2048,
      tokens: expect.any(Array),
      token_strs: null,
    });
    expect(reply.tokens.length).toBe(reply.count);
  });

  it.each([
    ["a conversation", { messages }],
    ["one with tools", { messages, tools: [{ type: "function", function: { name: "look" } }] }],
    ["one with template variables", { messages, chat_template_kwargs: { enable_thinking: false } }],
  ])("counts what %s computes", async (_, body) => {
    const { reply } = await ask("/tokenize", body);
    const { reply: whole } = await ask("/v1/chat/completions", { ...body, max_tokens: 1 });
    expect(reply.count).toBe(whole.usage.prompt_tokens);
  });

  it("leaves the beginning of an answer away where it is told to", async () => {
    const { reply: open } = await ask("/tokenize", { messages });
    const { reply: closed } = await ask("/tokenize", { messages, add_generation_prompt: false });
    const [opened, ended] = [open.tokens, closed.tokens] as number[][];
    expect(opened?.slice(0, ended?.length)).toEqual(ended);
    expect(opened?.length).toBeGreaterThan(ended?.length ?? 0);
  });

  it("spells tokens where they are asked for, and gives them back as text", async () => {
    const { reply } = await ask("/tokenize", { prompt: "Hello world", return_token_strs: true });
    expect(reply.token_strs.join("")).toContain("world");
    const { reply: text } = await ask("/detokenize", { tokens: reply.tokens });
    expect(text).toEqual({ prompt: expect.stringContaining("Hello world") });
  });

  it.each([
    [{}, "prompt"],
    [{ prompt: 5 }, "prompt"],
    [{ prompt: "a", add_special_tokens: "maybe" }, "add_special_tokens"],
    [{ messages: "Hi" }, "messages"],
    [{ messages, continue_final_message: true }, "continue_final_message"],
    [{ messages, chat_template: "{{ 1 }}" }, "chat_template"],
  ])("refuses %j", async (body, param) => {
    const { status, reply } = await ask("/tokenize", body);
    expect([status, reply.error.param]).toEqual([400, param]);
  });
});

describe("/apply-template", () => {
  it.each([
    ["a conversation", { messages }],
    ["one with tools", { messages, tools: [{ type: "function", function: { name: "look" } }] }],
    ["one that is continued", { messages, add_generation_prompt: false }],
  ])("writes the text that %s is computed from", async (_, body) => {
    const { reply } = await ask("/apply-template", { model: "m", ...body });
    expect(Object.keys(reply)).toEqual(["prompt"]);
    const { reply: text } = await ask("/tokenize", { prompt: reply.prompt, add_special_tokens: true });
    const { reply: ids } = await ask("/tokenize", body);
    expect(text.tokens).toEqual(ids.tokens);
  });

  it.each([
    [{}, "messages"],
    [{ messages: [] }, "messages"],
    [{ messages, chat_template: "{{ 1 }}" }, "chat_template"],
    [{ messages, model: "other" }, "model"],
  ])("refuses %j", async (body, param) => {
    const { status, reply } = await ask("/apply-template", body);
    expect([status >= 400 && status < 500, reply.error.param]).toEqual([true, param]);
  });
});

describe("/detokenize", () => {
  it.each([
    [{}, "tokens must be a list of token ids"],
    [{ tokens: "1" }, "tokens must be a list of token ids"],
    [{ tokens: [-5] }, "tokens[0] must be a token id from 0 to 49151, got -5"],
    [{ tokens: [1, 2.5] }, "tokens[1] must be a token id from 0 to 49151, got 2.5"],
    [{ tokens: [49_152] }, "tokens[0] must be a token id from 0 to 49151, got 49152"],
  ])("refuses %j", async (body, sentence) => {
    const { status, reply } = await ask("/detokenize", body);
    expect(status).toBe(400);
    expect(reply.error.message).toContain(sentence);
  });

  it("writes special tokens out", async () => {
    const { reply } = await ask("/tokenize", { prompt: "a<|im_end|>", add_special_tokens: false });
    const { reply: text } = await ask("/detokenize", { tokens: reply.tokens });
    expect(text.prompt).toContain("a");
  });
});

const query = "What do cows eat?";
const documents = ["Grass grows in the field.", "Rome is a town.", "Cows like it green."];

describe("/v1/rerank", () => {
  it.each(["/v1/rerank", "/rerank", "/v2/rerank"])(
    "orders documents as the engine does (%s)",
    async (path) => {
      const { reply } = await ask(path, { model: "m", query, documents }, ranker);
      await using engine = await model.createEngine({ slots: 2, contextLength: 512 });
      const { results, usage } = await engine.rerank({ query, documents });
      expect(reply).toMatchObject({ id: expect.stringMatching(/^rerank-/), model: "m" });
      expect(reply.usage).toEqual({ prompt_tokens: usage.promptTokens, total_tokens: usage.promptTokens });
      const said = reply.results as { index: number; relevance_score: number; document: object }[];
      expect(said.map(({ index }) => index)).toEqual(results.map(({ index }) => index));
      for (const [place, { index, relevance_score, document }] of said.entries()) {
        expect(relevance_score).toBeCloseTo(results[place]?.relevanceScore ?? Number.NaN, 3);
        expect(document).toEqual({ text: documents[index] });
      }
    },
  );

  it("tells of the best only, without texts, of objects with a text", async () => {
    const body = { query, documents: documents.map((text) => ({ text })), top_n: 1, return_documents: false };
    const { reply } = await ask("/v1/rerank", body, ranker);
    expect(reply.results).toEqual([{ index: expect.any(Number), relevance_score: expect.any(Number) }]);
  });

  it.each([
    [{ documents }, "query"],
    [{ query: "", documents }, "query"],
    [{ query }, "documents"],
    [{ query, documents: [] }, "documents"],
    [{ query, documents: ["a", 5] }, "documents[1]"],
    [{ query, documents: ["a", { image: "x" }] }, "documents[1]"],
    [{ query, documents, top_n: -1 }, "top_n"],
    [{ query, documents, max_tokens_per_doc: 5 }, "max_tokens_per_doc"],
  ])("refuses %j", async (body, param) => {
    const { status, reply } = await ask("/v1/rerank", body, ranker);
    expect([status, reply.error.param]).toEqual([400, param]);
  });

  it("of a model that is no reranker is refused in a sentence", async () => {
    const { status, reply } = await ask("/v1/rerank", { query, documents });
    expect([status, reply.error.message]).toEqual([400, expect.stringMatching(/rank/)]);
  });
});
