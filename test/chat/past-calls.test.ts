// Calls in a conversation's past whose arguments are what a model wrote, not what a
// schema allows: every template of llama.cpp's that renders a call renders them too.
import { describe, expect, it } from "vitest";
import { embeddedModelPath, loadModel } from "../../src/index.js";
import { templateNames, templateText } from "../helpers/templates.js";

const conversation = (text: string) => [
  { role: "user", content: "Hi" },
  { role: "assistant", content: "", toolCalls: [{ id: "call12345", name: "get_weather", arguments: text }] },
  { role: "tool", toolCallId: "call12345", name: "get_weather", content: "12" },
  { role: "user", content: "And?" },
];

describe("a past call", () => {
  let rendered = 0;

  it.each(templateNames)("of %s may have arguments that are empty, no object or no JSON", async (name) => {
    const model = await loadModel(embeddedModelPath(), { chatTemplate: templateText(name) });
    const prompt = (text: string) => model.renderChat(conversation(text)).then((chat) => chat.prompt);
    const whole = await prompt('{"city":"Rome"}').catch(() => ""); // roles must alternate in some
    const odd = whole === "" ? [] : ["", "{bad", "[1]", "null", '{"city": "Rom'];
    for (const text of odd) await expect(prompt(text)).resolves.toContain("And?");
    if (whole.includes("Rome")) {
      rendered += 1;
      await expect(prompt("{bad")).resolves.toContain("bad");
      expect(await prompt("")).toBe(await prompt("{}"));
    }
    await model.close();
  });

  it("is rendered by most templates", () => {
    expect(rendered).toBeGreaterThan(templateNames.length / 2);
  });
});
