// What newcomers write: each refusal names the option by its path and says what to write
// instead, and none holds a prompt's text.
import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { judgeEmbed, refusePooling } from "../../src/engine/embed.js";
import { loadModel } from "../../src/engine/model.js";
import { inspectModel } from "../../src/engine/model-file.js";
import { judgeEngineOptions, judgeModelOptions } from "../../src/engine/options.js";
import { judgeRequest, judgeTokens, requestSchema } from "../../src/engine/request.js";
import { judgeRerank } from "../../src/engine/rerank.js";
import { InferenceError } from "../../src/errors.js";
import { judgeStartOptions } from "../../src/serverless/contract.js";
import { caught } from "../helpers/caught.js";

const schema = requestSchema({ vocabularySize: 100, addBos: true, loras: [] });
const generate = (request: unknown) => judgeRequest(schema, request, () => 7n);
const prompt = (options: object) => () => generate({ prompt: "a", ...options });
const chat = (options: object) => () => generate({ messages: [{ role: "user", content: "a" }], ...options });
const limits = { contextLength: 512, cacheKind: "full", isModel: () => true } as const;
const engine = (options: object) => () => judgeEngineOptions("createEngine()", options, limits);
const tool = { name: "w" };

const rows: readonly (readonly [() => unknown, path: readonly unknown[] | undefined, sentence: string])[] = [
  [
    () => generate("Once"),
    undefined,
    'generate(): options must be an object such as { prompt: "…" } or { messages: […] }, got a string of 4 characters',
  ],
  [
    () => generate({ messages: "hello" }),
    ["messages"],
    'such as [{ role: "user", content: "…" }], got a string of 5 characters; give a text as prompt',
  ],
  [
    prompt({ stream: true }),
    ["stream"],
    'unknown option "stream": generate() always streams; read its textStream',
  ],
  [prompt({ onToken: () => {} }), ["onToken"], 'unknown option "onToken": generate() always streams'],
  [
    prompt({ model: "gpt-4" }),
    ["model"],
    'unknown option "model": an engine has one model, that of loadModel()',
  ],
  [
    chat({ system: "Be brief." }),
    ["system"],
    'unknown option "system": put it first in messages: { role: "system", content }',
  ],
  [prompt({ images: [] }), ["images"], 'unknown option "images": images are not supported'],
  [prompt({ timeout: 5 }), ["timeout"], "give a signal, such as AbortSignal.timeout(milliseconds)"],
  [prompt({ ["k".repeat(1000)]: 5 }), ["k".repeat(1000)], "unknown option a string of 1000 characters;"],
  [prompt({ max_tokens: 5 }), ["max_tokens"], 'unknown option "max_tokens"; did you mean maxTokens?'],
  [prompt({ nonsense: 5 }), ["nonsense"], "the options are those of docs/options.md"],
  [prompt({ stop: ["a", 1] }), ["stop", 1], "generate(): stop[1] must be a string, got 1"],
  [prompt({ stop: Array(20).fill("a") }), ["stop"], "stop must be at most 16 strings, got an array of 20"],
  [prompt({ choice: "yes" }), ["choice"], "choice must be an array of 1 to 1024 non-empty strings"],
  [prompt({ choice: ["yes", 1] }), ["choice", 1], "choice[1] must be a non-empty string, got 1"],
  [
    prompt({ regex: /abc/i }),
    ["regex"],
    "regex has the flag i, which is not supported; write both cases, such as [aA]",
  ],
  [prompt({ regex: /abc/g }), ["regex"], "regex has the flag g, which is not supported; leave it away"],
  [prompt({ signal: new AbortController() }), ["signal"], "got an object; pass its .signal"],
  [prompt({ jsonSchema: '{"a":1}' }), ["jsonSchema"], "got a string of 7 characters; JSON.parse() it"],
  [prompt({ jsonSchema: z.string }), ["jsonSchema"], "got a function; call it where it makes a schema"],
  [
    chat({ tools: [{ type: "function", function: tool }] }),
    ["tools", 0, "type"],
    'tools[0] has an unknown field "type"; tools are { name, description, parameters }, without { type, function }',
  ],
  [chat({ tools: [tool], toolChoice: "w" }), ["toolChoice"], 'got "w"; did you mean { name: "w" }?'],
  [
    chat({ tools: [tool], toolChoice: { type: "function", function: tool } }),
    ["toolChoice", "type"],
    "a tool is chosen by { name }",
  ],
  [
    chat({ messages: [{ role: "user", content: [{ type: "image_url", image_url: { url: "u" } }] }] }),
    ["messages", 0, "content", 0, "type"],
    'messages[0].content[0].type is "image_url": images are not supported; send text',
  ],
  [
    chat({ messages: [{ role: "user", content: "a", tool_calls: [] }] }),
    ["messages", 0, "tool_calls"],
    'messages[0] has an unknown field "tool_calls"; did you mean toolCalls?',
  ],
  [
    prompt({ jsonSchema: z.object({ born: z.date() }) }),
    ["jsonSchema"],
    "jsonSchema must be a schema that JSON schema can say (born: JSON has no Date; use z.iso.date() or z.iso.datetime()), got an object",
  ],
  [
    prompt({ jsonSchema: z.object({ people: z.array(z.object({ tags: z.set(z.string()) })) }) }),
    ["jsonSchema"],
    "(people[].tags: JSON has no Set; use z.array())",
  ],
  [
    prompt({ jsonSchema: z.object({ scores: z.map(z.string(), z.number()) }) }),
    ["jsonSchema"],
    "(scores: JSON has no Map; use z.record()",
  ],
  [prompt({ jsonSchema: z.bigint() }), ["jsonSchema"], "(its root: JSON has no bigint"],
  [engine({ slot: 2 }), ["slot"], 'unknown option "slot"; did you mean slots?'],
  [
    () => judgeRerank("q" as never),
    undefined,
    "options must be an object of { query, documents }, got a string of 1 character",
  ],
  [
    () => judgeRerank({ query: "q", docs: ["a"] } as never),
    ["docs"],
    'unknown option "docs"; did you mean documents?',
  ],
  [() => refusePooling(4), undefined, "embed(): this model is a reranker, which gives scores: use rerank()"],
  [
    () => judgeStartOptions(() => 1),
    undefined,
    "options must be an object such as { handler }, got a function",
  ],
  [
    () => judgeStartOptions({ handler: () => 1, concurrency: 4 }),
    ["concurrency"],
    'unknown option "concurrency"; did you mean concurrencyModifier?',
  ],
  [
    () => judgeModelOptions(7, {}),
    ["path"],
    "loadModel(): path must be the path of a model, a file: URL, hf:owner/name or the https:// address of a GGUF file, got 7",
  ],
];

describe("a newcomer's mistake", () => {
  it.each(rows)("%#: names %j: %s", async (mistake, path, sentence) => {
    const error = await caught(mistake);
    expect(error.code).toBe("INVALID_OPTION");
    expect(error.message).toContain(sentence);
    expect(error.path).toEqual(path);
  });

  it("is not an empty list of tools, which is as if left out", () => {
    const { chat: conversation, boundBy } = generate({
      messages: [{ role: "user", content: "a" }],
      tools: [],
      toolChoice: "auto",
    });
    expect(conversation?.tools).toBeUndefined();
    expect(boundBy).toBeUndefined();
  });
});

describe("what is no model's path", () => {
  it.each([
    ["acme/Fox-GGUF", "MODEL_NOT_FOUND", "; a repository of the hub is written hf:acme/Fox-GGUF"],
    ["acme/Fox-GGUF:Q8_0", "MODEL_NOT_FOUND", "; a repository of the hub is written hf:acme/Fox-GGUF:Q8_0"],
    [
      "llama3:8b",
      "INVALID_OPTION",
      "; a file of that name is written ./llama3:8b, a model of the hub hf:owner/name",
    ],
    ["~/model.gguf", "MODEL_NOT_FOUND", '; "~" is not expanded here, write the whole path'],
  ])("%s tells what to do", async (path, code, advice) => {
    for (const load of [() => loadModel(path), () => inspectModel(path)]) {
      const error = await caught(load);
      expect(error.code).toBe(code);
      expect(error.message.endsWith(advice), error.message).toBe(true);
      expect(error.message).not.toContain(".;");
    }
  });

  it("is only said to be none where it might have been one elsewhere", async () => {
    expect((await caught(() => loadModel("models/missing.gguf"))).message).not.toContain("hub");
  });
});

describe("a context that is too short", () => {
  const model = "synthetic:llama?dim=64&layers=1&context=64";
  const prompt = Array(70).fill(65);
  it.each([
    [
      64,
      { prompt },
      "tokens, the context holds 64 and needs one for the answer. Shorten the prompt: this model takes 64 at most.",
    ],
    [
      16,
      { prompt },
      "Shorten the prompt or create the engine with a larger contextLength, at most 64 for this model.",
    ],
    [
      64,
      { prompt: [65], minTokens: 70 },
      "has a prompt of 1 token. Shorten it: this model takes 64 at most.",
    ],
  ])("of %i tokens: %#", async (contextLength, request, advice) => {
    await using loaded = await loadModel(model);
    await using engine = await loaded.createEngine({ slots: 1, contextLength });
    const error = await caught(() => engine.generate(request));
    expect(error.code).toBe("CONTEXT_OVERFLOW");
    expect(error.message.endsWith(advice), error.message).toBe(true);
  });
});

describe("a chat template", () => {
  const messages = [{ role: "user", content: "hunter2" }];
  it("that a caller wrote is told to be theirs, with the line", async () => {
    const chatTemplate = "{{ a }}\n{% for x in %}\n{{ b }}";
    await using model = await loadModel("synthetic:llama?dim=64&layers=1", { chatTemplate });
    expect((await caught(() => model.renderChat(messages))).message).toMatch(
      /^the chat template given to loadModel\(\) as chatTemplate could not be read: .* \(line 2\)$/,
    );
  });

  it("without a place for tools tells which models have one", async () => {
    await using model = await loadModel("synthetic:llama?dim=64&layers=1", { chatTemplate: "chatml" });
    expect(
      (await caught(() => model.renderChat(messages, { tools: [tool], toolForm: "template" }))).message,
    ).toMatch(/load a model made for them \(Qwen3, Llama 3\.1\), or ask for calls in the form "auto"/);
  });
});

describe("a prompt's text", () => {
  const secret = "My password is hunter2";
  it.each([
    ["generate", () => generate(secret)],
    ["prompt", () => generate({ prompt: [secret] })],
    ["messages", () => generate({ messages: secret })],
    ["a role", () => generate({ messages: [{ role: secret.repeat(9), content: "a" }] })],
    ["a message", () => generate({ messages: [secret] })],
    ["a part", () => generate({ messages: [{ role: "user", content: [{ type: secret, text: secret }] }] })],
    ["choice", prompt({ choice: secret })],
    ["a choice", prompt({ choice: [secret, 1] })],
    ["jsonSchema", prompt({ jsonSchema: secret })],
    ["tools", chat({ tools: secret })],
    ["chatVariables", chat({ chatVariables: secret })],
    ["stop", prompt({ stop: [secret.repeat(12)] })],
    ["a salt", prompt({ cacheSalt: `${secret}\0` })],
    ["rerank", () => judgeRerank(secret as never)],
    ["documents", () => judgeRerank({ query: "q", documents: secret } as never)],
    ["embed's options", () => judgeEmbed("a", secret as never)],
    ["tokens", () => judgeTokens("detokenize()", [secret], 100)],
  ])("is in no message, given as %s", async (_where, mistake) => {
    const error = await caught(mistake);
    expect(error.message).not.toContain("hunter2");
    expect(error.message).toMatch(/got /);
  });
});

describe("an error as Node prints it", () => {
  it("has path and text only where they are", () => {
    expect(inspect(new InferenceError("QUEUE_FULL", "full"))).not.toMatch(/path|text:/);
    expect(inspect(new InferenceError("INVALID_OPTION", "no", { path: ["stop", 1] }))).toContain(
      "path: [ 'stop', 1 ]",
    );
  });
});
