// JSON schemas: what cannot be held to is refused by name, and what is written
// under the rest is valid, judged by ajv on texts drawn at random.
import { Ajv2020 } from "ajv/dist/2020.js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { schemaText } from "../../src/constraints/schema.js";
import type { Model } from "../../src/index.js";
import { caught } from "../helpers/caught.js";
import { loadEmbedded, withEngine } from "../helpers/embedded.js";

const object = (properties: object, rest: object = {}) => ({ type: "object", properties, ...rest });

describe("a JSON schema", () => {
  it.each<[object, string]>([
    [{ type: "number", minimum: 1 }, '"minimum" with the type "number"'],
    [{ type: ["integer", "number"], maximum: 1 }, '"maximum" with the type "number"'],
    [{ minimum: 1 }, 'must have a "type" with "minimum"'],
    [{ type: "integer", multipleOf: 5 }, '"multipleOf" with the type "integer"'],
    [{ type: "integer", minimum: 5, exclusiveMaximum: 5 }, "a minimum at most its maximum"],
    [{ type: "integer", maximum: 1e300 }, "maximum from -1e15 to 1e15"],
    [{ type: "string", format: "email" }, 'the format "email"'],
    [{ type: "string", pattern: "^a$", maxLength: 3 }, "pattern and maxLength together"],
    [{ type: "string", pattern: "(?=a)" }, "pattern looks ahead"],
    [{ type: "string", minLength: 5000 }, "minLength from 0 to 2000"],
    [{ type: "string", minLength: 3, maxLength: 2 }, "minLength at most maxLength"],
    [{ type: "string", minLenght: 3 }, 'the keyword "minLenght"'],
    [{ type: "array", uniqueItems: true }, '"uniqueItems" with the type "array"'],
    [{ type: "array", contains: { type: "null" } }, '"contains" with the type "array"'],
    [{ type: "array", prefixItems: [{ type: "null" }], minItems: 2 }, "the 1 items of the tuple"],
    [object({ a: {} }, { required: ["b"] }), '"b", which is required, in properties'],
    [object({ a: {} }, { patternProperties: {} }), '"patternProperties" with the type "object"'],
    [object({ a: { type: "array", items: { not: {} } } }), "(at #/properties/a/items)"],
    [{ anyOf: [{ type: "null" }], type: "string", minLength: 2 }, 'beside "anyOf"'],
    [{ $ref: "#/$defs/a", $defs: { a: {} }, minLength: 2 }, 'beside "$ref"'],
    [{ $ref: "#/$defs/a", $defs: { a: { $ref: "#/$defs/a" } } }, "a reference that leads to itself"],
    [{ $ref: "#/__proto__" }, "where there is no schema"],
    [{ $ref: "https://example.com/a.json" }, "must refer to parts of itself"],
    [{ allOf: [{ type: "string" }, { minLength: 3 }] }, "objects of properties and required only in allOf"],
    [{ allOf: [object({ a: { const: 1 } }), object({ a: { const: 2 } })] }, 'the property "a"'],
    [{ enum: ["a", 1], type: "string" }, "the value 1, which is not of its type"],
    [{ const: "a", maxLength: 3 }, 'beside "const"'],
    [{ if: {}, else: {} }, 'the keyword "if"'],
    [{ type: "strange" }, "a type out of string, integer"],
    [{ anyOf: [] }, "must have schemas"],
    [object({ a: false }), "must have a schema that is an object"],
  ])("%j is refused by name", async (schema, reason) => {
    const error = await caught(() => schemaText(schema as Record<string, unknown>));
    expect(error.code).toBe("INVALID_OPTION");
    expect(error.message).toContain(reason);
  });

  it("is refused in a moment, however long its chain of references", async () => {
    const $defs: Record<string, object> = {};
    for (let i = 0; i < 8000; i += 1) $defs[`d${i}`] = { $ref: `#/$defs/d${i + 1}` };
    const text = () => schemaText({ $ref: "#/$defs/d0", $defs: { ...$defs, d8000: { minimum: 1 } } });
    expect((await caught(text)).message).toContain('must have a "type"');
  });

  it("loses keywords that say nothing about its type", () => {
    const schema = { type: ["string", "null"], maximum: 3, uniqueItems: true, title: "t", "x-order": 1 };
    expect(JSON.parse(schemaText(schema))).toEqual({ type: ["string", "null"], title: "t", "x-order": 1 });
  });
});

describe("what is written under a JSON schema", () => {
  let model: Model;
  beforeAll(async () => {
    model = await loadEmbedded();
  });
  afterAll(() => model.close());

  const schemas: readonly object[] = [
    { type: "integer", minimum: -120, maximum: 37 },
    { type: "integer", exclusiveMinimum: 99, exclusiveMaximum: 1001 },
    { type: "integer", minimum: 17 },
    { type: "integer", maximum: -17 },
    { type: "integer", minimum: 1.5, exclusiveMaximum: 3.5 },
    { type: ["number", "null", "boolean"] },
    { type: "string", minLength: 2, maxLength: 5 },
    { type: "string", pattern: "^.{3,8}$" },
    { type: "string", pattern: "^\\d{4}-\\d\\d$|^\\w{1,5}@\\w{1,5}\\.org$" },
    { type: "string", pattern: '^["\\\\]{2}[^a-z]{1,3}$' },
    { type: "string", pattern: "[aeiou]" },
    { type: "string", pattern: "^[\\n\\t\\x00-\\x05]{3}é?$" },
    { type: "array", items: { type: "boolean" }, minItems: 2, maxItems: 3 },
    { type: "array", prefixItems: [{ const: 1 }, { type: "null" }], items: false, minItems: 2 },
    { type: "array", items: true, maxItems: 2 },
    { enum: ['a"b\\c\n', 1.5, null, { deep: [true] }] },
    object({ a: { type: "integer", minimum: 0, maximum: 9 }, b: { type: "null" } }, { required: ["b"] }),
    object({ 'k-1 "x"': { const: 1 } }, { required: ['k-1 "x"'], additionalProperties: { type: "null" } }),
    { type: "object", additionalProperties: { type: "integer", minimum: 0, maximum: 9 } },
    {
      allOf: [object({ a: { const: 1 } }, { required: ["a"] }), { $ref: "#/$defs/b" }],
      $defs: { b: object({ b: { const: 2 } }) },
    },
    { allOf: [{ type: "string", maxLength: 3 }] },
    { oneOf: [object({ kind: { const: "x" } }, { required: ["kind"] }), { type: "null" }] },
    {
      $ref: "#/$defs/tree",
      $defs: { tree: { type: "array", items: { $ref: "#/$defs/tree" }, maxItems: 2 } },
    },
  ];

  it.each(schemas)("%j is valid", async (jsonSchema) => {
    await withEngine(model, { slots: 8, contextLength: 256 }, async (engine) => {
      const validate = new Ajv2020({ strict: false, validateFormats: false }).compile(jsonSchema);
      const run = { prompt: "Once", temperature: 1.5, topP: 1, maxTokens: 200, n: 16, seed: 7 };
      const { choices } = await engine.generate({
        ...run,
        jsonSchema: jsonSchema as Record<string, unknown>,
      });
      const ended = choices.filter(({ finishReason }) => finishReason === "stop");
      expect(ended.length).toBeGreaterThan(0);
      for (const { text } of ended) expect(validate(JSON.parse(text)), text).toBe(true);
    });
  });
});
