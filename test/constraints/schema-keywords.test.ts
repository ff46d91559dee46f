// What is no schema is refused, with what to write instead.
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { toolsSchema } from "../../src/chat/tools.js";
import { keywordProblem } from "../../src/constraints/schema-keywords.js";
import type { Tool } from "../../src/index.js";
import { caught } from "../helpers/caught.js";
import { loadEmbedded, withEngine } from "../helpers/embedded.js";

const refused: readonly [object, string][] = [
  [{ a: z.string() }, "has a schema of another library as a: write z.object({…}) around zod fields"],
  [{ title: z.string() }, "has a schema of another library as title"],
  [{ type: "object", properties: { a: z.string() } }, "of another library (at #/properties/a)"],
  [{ name: "string", age: "number" }, "has no keyword of JSON Schema, only name, age: write z.object({…})"],
  [{ title: "string", author: "string" }, "has no keyword of JSON Schema, only title, author"],
  [{ name: "x", schema: { type: "object" } }, "is OpenAI's { name, schema }: pass its schema field alone"],
  [{ name: "x", description: "d", strict: true, schema: {} }, "pass its schema field alone"],
  [{ type: "object", propertis: {} }, "has the unknown keyword propertis; did you mean properties?"],
  [{ type: "string", minLenght: 3 }, "did you mean minLength?"],
  [{ any_of: [] }, "did you mean anyOf?"],
  [{ type: "object", properties: { a: { kind: "string" } } }, "only kind"],
  [{ anyOf: [{ type: "null" }, { city: "string" }] }, "(at #/anyOf/1)"],
];

describe("no schema", () => {
  it.each(refused)("%o is refused", (schema, sentence) => {
    expect(keywordProblem(schema)).toContain(sentence);
  });

  it("is refused at the door by name, also as a tool's parameters", async () => {
    const model = await loadEmbedded();
    await withEngine(model, { slots: 1 }, async (engine) => {
      const error = await caught(async () => engine.generate({ prompt: "a", jsonSchema: { a: z.string() } }));
      expect(error).toMatchObject({ code: "INVALID_OPTION" });
      expect(error.message).toContain("jsonSchema has a schema of another library as a: write z.object");
      const ask = (parameters: Tool["parameters"]) =>
        engine.generate({ messages: [{ role: "user", content: "Hi" }], tools: [{ name: "f", parameters }] });
      const wrong = await caught(async () => ask({ city: "string" }));
      expect(wrong.message).toContain("tools[0].parameters has no keyword of JSON Schema, only city: write");
      const text = await caught(async () => ask(z.string()));
      expect(text.message).toContain("a JSON schema of an object");
    });
    await model.close();
  });
});

it("a tool's parameters of zod are told as JSON schema", () => {
  const [tool] = toolsSchema.parse([{ name: "f", parameters: z.object({ city: z.string() }) }]);
  expect(tool?.parameters).toMatchObject({
    type: "object",
    properties: { city: { type: "string" } },
    required: ["city"],
  });
  expect(tool?.parameters).not.toHaveProperty("$schema");
});

describe("a schema", () => {
  it.each([
    {},
    { type: "string", "x-order": 1, discriminator: {}, example: 1, nullable: true },
    { properties: { any: { title: "Any", widget: "text" }, odd: { "x-only": 1 }, deep: {} } },
    { $ref: "#/$defs/a", $defs: { a: {}, folder: { b: { type: "null" } } } },
    { title: "Any", description: "d" },
    z.toJSONSchema(z.object({ when: z.iso.datetime(), tags: z.array(z.string()).optional() })),
  ])("%j is one", (schema) => {
    expect(keywordProblem(schema)).toBeUndefined();
  });
});
