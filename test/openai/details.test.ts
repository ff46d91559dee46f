// The API's details on a real engine: log-probabilities of half characters and of tokens
// that were not likely, seeds of 64 bits, answers that were cut off, and errors that name
// the request's own fields.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Engine } from "../../src/engine/engine.js";
import type { Model } from "../../src/engine/model.js";
import { ApiError } from "../../src/openai/api-error.js";
import { takeFields } from "../../src/openai/fields.js";
import { type Answer, answer } from "../../src/openai/routes.js";
import type { TextModel } from "../../src/openai/text-model.js";
import { loadEmbedded } from "../helpers/embedded.js";

let model: Model;
let engine: Engine;

beforeAll(async () => {
  model = await loadEmbedded();
  engine = await model.createEngine({ slots: 2 });
});
afterAll(async () => {
  await engine.close();
  await model.close();
});

function served(by: Engine = engine): TextModel {
  return {
    name: "m",
    names: ["m"],
    contextLength: by.options.contextLength,
    tokenBytes: (token) => model.tokenBytes(token),
    generate: (request) => by.generate(request),
    tokenize: (text, options) => model.tokenize(text, options),
    detokenize: (tokens) => model.detokenize(tokens, { special: true }),
    renderChat: (messages, options) => model.renderChat(messages, options),
    embed: (inputs, options) => by.embed(inputs, options),
    rerank: (request) => by.rerank(request),
  };
}

const completions = "/v1/completions";
const chat = "/v1/chat/completions";
const messages = [{ role: "user", content: "Tell me a story." }];

/** As a client sends it: through JSON. */
function post(path: string, body: object | string, by?: Engine): Promise<Answer> {
  const sent = typeof body === "string" ? body : JSON.stringify(body);
  return answer(served(by), { path, method: "POST", body: JSON.parse(sent) });
}

async function refused(work: () => Promise<unknown>): Promise<ApiError> {
  try {
    await work();
  } catch (thrown) {
    if (thrown instanceof ApiError) return thrown;
    throw thrown;
  }
  throw new Error("expected a refusal");
}

interface Choice {
  readonly text: string;
  readonly message: { readonly content: string };
  readonly logprobs: {
    readonly tokens: readonly string[];
    readonly top_logprobs: readonly Record<string, number>[];
    readonly token_logprobs: readonly number[];
    readonly content: readonly (Entry & { readonly top_logprobs: readonly Entry[] })[];
  };
}
interface Entry {
  readonly token: string;
  readonly logprob: number;
  readonly bytes: readonly number[];
}

async function choice(path: string, body: object | string): Promise<Choice> {
  const given = await post(path, body);
  if (given.type !== "object") throw new Error("expected one object");
  const { choices } = given.object as { readonly choices: readonly Choice[] };
  return choices[0] as Choice;
}

// The embedded vocabulary spells most of these byte by byte, and likes none of them.
const unlikely = { guided_choice: ["Ж日🎈é zebra"], temperature: 0 };

describe("log-probabilities", () => {
  it("tell the bytes of every token, also of a part of a character", async () => {
    const { message, logprobs } = await choice(chat, { messages, ...unlikely, logprobs: true });
    expect(message.content).toBe("Ж日🎈é zebra");
    expect(logprobs.content.some(({ token }) => token.includes("\ufffd"))).toBe(true);
    expect(Buffer.from(logprobs.content.flatMap(({ bytes }) => bytes)).toString()).toBe(message.content);
  });

  it.each([1, 3, 20])("chat: hold the generated token among the %i likeliest", async (count) => {
    const body = { messages, ...unlikely, logprobs: true, top_logprobs: count };
    const { logprobs } = await choice(chat, body);
    for (const { bytes, logprob, top_logprobs: top } of logprobs.content) {
      expect(top).toHaveLength(count);
      expect(top).toContainEqual(expect.objectContaining({ bytes, logprob }));
      expect(top.map((each) => each.logprob)).toEqual(
        top.map((each) => each.logprob).sort((one, other) => other - one),
      );
    }
  });

  it("chat: hold none where none is asked for", async () => {
    const { logprobs } = await choice(chat, { messages, ...unlikely, logprobs: true, top_logprobs: 0 });
    expect(logprobs.content.every((each) => each.top_logprobs.length === 0)).toBe(true);
  });

  it.each([0, 2])("completions: hold the generated token beside the %i likeliest", async (count) => {
    const { text, logprobs } = await choice(completions, {
      prompt: "Once",
      guided_choice: [" upon a zebra"],
      logprobs: count,
    });
    expect(logprobs.tokens.join("")).toBe(text); // leading spaces included
    for (const [index, token] of logprobs.tokens.entries()) {
      const top = logprobs.top_logprobs[index] ?? {};
      expect(top[token]).toBe(logprobs.token_logprobs[index]);
      expect(Object.keys(top).length).toBeGreaterThanOrEqual(Math.max(1, count));
      expect(Object.keys(top).length).toBeLessThanOrEqual(count + 1);
    }
  });

  it("echo a prompt of tokens whose characters are parts of several", async () => {
    const prompt = model.tokenize("Ж日 of a zebra", { addSpecial: false });
    const { text } = await choice(completions, { prompt, echo: true, max_tokens: 1, temperature: 0 });
    expect(text).toContain("Ж日 of a zebra");
  });
});

describe("a prompt that the caller rendered", () => {
  const greedy = { max_tokens: 12, temperature: 0 };

  it("is the conversation's where add_special_tokens is given, else text", async () => {
    const { prompt } = await model.renderChat(messages);
    const spoken = await post(chat, { messages, ...greedy });
    const written = await post(completions, { prompt, add_special_tokens: true, ...greedy });
    const usageOf = (given: Answer) =>
      given.type === "object"
        ? (given.object as { usage: { prompt_tokens: number } }).usage.prompt_tokens
        : 0;
    expect(usageOf(written)).toBe(usageOf(spoken));
    const { message } = await choice(chat, { messages, ...greedy });
    const { text } = await choice(completions, { prompt, add_special_tokens: true, ...greedy });
    expect(text).toBe(message.content);
    expect(usageOf(await post(completions, { prompt, ...greedy }))).toBeGreaterThan(usageOf(spoken));
  });

  it("has no second begin token where it spells its own", async () => {
    const begin = model.detokenize([model.info.bosToken], { special: true });
    const { prompt } = await model.renderChat(messages);
    const body = { prompt: begin + prompt, add_special_tokens: false, ...greedy };
    const { text } = await choice(completions, body);
    expect(text).toBe((await choice(chat, { messages, ...greedy })).message.content);
  });
});

describe("seeds", () => {
  const drawn = (seed: string) =>
    choice(completions, `{"prompt": "Once", "max_tokens": 12, "temperature": 2, "seed": ${seed}}`);
  const expected = async (seed: bigint) => {
    const options = { prompt: "Once", maxTokens: 12, temperature: 2, topP: 1, seed };
    return (await engine.generate(options)).text;
  };

  it.each([
    ['"18446744073709551615"', 2n ** 64n - 1n],
    ['"9007199254740993"', 2n ** 53n + 1n],
    ["9223372036854775808", 2n ** 63n],
    ["-9223372036854775808", 2n ** 63n],
    ["-1", 2n ** 64n - 1n],
    ['"-2"', 2n ** 64n - 2n],
    ["18446744073709551615", 0n], // JSON.parse rounds it to 2^64
    ["7", 7n],
  ])("%s in JSON is a seed", async (seed, bits) => {
    expect((await drawn(seed)).text).toBe(await expected(bits));
  });

  it.each(["1.5", '"x"', "1e300", '"99999999999999999999"', "true"])("%s is none", async (seed) => {
    const error = await refused(() => drawn(seed));
    expect(error).toMatchObject({ status: 400, param: "seed" });
  });
});

describe("an answer that was cut off", () => {
  it.each([chat, completions])("%s: is an error, not a stop", async (path) => {
    const body = { messages, prompt: "Once", max_tokens: 900, ignore_eos: true };
    const { prompt, ...spoken } = body;
    const { messages: none, ...written } = body;
    const sent = path === chat ? spoken : written;
    const other = await model.createEngine({ slots: 2 });
    const whole = refused(() => post(path, sent, other));
    const streamed = await post(path, { ...sent, stream: true }, other);
    if (streamed.type !== "chunks") throw new Error("expected a stream");
    const events: unknown[] = [];
    const reading = refused(async () => {
      for await (const event of streamed.chunks) {
        events.push(event);
        if (events.length === 3) void other.close();
      }
    });
    for (const error of [await whole, await reading]) {
      expect(error).toMatchObject({ status: 499, code: "cancelled" });
    }
    expect(JSON.stringify(events)).not.toMatch(/finish_reason":"(stop|length)/);
  });
});

describe("several prompts of which one fails", () => {
  const failing = { prompt: [[5, 6], [999_999]], max_tokens: 900, ignore_eos: true };

  it.each([{}, { echo: true }, { stream: true }])("%j: nothing is computed any more", async (manner) => {
    const before = engine.stats().generatedTokens;
    const error = await refused(async () => {
      const given = await post(completions, { ...failing, ...manner });
      if (given.type === "chunks") for await (const _chunk of given.chunks);
    });
    expect(error).toMatchObject({ status: 400, param: "prompt[1][0]" });
    expect(error.message).toMatch(/^prompt\[1\]\[0\] must be a token id .*999999$/);
    await expect.poll(() => engine.stats().running + engine.stats().waiting).toBe(0);
    expect(engine.stats().generatedTokens - before).toBeLessThan(800);
  });
});

describe("errors", () => {
  it.each<[string, object, string]>([
    [chat, { logprobs: true, top_logprobs: 21 }, "top_logprobs"],
    [completions, { logprobs: 21 }, "logprobs"],
    [chat, { max_completion_tokens: 0 }, "max_completion_tokens"],
    [completions, { max_tokens: 0 }, "max_tokens"],
    [chat, { top_p: 0 }, "top_p"],
    [chat, { repetition_penalty: 0 }, "repetition_penalty"],
    [chat, { repeat_penalty: 0 }, "repeat_penalty"],
    [chat, { repeat_last_n: -2 }, "repeat_last_n"],
    [chat, { dry_penalty_last_n: -2 }, "dry_penalty_last_n"],
    [chat, { min_tokens: 9, max_completion_tokens: 3 }, "min_tokens"],
    [chat, { stop: ["a", ""] }, "stop"],
    [chat, { stop_token_ids: [-1] }, "stop_token_ids[0]"],
    [chat, { logit_bias: { "99999": 1 } }, "logit_bias"],
    [chat, { guided_regex: 5 }, "guided_regex"],
    [chat, { structured_outputs: { choice: [] } }, "structured_outputs.choice"],
    [chat, { guided_choice: [""] }, "guided_choice"],
    [chat, { response_format: { type: "json_schema", json_schema: { schema: [1] } } }, "response_format"],
    [chat, { guided_grammar: "root ::= [a-z" }, "guided_grammar"],
    [completions, { guided_grammar: "root ::= missing" }, "guided_grammar"],
    [completions, { structured_outputs: { grammar: 'root ::= root "a"' } }, "structured_outputs.grammar"],
    [completions, { guided_regex: "a\ud800" }, "guided_regex"],
    [completions, { guided_json: { $ref: "#/$defs/a", $defs: { a: { $ref: "#/$defs/a" } } } }, "guided_json"],
    [chat, { n: 129 }, "n"],
    [completions, { prompt: [999_999] }, "prompt[0]"],
    [completions, { prompt: [[999_999]] }, "prompt[0][0]"],
    [completions, { prompt: [[999_999]], echo: true }, "prompt"],
    [chat, { tools: [{ type: "function", function: { name: "a b" } }] }, "tools[0].function.name"],
    [
      chat,
      {
        messages: [
          { role: "user", content: "a" },
          { role: 5, content: "b" },
        ],
      },
      "messages[1].role",
    ],
  ])("%s %j names %s", async (path, fields, param) => {
    const base = path === chat ? { messages } : { prompt: "Once" };
    const error = await refused(() => post(path, { ...base, ...fields }));
    expect(error).toMatchObject({ status: 400, param: expect.stringContaining(param) });
    expect(error.message).toContain(param);
    expect(error.message).not.toMatch(/\b[a-z]+[A-Z]|generate\(\)/);
  });

  it("name the field of what the engine found out", async () => {
    const error = await refused(() =>
      post(completions, { prompt: "Once", min_tokens: 2000, max_tokens: 3000 }),
    );
    expect(error).toMatchObject({ status: 400, param: "min_tokens" });
    expect(error.message).toMatch(/^min_tokens must be at most \d+, got 2000: /);
  });

  it("name both fields where one is wrong because of the other", async () => {
    const body = { messages, min_tokens: 9, max_completion_tokens: 3 };
    const error = await refused(() => post(chat, body));
    expect(error.message).toBe("min_tokens must be at most max_completion_tokens, 3, got 9");
  });

  it.each(["constructor", "toString", "__proto__", "hasOwnProperty", "valueOf"])(
    "a field called %s is that field",
    (name) => {
      const { options, rest } = takeFields(JSON.parse(`{"${name}": 1, "top_k": 3}`));
      expect(options).toEqual({ topK: 3 });
      expect(Object.entries(rest)).toEqual([[name, 1]]);
    },
  );
});
