// What completions and conversations tell of their prompts, and fields of vLLM that bound
// tokens and text, by what they do to an answer.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Api, type Json, openApi, type Reply } from "./scene.js";

interface LogProbs {
  readonly text_offset: readonly number[];
  readonly tokens: readonly string[];
  readonly token_logprobs: readonly (number | null)[];
  readonly top_logprobs: readonly (Readonly<Record<string, number>> | null)[];
}

interface Choice {
  readonly text: string;
  readonly logprobs: LogProbs;
  readonly finish_reason: string;
  readonly prompt_logprobs: readonly (Readonly<Record<string, Json>> | null)[];
  readonly prompt_token_ids: readonly number[];
  readonly token_ids: readonly number[];
  readonly message: { readonly role: string; readonly content: string };
  readonly delta: { readonly content?: string };
}

interface Whole {
  readonly choices: readonly Choice[];
  readonly usage: { readonly prompt_tokens: number; readonly completion_tokens: number };
  readonly prompt_logprobs: Choice["prompt_logprobs"];
  readonly prompt_token_ids: readonly number[];
}

const prompt = "Once upon a time there was";
const messages = [{ role: "user", content: "Hi" }];

let api: Api;
beforeAll(async () => {
  api = await openApi();
}, 60_000);
afterAll(() => api.close());

const whole = ({ status, reply }: Reply): Whole => {
  expect([status, reply?.error]).toEqual([200, undefined]);
  return reply as unknown as Whole;
};
const complete = async (body: Json) =>
  whole(await api.complete({ prompt, max_tokens: 4, temperature: 0, ignore_eos: true, ...body }));
const chat = async (body: Json) =>
  whole(await api.chat({ messages, max_tokens: 4, temperature: 0, ignore_eos: true, ...body }));
const only = ({ choices: [choice] }: Whole) => choice as Choice;
const tokensOf = async (text: string) =>
  (await api.call("/tokenize", { prompt: text })).reply?.tokens as readonly number[];

describe("echo with logprobs", () => {
  it("tells of every token of prompt and answer, in one shape", async () => {
    const { text, logprobs } = only(await complete({ echo: true, logprobs: 2 }));
    const ids = await tokensOf(prompt);
    expect(text.startsWith(prompt)).toBe(true);
    expect(logprobs.tokens).toHaveLength(ids.length + 4);
    expect(logprobs.token_logprobs[0]).toBeNull();
    expect(logprobs.top_logprobs[0]).toBeNull();
    for (const [index, token] of logprobs.tokens.entries()) {
      if (index === 0) continue;
      const offset = logprobs.text_offset[index] ?? -1;
      expect(text.startsWith(token, offset)).toBe(true);
      expect(logprobs.top_logprobs[index]?.[token]).toBe(logprobs.token_logprobs[index]);
    }
  });

  it("with max_tokens 0 reads the prompt alone, with and without logprobs", async () => {
    const read = await complete({ echo: true, logprobs: 1, max_tokens: 0 });
    const longer = only(await complete({ echo: true, logprobs: 1, max_tokens: 3 }));
    const { text, logprobs, finish_reason } = only(read);
    expect([text, finish_reason]).toEqual([prompt, "length"]);
    expect(logprobs.token_logprobs).toEqual(longer.logprobs.token_logprobs.slice(0, -3));
    expect(read.usage.completion_tokens).toBe(0);
    expect(only(await complete({ echo: true, max_tokens: 0 })).text).toBe(prompt);
    expect((await api.complete({ prompt, max_tokens: 0 })).status).toBe(400);
  });

  it("with max_tokens 1 has one token more than the prompt, be it an end token", async () => {
    const ids = await tokensOf(prompt);
    const end = (await api.call("/tokenize", { prompt: "" })).reply?.tokens as readonly number[];
    for (const body of [{}, { prompt: [...ids, ...end] }, { prompt: [ids, [...ids, 7]] }]) {
      const { choices } = await complete({
        echo: true,
        logprobs: 1,
        max_tokens: 1,
        ignore_eos: false,
        ...body,
      });
      for (const { logprobs } of choices) {
        expect(logprobs.token_logprobs.at(-1)).not.toBeNull();
        expect(logprobs.tokens.length - 1).toBeGreaterThanOrEqual(ids.length);
      }
    }
  });

  it("streams the prompt's before the answer's", async () => {
    const asked = { echo: true, logprobs: 1, temperature: 0, max_tokens: 4, ignore_eos: true };
    const { events = [] } = await api.complete({ prompt, ...asked, stream: true });
    const chunks = (events as readonly Whole[]).map(only);
    const together = only(await complete(asked));
    expect(chunks.map(({ text }) => text).join("")).toBe(together.text);
    const told = chunks.flatMap(({ logprobs }) => logprobs?.token_logprobs ?? []);
    const offsets = chunks.flatMap(({ logprobs }) => logprobs?.text_offset ?? []);
    expect(told).toEqual(together.logprobs.token_logprobs);
    expect(offsets).toEqual(together.logprobs.text_offset);
  });
});

describe("prompt_logprobs", () => {
  it("are vLLM's form in both routes", async () => {
    const said = only(await complete({ prompt_logprobs: 2, n: 1 })).prompt_logprobs;
    const ids = await tokensOf(prompt);
    expect(said).toHaveLength(ids.length);
    expect(said[0]).toBeNull();
    for (const [index, id] of ids.entries()) {
      if (index === 0) continue;
      const entry = said[index]?.[String(id)];
      expect(entry).toEqual({
        logprob: expect.any(Number),
        rank: expect.any(Number),
        decoded_token: expect.any(String),
      });
      const ranks = Object.values(said[index] ?? {}).map(({ rank }) => rank);
      expect(ranks).toEqual(expect.arrayContaining([1, 2]));
    }
    const answer = await chat({ prompt_logprobs: 0 });
    expect(answer.prompt_logprobs).toHaveLength(answer.usage.prompt_tokens);
  });

  it("are refused beyond 20 and, but for 0, in streams", async () => {
    for (const body of [
      { prompt_logprobs: 21 },
      { prompt_logprobs: -1 },
      { prompt_logprobs: 1, stream: true },
    ]) {
      for (const { status, reply } of [
        await api.complete({ prompt, ...body }),
        await api.chat({ messages, ...body }),
      ])
        expect([status, (reply?.error as Json | undefined)?.param]).toEqual([400, "prompt_logprobs"]);
    }
    const { events = [] } = await api.chat({ messages, max_tokens: 2, prompt_logprobs: 0, stream: true });
    expect(events.some((event) => JSON.stringify(event).includes("prompt_logprobs"))).toBe(false);
  });
});

describe("ids of tokens", () => {
  it("return_token_ids tells those of prompt and answer", async () => {
    const ids = await tokensOf(prompt);
    const said = only(await complete({ return_token_ids: true }));
    expect(said.prompt_token_ids).toEqual(ids);
    expect(said.token_ids).toHaveLength(4);
    const answer = await chat({ return_token_ids: true });
    expect(answer.prompt_token_ids).toHaveLength(answer.usage.prompt_tokens);
    expect(only(answer).token_ids).toHaveLength(4);
  });

  it("return_token_ids tells them in streams too", async () => {
    const asked = { return_token_ids: true, stream: true, max_tokens: 4, temperature: 0, ignore_eos: true };
    const completed = ((await api.complete({ prompt, ...asked })).events ?? []) as readonly Whole[];
    expect(only(completed[0] as Whole).prompt_token_ids).toEqual(await tokensOf(prompt));
    expect(completed.flatMap((chunk) => only(chunk).token_ids ?? [])).toHaveLength(4);
    const chatted = ((await api.chat({ messages, ...asked })).events ?? []) as readonly Whole[];
    expect(chatted[0]?.prompt_token_ids.length).toBeGreaterThan(5);
    expect(chatted.flatMap((chunk) => only(chunk).token_ids ?? [])).toHaveLength(4);
  });

  it("return_token_ids tells them in every chunk of a stream, the prompt's with its first text, as vLLM does", async () => {
    const asked = { return_token_ids: true, stream: true, max_tokens: 4, temperature: 0, ignore_eos: true };
    for (const more of [
      {},
      { echo: true },
      { echo: true, logprobs: 1 },
      { n: 2 },
      { max_tokens: 0, echo: true },
    ]) {
      const { events = [] } = await api.complete({ prompt, ...asked, ...more });
      const chunks = (events as readonly Whole[]).map(only);
      const first = chunks[0] as Choice;
      expect([more, first.text.length > ("echo" in more ? prompt.length - 1 : 0)]).toEqual([more, true]);
      expect([more, first.prompt_token_ids]).toEqual([more, await tokensOf(prompt)]);
      expect([more, chunks.map((choice) => Array.isArray(choice.token_ids))]).toEqual([
        more,
        chunks.map(() => true),
      ]);
    }
    const [, ...later] = ((await api.chat({ messages, ...asked })).events ?? []) as readonly Whole[];
    expect(later.map((chunk) => Array.isArray(only(chunk).token_ids))).toEqual(later.map(() => true));
  });

  it("return_tokens_as_token_ids names tokens by them", async () => {
    const asked = { return_tokens_as_token_ids: true, return_token_ids: true };
    const said = only(await complete({ ...asked, logprobs: 1 }));
    expect(said.logprobs.tokens).toEqual(said.token_ids.map((id) => `token_id:${id}`));
    const { logprobs } = only(await chat({ ...asked, logprobs: true })) as unknown as {
      readonly logprobs: { readonly content: readonly { readonly token: string }[] };
    };
    expect(logprobs.content.every(({ token }) => /^token_id:\d+$/.test(token))).toBe(true);
  });
});

describe("a conversation's end", () => {
  const begun = [...messages, { role: "assistant", content: "Hello, I" }];
  const rendered = async (body: Json) =>
    (await api.call("/tokenize", { messages: begun, return_token_strs: true, ...body })).reply
      ?.token_strs as readonly string[];

  it("continue_final_message goes on with the last message", async () => {
    const prompts = await rendered({ continue_final_message: true, add_generation_prompt: false });
    expect(prompts.join("").endsWith("Hello, I")).toBe(true);
    const answer = await chat({
      messages: begun,
      continue_final_message: true,
      add_generation_prompt: false,
    });
    expect(answer.usage.prompt_tokens).toBe(prompts.length);
    expect(only(answer).message.role).toBe("assistant");
    const wrong: readonly Json[] = [
      { continue_final_message: true },
      { continue_final_message: true, add_generation_prompt: true },
      {
        continue_final_message: true,
        add_generation_prompt: false,
        tools: [{ type: "function", function: { name: "f" } }],
      },
    ];
    for (const body of wrong) {
      const { status, reply } = await api.chat({ messages: begun, ...body });
      expect([status, (reply?.error as Json | undefined)?.param]).toEqual([400, "continue_final_message"]);
    }
  });

  it("add_generation_prompt false begins no answer", async () => {
    const [opened, closed] = [await chat({}), await chat({ add_generation_prompt: false })];
    expect(closed.usage.prompt_tokens).toBeLessThan(opened.usage.prompt_tokens);
    expect(only(closed).message.role).toBe("user");
  });

  it("echo puts the last message before the answer, where its role speaks on", async () => {
    const asked = { messages: begun, continue_final_message: true, add_generation_prompt: false };
    const bare = only(await chat(asked)).message.content;
    expect(only(await chat({ ...asked, echo: true })).message.content).toBe(`Hello, I${bare}`);
    const plain = only(await chat({})).message.content;
    expect(only(await chat({ echo: true })).message.content).toBe(plain);
    const { events = [] } = await api.chat({
      ...asked,
      echo: true,
      max_tokens: 4,
      temperature: 0,
      stream: true,
    });
    const text = (events as readonly Whole[]).map((chunk) => only(chunk).delta.content ?? "").join("");
    expect(text.startsWith("Hello, I")).toBe(true);
  });
});

describe("bounds of tokens and text", () => {
  it("allowed_token_ids and bad_words", async () => {
    const allowed = [310, 320];
    const said = only(await complete({ allowed_token_ids: allowed, return_token_ids: true }));
    expect(said.token_ids.every((id) => allowed.includes(id))).toBe(true);
    const words = (await tokensOf("and the of to")).slice(-3); // of this vocabulary, a token each
    const bound = { allowed_token_ids: words, max_tokens: 1, return_token_ids: true };
    const [first = -1] = only(await complete(bound)).token_ids;
    const bad = String((await api.call("/detokenize", { tokens: [first] })).reply?.prompt).trim();
    expect(only(await complete({ ...bound, bad_words: [bad] })).token_ids).not.toEqual([first]);
    expect((await api.complete({ prompt, allowed_token_ids: [] })).status).toBe(400);
  });

  it("include_stop_str_in_output and skip_special_tokens", async () => {
    const { text } = only(await complete({ max_tokens: 12 }));
    const stop = text.slice(4, 7);
    const cut = only(await complete({ max_tokens: 12, stop }));
    const kept = only(await complete({ max_tokens: 12, stop, include_stop_str_in_output: true }));
    expect(kept.text).toBe(cut.text + stop);
    // A token that ends the answer is delivered as a stop string is, vLLM's way: text, id and log probability.
    const said = only(await complete({ max_tokens: 12, return_token_ids: true }));
    const at = said.token_ids.findIndex(
      (token, index) => index > 2 && said.token_ids.indexOf(token) === index,
    );
    const ended = {
      max_tokens: 12,
      stop_token_ids: [said.token_ids[at]],
      return_token_ids: true,
      logprobs: 0,
    };
    const without = only(await complete(ended));
    const withIt = only(await complete({ ...ended, include_stop_str_in_output: true }));
    expect(without.token_ids).toEqual(said.token_ids.slice(0, at));
    expect(withIt.token_ids).toEqual(said.token_ids.slice(0, at + 1));
    expect(withIt.text.length).toBeGreaterThan(without.text.length);
    expect(said.text.startsWith(withIt.text)).toBe(true);
    expect([withIt.logprobs.tokens.length, withIt.finish_reason]).toEqual([at + 1, "stop"]);
    const end = { allowed_token_ids: [2], max_tokens: 2 };
    expect(only(await complete(end)).text).toBe("");
    expect(only(await complete({ ...end, skip_special_tokens: false })).text).not.toBe("");
  });

  it("truncate_prompt_tokens keeps the last tokens", async () => {
    const long = "word ".repeat(3000);
    const ask = async (body: Json) => (await complete({ prompt: long, ...body })).usage.prompt_tokens;
    expect(await ask({ truncate_prompt_tokens: 10 })).toBe(10);
    expect(await ask({ truncate_prompt_tokens: -1 })).toBe(2048 - 4);
    expect((await api.complete({ prompt: long, truncate_prompt_tokens: 0 })).status).toBe(400);
    expect((await api.complete({ prompt: long })).status).toBe(400);
  });
});
