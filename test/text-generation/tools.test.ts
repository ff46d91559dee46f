// Tool calls and thoughts through the job path, as OpenAI's client reads them. The
// embedded model knows no tools: templates that bind it are given to it.
import { Ajv } from "ajv";
import OpenAI from "openai";
import { describe, expect, it } from "vitest";
import { embeddedModelPath, loadModel } from "../../src/index.js";
import { templateText } from "../helpers/templates.js";
import { withTextWorker } from "./scene.js";

const parameters = {
  type: "object",
  properties: { unit: { enum: ["celsius", "kelvin"] } },
  required: ["unit"],
  additionalProperties: false,
};
const tools = [
  { type: "function" as const, function: { name: "get_weather", description: "The weather.", parameters } },
];
const messages = [{ role: "user" as const, content: "Is it warm?" }];

/** An answer begins with a tool's name or with "all": this is the bias against the second. */
async function mute(): Promise<Record<string, number>> {
  const model = await loadModel(embeddedModelPath());
  const ids = Array.from({ length: model.info.vocabularySize }, (_, token) => token);
  const begun = ids.filter((token) => /^\s*a/.test(model.detokenize([token])));
  await model.close();
  return Object.fromEntries(begun.map((token) => [token, -100]));
}

describe("case 120: tools through the job path", () => {
  it("are called, whole and streamed alike, with arguments that their schema allows", async () => {
    const environment = { CHAT_TEMPLATE: templateText("meetkai-functionary-medium-v3.2") };
    const logit_bias = await mute();
    await withTextWorker(environment, async ({ platform }) => {
      const client = new OpenAI({
        apiKey: "secret-key",
        baseURL: `${platform.url}/v2/ep/openai/v1`,
        maxRetries: 0,
      });
      const request = {
        model: "tinytale",
        messages,
        tools,
        tool_choice: "required" as const,
        temperature: 0,
        max_tokens: 200,
        stop: ">>>",
        logit_bias,
      };
      const { choices } = await client.chat.completions.create(request);
      const [call] = choices[0]?.message.tool_calls ?? [];
      if (call?.type !== "function") throw new Error("a function is called");
      expect(choices[0]?.finish_reason).toBe("tool_calls");
      expect(choices[0]?.message.content).toBeNull();
      expect(call.function.name).toBe("get_weather");
      expect(new Ajv().compile(parameters)(JSON.parse(call.function.arguments))).toBe(true);
      const stream = await client.chat.completions.create({ ...request, stream: true });
      let name = "";
      let text = "";
      let reason: string | null | undefined;
      for await (const chunk of stream) {
        const delta = chunk.choices[0]?.delta.tool_calls?.find((each) => each.index === 0);
        name += delta?.function?.name ?? "";
        text += delta?.function?.arguments ?? "";
        reason = chunk.choices[0]?.finish_reason ?? reason;
      }
      expect(name).toBe("get_weather");
      expect(text).toBe(call.function.arguments);
      expect(reason).toBe("tool_calls");
      const named = { type: "function" as const, function: { name: "get_weather" } };
      const chosen = await client.chat.completions.create({ ...request, tool_choice: named });
      expect(chosen.choices[0]?.message.tool_calls?.length).toBeGreaterThan(0);
      const past = [
        ...messages,
        { role: "assistant" as const, content: null, tool_calls: [call] },
        { role: "tool" as const, tool_call_id: call.id, content: "21" },
      ];
      const after = await client.chat.completions.create({
        model: "tinytale",
        messages: past,
        tools,
        tool_choice: "none",
        max_tokens: 4,
      });
      expect(after.choices[0]?.message.tool_calls).toBeUndefined();
    });
  });

  it("that a template has no place for are called in the generic form, or refused", async () => {
    await withTextWorker({ CHAT_TEMPLATE: "gemma" }, async ({ run }) => {
      const call = { messages, tools, tool_choice: "required", parallel_tool_calls: false, temperature: 0 };
      const { output } = await run({ openai_input: { ...call, max_tokens: 200 } });
      const [answer] = output as {
        choices: { message: { tool_calls: { function: { arguments: string } }[] } }[];
      }[];
      const [made] = answer?.choices[0]?.message.tool_calls ?? [];
      expect(new Ajv().compile(parameters)(JSON.parse(made?.function.arguments ?? ""))).toBe(true);
      const { error, status } = await run({ openai_input: { messages, tools, tool_form: "template" } });
      expect(status).toBe("FAILED");
      expect(error?.message).toContain("it has no place for tools");
    });
  });

  it("thoughts are reasoning, or text, or left out where that is wanted", async () => {
    await withTextWorker({ CHAT_TEMPLATE: templateText("Qwen-QwQ-32B") }, async ({ run }) => {
      const openai_input = { messages, max_tokens: 12, temperature: 0 };
      const apart = (await run({ openai_input })).output as {
        choices: { message: Record<string, string> }[];
      }[];
      const inline = (await run({ openai_input: { ...openai_input, reasoning_format: "none" } }))
        .output as typeof apart;
      const hidden = (await run({ openai_input: { ...openai_input, include_reasoning: false } }))
        .output as typeof apart;
      const message = apart[0]?.choices[0]?.message;
      expect(message?.content).toBe("");
      expect(message?.reasoning).toBe(message?.reasoning_content);
      expect(hidden[0]?.choices[0]?.message).toEqual({
        role: "assistant",
        content: "",
        refusal: null,
        reasoning: null,
      });
      const { stream } = await run({
        openai_input: { ...openai_input, include_reasoning: false, stream: true },
      });
      expect(stream.join("")).not.toContain("reasoning");
      expect(inline[0]?.choices[0]?.message.content?.trim()).toBe(message?.reasoning_content?.trim());
    });
  });
});
