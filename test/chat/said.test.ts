// Nothing that is said may vanish: over every chat template in llama.cpp's tree and those
// known by name, each text of a conversation is in the prompt, or the conversation
// is refused with the message that has no place.
import { describe, expect, it } from "vitest";
import type { ChatMessage } from "../../src/chat/messages.js";
import { ChatRenderer } from "../../src/chat/renderer.js";
import { chatTemplateNames, chatTemplateText } from "../../src/chat/templates.js";
import { InferenceError } from "../../src/errors.js";
import { chatProgram } from "../../src/native-addon.js";
import { caught } from "../helpers/caught.js";
import { templateNames, templateText } from "../helpers/templates.js";

const templates = new Map([
  ...chatTemplateNames.map((name) => [name, chatTemplateText(name)] as const),
  ...templateNames.map((name) => [name, templateText(name)] as const),
]);

const says = (role: string) => (content: ChatMessage["content"]) => ({ role, content });
const [system, user, assistant, developer] = ["system", "user", "assistant", "developer"].map(says) as [
  ReturnType<typeof says>,
  ReturnType<typeof says>,
  ReturnType<typeof says>,
  ReturnType<typeof says>,
];
const parts = (...texts: string[]) => texts.map((text) => ({ type: "text" as const, text }));
const call = (name: string, id: string) => ({ id, name, arguments: { key: `argument-${name}` } });
const calls = (content: string, ...made: ReturnType<typeof call>[]): ChatMessage => ({
  role: "assistant",
  content,
  toolCalls: made,
});
const result = (toolCallId: string, content: ChatMessage["content"]) => ({
  role: "tool",
  toolCallId,
  content,
});
const one = call("lookup", "callid001");
const two = call("measure", "callid002");

const conversations: Record<string, readonly ChatMessage[]> = {
  "a system message alone": [system("Alpha.")],
  "two of them alone": [system("Alpha."), system("Beta.")],
  "two system messages": [system("Alpha."), system("Beta."), user("Gamma?")],
  "equal ones": [system("Hi"), system("Hi"), user("Hi")],
  "one letter each": [system("a"), user("u"), assistant("s"), user("e")],
  "a system message at the end": [user("Gamma?"), system("Beta.")],
  "a second one in the middle": [
    system("Alpha."),
    user("Gamma?"),
    assistant("Delta."),
    system("Beta."),
    user("Epsilon?"),
  ],
  "a system message before the assistant's": [system("Alpha."), assistant("Delta."), user("Gamma?")],
  "a developer's": [developer("Alpha."), user("Gamma?")],
  "a system's and a developer's": [system("Alpha."), developer("Beta."), user("Gamma?")],
  "parts of a system message": [system(parts("Alpha.", "Beta.")), user("Gamma?")],
  "parts of a user's": [user(parts("Gamma?", "Delta?", "Epsilon?"))],
  "parts of an assistant's": [user("Gamma?"), assistant(parts("Delta.", "Epsilon.")), user("Zeta?")],
  "parts of a system message and a user's": [
    system(parts("Alpha.", "Beta.")),
    user(parts("Gamma?", "Delta?")),
  ],
  "users in a row": [user("Gamma?"), user("Delta?")],
  "assistants in a row": [user("Gamma?"), assistant("Delta."), assistant("Epsilon."), user("Zeta?")],
  "an assistant first": [assistant("Delta."), user("Gamma?")],
  "a call and its result": [user("Gamma?"), calls("", one), result("callid001", "Eta."), user("Zeta?")],
  "a call as the last but its result": [user("Gamma?"), calls("", one), result("callid001", "Eta.")],
  "text beside a call": [user("Gamma?"), calls("Delta.", one), result("callid001", "Eta."), user("Zeta?")],
  "two calls": [
    user("Gamma?"),
    calls("", one, two),
    result("callid001", "Eta."),
    result("callid002", "Theta."),
    user("Zeta?"),
  ],
  "a result in parts": [user("Gamma?"), calls("", one), result("callid001", parts("Eta.", "Theta."))],
  "a result that is JSON": [user("Gamma?"), calls("", one), result("callid001", '{"value": "Eta."}')],
  "a result of no call": [user("Gamma?"), result("callid001", "Eta."), user("Zeta?")],
  "a role of its own": [user("Gamma?"), says("critic")("Iota."), user("Zeta?")],
};

/** What each message says: a word that has to be in the prompt, as often as it is said. */
function wordsOf({ content = "", toolCalls = [] }: ChatMessage): readonly string[] {
  const texts = typeof content === "string" ? [content] : content.map(({ text }) => text);
  const said = texts.map((text) => /Eta\./.exec(text)?.[0] ?? text).filter((text) => text !== "");
  return [...said, ...toolCalls.flatMap(({ name }) => [name, `argument-${name}`])];
}

function renderer(template: string): ChatRenderer {
  return new ChatRenderer(chatProgram(), { template, bos: "<s>", eos: "</s>", addBos: true }, 60_000);
}

const options = { variables: {}, addGenerationPrompt: true, splitReasoning: true };

describe.each([...templates.keys()])("%s", (name) => {
  it("leaves nothing out, or says so", async () => {
    const chat = renderer(templates.get(name) as string);
    const silent: string[] = [];
    for (const [kind, messages] of Object.entries(conversations)) {
      const prompt = await chat.render({ ...options, messages }).then(
        (rendered) => rendered.prompt,
        (error: unknown) => error as InferenceError,
      );
      if (prompt instanceof InferenceError) {
        expect(prompt.code).toBe("CHAT_TEMPLATE_FAILED");
        continue;
      }
      const said = messages.flatMap(wordsOf);
      for (const word of said) {
        const times = said.filter((other) => other === word).length;
        if (prompt.split(word).length <= times) silent.push(`${kind}: ${word}`);
      }
    }
    chat.release();
    expect(silent).toEqual([]);
  });
});

describe("what has no place", () => {
  const rendered = async (template: string, messages: readonly ChatMessage[]) => {
    const chat = renderer(templates.get(template) as string);
    try {
      return (await chat.render({ ...options, messages, toolForm: "template" })).prompt;
    } finally {
      chat.release();
    }
  };

  it.each([
    ["gemma", "<start_of_turn>user\nAlpha.<end_of_turn>\n<start_of_turn>model\n"],
    ["google-gemma-2-2b-it", "<start_of_turn>user\nAlpha.<end_of_turn>\n<start_of_turn>model\n"],
    ["llama2", "[INST] Alpha. [/INST]"],
    ["mistralai-Mistral-Nemo-Instruct-2407", "[INST]Alpha.[/INST]"],
  ])("as a system message alone is a user's turn: %s", async (template, prompt) => {
    expect(await rendered(template, [system("Alpha.")])).toBe(prompt);
  });

  it("as a second system message joins the first, in order", async () => {
    const messages = [system("Alpha."), system("Beta."), user("Gamma?")];
    expect(await rendered("llama2", messages)).toContain("<<SYS>>\nAlpha.\nBeta.\n<</SYS>>\n\nGamma?");
    expect(await rendered("google-gemma-2-2b-it", messages)).toContain("user\nAlpha.\nBeta.\nGamma?<end");
  });

  it("as text beside calls comes before them", async () => {
    const messages = conversations["text beside a call"] as readonly ChatMessage[];
    const prompt = await rendered("meta-llama-Llama-3.1-8B-Instruct", messages);
    expect(prompt).toMatch(/Delta\.<\|eot_id\|>.*lookup.*Eta\..*Zeta\?/s);
  });

  it.each([
    ["chatml", conversations["a call and its result"], 'a tool call of messages[1], role "assistant"'],
    [
      "Qwen-Qwen2.5-7B-Instruct",
      conversations["a role of its own"],
      'the text of messages[1], role "critic"',
    ],
  ])("is told by its message: %s", async (template, messages, words) => {
    const error = await caught(() => rendered(template, messages as readonly ChatMessage[]));
    expect(error.code).toBe("CHAT_TEMPLATE_FAILED");
    expect(error.message).toContain(`the chat template has no place for ${words}: it would be missing`);
  });

  it("as a thought that the template drops is no text", async () => {
    const thought = { role: "assistant", content: "<think>Hm.</think>Delta.", reasoning: "Hm." };
    const prompt = await rendered("Qwen-Qwen3-0.6B", [user("Gamma?"), thought, user("Zeta?")]);
    expect(prompt).toContain("Delta.");
  });
});
