// Conversations become prompts by the model's own template, run elsewhere: what
// comes out is what the format's authors wrote down, and a template that loops,
// recurses or swallows memory costs its own conversation and nothing else.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ChatMessage, Conversation } from "../../src/chat/messages.js";
import { ChatRenderer } from "../../src/chat/renderer.js";
import { embeddedModelPath, InferenceError, loadModel, type Model } from "../../src/index.js";
import { chatProgram } from "../../src/native-addon.js";
import { caught } from "../helpers/caught.js";
import { templateNames, templateText } from "../helpers/templates.js";

const conversation = [
  { role: "system", content: "Be brief." },
  { role: "user", content: "Hello" },
  { role: "assistant", content: "Hi" },
  { role: "user", content: "Bye" },
];

/** A template that says what was said. */
const everything = "{% for m in messages %}{{ m.content }}{% endfor %}";

function asked(messages: readonly ChatMessage[], variables: Record<string, unknown> = {}): Conversation {
  return { messages, variables, addGenerationPrompt: true, splitReasoning: true };
}

function renderer(template: string | undefined, limitMs?: number): ChatRenderer {
  return new ChatRenderer(chatProgram(), { template, bos: "<s>", eos: "</s>", addBos: true }, limitMs);
}

async function rendered(template: string): Promise<string> {
  const chat = renderer(template);
  try {
    return (await chat.render(asked(conversation))).prompt;
  } finally {
    chat.release();
  }
}

describe("templates by name", () => {
  const expected = {
    chatml:
      "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHello<|im_end|>\n" +
      "<|im_start|>assistant\nHi<|im_end|>\n<|im_start|>user\nBye<|im_end|>\n<|im_start|>assistant\n",
    llama2: "[INST] <<SYS>>\nBe brief.\n<</SYS>>\n\nHello [/INST] Hi </s><s>[INST] Bye [/INST]",
    llama3:
      "<|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|>" +
      "<|start_header_id|>user<|end_header_id|>\n\nHello<|eot_id|>" +
      "<|start_header_id|>assistant<|end_header_id|>\n\nHi<|eot_id|>" +
      "<|start_header_id|>user<|end_header_id|>\n\nBye<|eot_id|>" +
      "<|start_header_id|>assistant<|end_header_id|>\n\n",
    gemma:
      "<start_of_turn>user\nBe brief.\n\nHello<end_of_turn>\n<start_of_turn>model\nHi<end_of_turn>\n" +
      "<start_of_turn>user\nBye<end_of_turn>\n<start_of_turn>model\n",
  } as const;

  for (const [chatTemplate, prompt] of Object.entries(expected)) {
    it(`${chatTemplate} writes its format, without the token the tokenizer adds`, async () => {
      const model = await loadModel(embeddedModelPath(), { chatTemplate });
      try {
        const text = (await model.renderChat(conversation)).prompt;
        const bos = model.detokenize([model.info.bosToken], { special: true });
        const eos = model.detokenize([model.info.eosToken], { special: true });
        expect(text).toBe(prompt.replaceAll("</s>", eos).replaceAll("<s>", bos));
      } finally {
        await model.close();
      }
    });
  }

  it("refuses a name it does not know", async () => {
    const error = await caught(() => loadModel(embeddedModelPath(), { chatTemplate: "chatmI" }));
    expect(error).toMatchObject({ code: "INVALID_OPTION" });
    expect((error as Error).message).toContain("one of chatml, llama2, llama3, gemma");
  });
});

describe("a model's own template", () => {
  let model: Model;
  beforeAll(async () => {
    model = await loadModel(embeddedModelPath());
  });
  afterAll(() => model.close());

  it("tells who speaks, and opens the answer only when asked", async () => {
    const { prompt } = await model.renderChat([{ role: "user", content: "Who is Mia?" }]);
    const closed = await model.renderChat([{ role: "user", content: "Who is Mia?" }], {
      addGenerationPrompt: false,
    });
    expect(prompt).toContain("Who is Mia?");
    expect(prompt.startsWith(closed.prompt)).toBe(true);
    expect(prompt.length).toBeGreaterThan(closed.prompt.length);
  });

  it("keeps earlier turns as they were, so that their cells are used again", async () => {
    const first = await model.renderChat(conversation.slice(0, 2));
    const whole = await model.renderChat(conversation);
    expect(whole.prompt.startsWith(first.prompt)).toBe(true);
  });

  it("names the field of a wrong message", async () => {
    const wrong: [unknown, string][] = [
      [[], "messages must be an array of 1 to 4096 messages"],
      [[{ content: "x" }], "messages[0].role must be a role of 1 to 64 characters"],
      [[{ role: "user", content: 3 }], "messages[0].content must be a string or an array of"],
      [[{ role: "user", content: "x", colour: 1 }], 'messages[0] has an unknown field "colour"'],
    ];
    for (const [messages, sentence] of wrong) {
      const error = await caught(() => model.renderChat(messages as never));
      expect(error).toBeInstanceOf(InferenceError);
      expect((error as Error).message).toContain(sentence);
    }
  });
});

describe("variables and refusals", () => {
  it("hands variables to the template", async () => {
    const chat = renderer(`{{ colour }}{% if enable_thinking %} thinks{% endif %}|${everything}`);
    const given = await chat.render(asked(conversation, { colour: "red", enable_thinking: false }));
    expect(given.prompt).toBe("red|Be brief.HelloHiBye");
    chat.release();
  });

  it("writes half of a surrogate pair as a prompt does, wherever it stands", async () => {
    const calls =
      "{% for c in m.tool_calls or [] %}{{ c.function.name }}{{ c.function.arguments }}|{% endfor %}";
    const chat = renderer(
      `{% for m in messages %}{{ m.role }}:{{ m.content }}|${calls}{% endfor %}{{ v.w }}`,
    );
    const half = "\ud800";
    const toolCalls = [
      { name: "f", arguments: { a: half, [half]: 1 } },
      { name: "g", arguments: '{"a":"\\uD83D\\uDE00\\uDE00\\\\ud800"}' },
    ];
    const spoken = asked(
      [
        { role: `user${half}`, content: `a${half}b😀\\ud800` },
        { role: "user", content: [{ type: "text", text: half }] },
        { role: "assistant", content: "c", toolCalls },
      ],
      { v: { w: half } },
    );
    const { prompt } = await chat.render(spoken);
    expect(prompt.split("|")).toEqual([
      "user\ufffd:a\ufffdb😀\\ud800",
      "user:\ufffd",
      "assistant:c",
      'f{"a":"\ufffd","\ufffd":1}',
      'g{"a":"\\uD83D\\uDE00\ufffd\\\\ud800"}',
      "\ufffd",
    ]);
    chat.release();
  });

  it("passes on what a template says against a conversation", async () => {
    const chat = renderer("{{ raise_exception('roles must alternate') }}");
    const error = await caught(() => chat.render(asked(conversation)));
    expect(error).toMatchObject({ code: "CHAT_TEMPLATE_FAILED", status: 400 });
    expect((error as Error).message).toContain("roles must alternate");
    chat.release();
  });

  it.each([
    ["{{ raise_exception('roles must alternate') }}", "refused the conversation: roles must alternate (at"],
    ["{% if 1 %}\n{{ raise_exception('a\nb') }}{% endif %}", "refused the conversation: a\nb (at line 2,"],
    [
      "{{ 1 | strange }}",
      "could not be run: Unknown (built-in) filter 'strange' for type Integer (at line 1",
    ],
    ["{{ [1] | tojson(sort_keys=true) }}", "could not be run: NotImplemented: tojson sort_keys=true"],
    ["{% for x in %}", "could not be read: Unexpected token: %}"],
    ["{% if x %}a", "could not be read: Unexpected token type, as where a block has no end"],
    ["{% include 'x' %}", "could not be read: Unknown statement: include (line 1)"],
    [
      "{{ 1 }}\n{{ 2 }}\n{% include 'x' %}\n{{ 3 }}",
      "could not be read: Unknown statement: include (line 3)",
    ],
    ["{{ 1 // 0 }}", "could not be read: Unexpected token: /"],
    ["{# never ends", "could not be read: missing end of comment tag, near ...{# never ends..."],
  ])("tells of %j what is wrong before where", async (template, said) => {
    const chat = renderer(template);
    const error = await caught(() => chat.render(asked(conversation)));
    expect(error.code).toBe("CHAT_TEMPLATE_FAILED");
    expect(error.message.startsWith(`the chat template ${said}`), error.message).toBe(true);
    chat.release();
  });

  it("says what to do where there is no template", async () => {
    const error = await caught(() => renderer(undefined).render(asked(conversation)));
    expect(error).toMatchObject({ code: "CHAT_TEMPLATE_MISSING" });
    expect((error as Error).message).toContain("chatTemplate");
  });
});

describe("hostile templates", () => {
  const hostile = {
    "counts to a billion, again and again":
      "{% for a in range(100000) %}{% for b in range(100000) %}{% for c in range(100000) %}{% endfor %}{% endfor %}{% endfor %}",
    "calls itself for ever": "{% macro f(x) %}{{ f(x) }}{% endmacro %}{{ f(1) }}",
    "doubles a string for ever":
      "{% set ns = namespace(t='aaaaaaaaaaaaaaaa') %}{% for a in range(100) %}{% set ns.t = ns.t ~ ns.t %}{% endfor %}{{ ns.t }}",
    "is one deep bracket": `{{ ${"(".repeat(100_000)}1${")".repeat(100_000)} }}`,
    "is not Jinja": "{% for %}{{ ",
  };

  for (const [name, template] of Object.entries(hostile)) {
    it(`${name}: an error, and the next conversation is rendered`, async () => {
      const chat = renderer(template, 1500);
      const [first, second] = await Promise.all([
        caught(() => chat.render(asked(conversation))),
        caught(() => chat.render(asked(conversation))),
      ]);
      expect(first).toMatchObject({ code: "CHAT_TEMPLATE_FAILED" });
      expect(second).toMatchObject({ code: "CHAT_TEMPLATE_FAILED" });
      chat.release();
      expect(await rendered(everything)).toBe("Be brief.HelloHiBye");
    });
  }
});

describe("templates of well-known models", () => {
  const plain = [
    { role: "user", content: "What is the colour of the sky?" },
    { role: "assistant", content: "It is blue." },
    { role: "user", content: "And of grass?" },
  ];
  it.each(templateNames)("%s shows every message in order", async (name) => {
    const chat = renderer(templateText(name), 20_000);
    const { prompt } = await chat.render(asked(plain));
    chat.release();
    const places = plain.map(({ content }) => prompt.indexOf(content));
    expect(Math.min(...places)).toBeGreaterThanOrEqual(0);
    expect([...places].sort((a, b) => a - b)).toEqual(places);
    expect(prompt.startsWith("<s><s>")).toBe(false);
  });
});
