// Whatever is handed out as an assistant's message is taken back as history: what a
// vLLM answered, what we answer, both whole and put together from a stream by
// OpenAI's own client, and messages of every form that OpenAI's and vLLM's types
// allow, drawn at random. Nothing said in them is lost on the way to the prompt.
import { ChatCompletionStream } from "openai/lib/ChatCompletionStream";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { embeddedModelPath, loadModel, type Model } from "../../src/index.js";
import { chatRequest } from "../../src/openai/chat-request.js";
import { refuseField } from "../../src/openai/fields.js";
import { templateText } from "../helpers/templates.js";
import { openaiFields } from "./defined-fields.js";
import { type Api, type Json, openApi, type Reply } from "./scene.js";
import { recorded } from "./vllm-replies.js";

const hello = { role: "user", content: "Hi" };
const weather = {
  type: "function",
  function: {
    name: "get_weather",
    parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
  },
};

interface Handed extends Json {
  readonly content?: unknown;
  readonly tool_calls?: readonly { readonly id?: string }[] | null;
}

/** The assistant's messages of an answer, as OpenAI's client puts them together. */
async function messagesIn({ reply, events }: Reply): Promise<readonly Handed[]> {
  const { choices: whole = [] } = (reply ?? {}) as { choices?: readonly { readonly message: Handed }[] };
  if (events === undefined) return whole.map(({ message }) => message);
  const lines = events.filter((event) => event !== "[DONE]").map((event) => `${JSON.stringify(event)}\n`);
  const stream = ChatCompletionStream.fromReadableStream(new Blob(lines).stream());
  const { choices } = await stream.finalChatCompletion();
  return choices.map(({ message }) => message as unknown as Handed);
}

/** A conversation that goes on after the message: its calls are answered. */
function conversation(said: Handed): readonly object[] {
  const results = (said.tool_calls ?? []).map(({ id }) => ({
    role: "tool",
    tool_call_id: id,
    content: "12",
  }));
  return [hello, { ...said, role: "assistant" }, ...results, { role: "user", content: "And?" }];
}

describe("an answer is taken back as history", () => {
  let api: Api;
  let calling: Api;
  let thinking: Api;
  beforeAll(async () => {
    api = await openApi();
    calling = await openApi({ CHAT_TEMPLATE: templateText("meetkai-functionary-medium-v3.2") });
    thinking = await openApi({ CHAT_TEMPLATE: templateText("Qwen-QwQ-32B") });
  }, 60_000);
  afterAll(async () => {
    await api.close();
    await calling.close();
    await thinking.close();
  });

  async function takesBack(server: Api, said: Handed): Promise<void> {
    const told: string[] = [];
    const body = { messages: conversation(said), tools: [weather], max_tokens: 1 };
    const { status, reply } = await server.call("/v1/chat/completions", body, (path) => told.push(path));
    expect([status, reply?.error, told]).toEqual([200, undefined, []]);
  }

  it("vLLM's", async () => {
    const chats = recorded.filter(
      ({ path, status, events, reply }) =>
        path === "/v1/chat/completions" && status === 200 && (reply ?? events?.at(-1) === "[DONE]"),
    );
    expect(chats.length).toBeGreaterThan(30);
    for (const answered of chats) for (const said of await messagesIn(answered)) await takesBack(api, said);
  });

  it("ours, whole and streamed, with calls, cut calls and thoughts", async () => {
    const called = { tools: [weather], tool_choice: "required", n: 4 };
    const bodies = [
      {},
      { n: 2, seed: 3 },
      { logprobs: true },
      { ...called, max_tokens: 40, seed: 1 },
      { ...called, max_tokens: 8, seed: 5 },
    ];
    let calls = 0;
    let thoughts = 0;
    for (const server of [api, calling, thinking]) {
      for (const body of bodies) {
        for (const stream of [false, true]) {
          const answered = await server.chat({ messages: [hello], max_tokens: 12, stream, ...body });
          expect(answered.status).toBe(200);
          for (const said of await messagesIn(answered)) {
            calls += said.tool_calls?.length ?? 0;
            thoughts += said.reasoning_content ? 1 : 0;
            await takesBack(server, said);
          }
        }
      }
    }
    expect(calls).toBeGreaterThan(0);
    expect(thoughts).toBeGreaterThan(0);
  });
});

/** A seeded source of choices. */
function chooser(seed: number) {
  let state = seed;
  const next = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
  const any = <Value>(...values: readonly Value[]) => values[Math.floor(next() * values.length)] as Value;
  return { any, maybe: <Value>(value: Value) => any<Value | undefined>(undefined, value) };
}

const argumentTexts = [
  "",
  " ",
  "{}",
  '{"city":"Rome"}',
  '{"city": "Ro',
  "{bad",
  "null",
  "5",
  '["Rome"]',
  '"Rome"',
  "Rome \ud83d",
];

/** An assistant's message of one of the forms that OpenAI, vLLM and openai-node hand out. */
function drawn(seed: number): Handed {
  const { any, maybe } = chooser(seed);
  const call = (index: number) => {
    const parsed = maybe({ parsed_arguments: any(null, { city: "Rome" }) });
    const said = {
      name: any("get_weather", "get weather!", "functions.get_weather"),
      arguments: any(...argumentTexts),
    };
    return {
      id: `call_${seed}_${index}`,
      type: "function",
      function: { ...said, ...parsed },
      ...maybe({ index }),
    };
  };
  const text = any<unknown>(
    "Hello",
    "Hello",
    "",
    null,
    undefined,
    [{ type: "text", text: "Hello" }],
    [{ type: "refusal", refusal: "Hello" }],
  );
  return {
    ...(text !== undefined && { content: text }),
    ...maybe({ refusal: any(null, null, "I cannot") }),
    ...maybe({ annotations: any<unknown>(null, [], [{ type: "url_citation", url_citation: { url: "x" } }]) }),
    ...maybe({ audio: any<unknown>(null, { id: "a", data: "", expires_at: 1, transcript: "Spoken" }) }),
    ...maybe({ function_call: any<unknown>(null, { name: "older", arguments: "{}" }) }),
    ...maybe({ tool_calls: any<readonly object[] | null>(null, [], [call(0)], [call(0), call(1)]) }),
    ...maybe({ parsed: any<unknown>(null, { a: 1 }) }),
    ...maybe({ reasoning: any(null, "", "they greet") }),
    ...maybe({ reasoning_content: any(null, "they greet") }),
    ...maybe({ name: "bot" }),
  };
}

const templates = [
  "Qwen-Qwen2.5-7B-Instruct", // arguments as objects, through tojson
  "Qwen3-Coder", // arguments as objects, item by item
  "GLM-4.6",
  "meetkai-functionary-medium-v3.2", // arguments as text
];
const draws = 80;

describe("a drawn assistant's message", () => {
  it("covers every field that OpenAI's answers have", () => {
    const fields = new Set(Array.from({ length: draws }, (_, seed) => Object.keys(drawn(seed + 1))).flat());
    expect(openaiFields.message.filter((name) => name !== "role" && !fields.has(name))).toEqual([]);
  });

  it.each(templates)("is in the prompt that %s makes of it", async (name) => {
    const model: Model = await loadModel(embeddedModelPath(), { chatTemplate: templateText(name) });
    for (let seed = 1; seed <= draws; seed += 1) {
      const said = drawn(seed);
      const { messages = [] } = chatRequest({ messages: conversation(said) }, refuseField);
      const { prompt } = await model.renderChat(messages);
      const texts = [/Hello/, /I cannot/, /Spoken/].filter((each) => each.test(JSON.stringify(said)));
      const names = (messages[1]?.toolCalls ?? []).map((call) => call.name);
      for (const each of texts)
        expect([seed, said, prompt]).toEqual([seed, said, expect.stringMatching(each)]);
      for (const each of names)
        expect([seed, said, prompt]).toEqual([seed, said, expect.stringContaining(each)]);
    }
    await model.close();
  });
});
