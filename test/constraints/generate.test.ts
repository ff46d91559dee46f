// Constrained generations through the public door: each text is what it must be,
// bad constraints cost their own request only, and nobody else's steps change.
import { Ajv } from "ajv";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Model } from "../../src/index.js";
import { caught } from "../helpers/caught.js";
import { loadEmbedded, prompt, withEngine } from "../helpers/embedded.js";

let model: Model;
beforeAll(async () => {
  model = await loadEmbedded();
});
afterAll(() => model.close());

const hot = { prompt, temperature: 1.5, topP: 1, maxTokens: 400 };

describe("a constrained generation", () => {
  it("is one of the choices, each of them sometimes", async () => {
    await withEngine(model, { slots: 8, contextLength: 256 }, async (engine) => {
      const choice = ["red", "redder", "blue \u{1f600}", '"quoted\\"\n'];
      const { choices } = await engine.generate({ ...hot, temperature: 3, choice, n: 64, seed: 1 });
      const texts = choices.map(({ text }) => text);
      for (const text of texts) expect(choice).toContain(text);
      expect(new Set(texts).size).toBeGreaterThan(2);
      expect(choices.every(({ finishReason }) => finishReason === "stop")).toBe(true);
    });
  });

  it("follows a grammar, greedily too, and says how often a draw was refused", async () => {
    await withEngine(model, { slots: 2, contextLength: 256 }, async (engine) => {
      const grammar = 'root ::= "I saw " ("a" | "the") " " [a-z]{3,8} "."';
      const { text, finishReason } = await engine.generate({ prompt, temperature: 0, grammar });
      expect(text).toMatch(/^I saw (a|the) [a-z]{3,8}\.$/);
      expect(finishReason).toBe("stop");
      expect(engine.stats().maskedRows).toBeGreaterThan(0);
      expect(engine.stats().maskedRows).toBeLessThanOrEqual(engine.stats().generatedTokens);
    });
  });

  it("leaves a text alone that is allowed anyway", async () => {
    await withEngine(model, { slots: 1, contextLength: 256 }, async (engine) => {
      const free = await engine.generate({ prompt, temperature: 0, maxTokens: 30 });
      const bound = await engine.generate({ prompt, temperature: 0, maxTokens: 30, grammar: "root ::= .*" });
      expect(bound.text).toBe(free.text);
      expect(engine.stats().maskedRows).toBe(0);
    });
  });

  const schemas: readonly Record<string, unknown>[] = [
    {
      type: "object",
      properties: {
        name: { type: "string", maxLength: 12 },
        age: { type: "integer", minimum: 0, maximum: 99 },
      },
      required: ["name", "age"],
      additionalProperties: false,
    },
    { type: "array", items: { enum: ["a", "b", 3, null] }, minItems: 1, maxItems: 4 },
    { anyOf: [{ type: "boolean" }, { const: "neither" }] },
    {
      $ref: "#/$defs/node",
      $defs: {
        node: {
          type: "object",
          properties: {
            value: { type: "integer", minimum: 0, maximum: 9 },
            next: { anyOf: [{ type: "null" }, { $ref: "#/$defs/node" }] },
          },
          required: ["value", "next"],
          additionalProperties: false,
        },
      },
    },
    { type: "string", pattern: "^[a-f]{2}-[0-9]{1,2}$" },
  ];

  it.each(schemas)("is JSON that %j allows", async (jsonSchema) => {
    await withEngine(model, { slots: 4, contextLength: 512 }, async (engine) => {
      const { choices } = await engine.generate({ ...hot, jsonSchema, n: 8, seed: 3 });
      const validate = new Ajv({ strict: false }).compile(jsonSchema);
      const ended = choices.filter(({ finishReason }) => finishReason === "stop");
      expect(ended.length).toBeGreaterThan(0);
      for (const { text } of ended) expect(validate(JSON.parse(text)), text).toBe(true);
    });
  });

  it("answers a conversation in JSON", async () => {
    await withEngine(model, { slots: 1, contextLength: 512 }, async (engine) => {
      const messages = [{ role: "user", content: "Who is Mia?" }];
      const jsonSchema = {
        type: "object",
        properties: { girl: { type: "boolean" } },
        required: ["girl"],
        additionalProperties: false,
      };
      const { text } = await engine.generate({ messages, jsonSchema, temperature: 0, maxTokens: 60 });
      expect(typeof JSON.parse(text).girl).toBe("boolean");
    });
  });

  it("goes on alike when it is forked, and outlasts minTokens only as far as it may", async () => {
    await withEngine(model, { slots: 2, contextLength: 1024, deterministic: true }, async (engine) => {
      // Long enough to wait for its reader before it ends.
      const options = { prompt, temperature: 0, maxTokens: 900, regex: "([0-9]-){300}\\." };
      const source = engine.generate(options);
      const [whole, copy] = await Promise.all([source, engine.fork(source)]);
      expect(copy.text).toBe(whole.text);
      expect(whole.text).toMatch(/^([0-9]-){300}\.$/);
      const short = await engine.generate({ prompt, choice: ["ab"], minTokens: 50, maxTokens: 60 });
      expect(short).toMatchObject({ text: "ab", finishReason: "stop" });
    });
  });
});

describe("a bad constraint", () => {
  it.each([
    [{ grammar: "root ::= [a-z" }, "line 1 must have a closing bracket"],
    [{ grammar: 'root ::= root "a" | "b"' }, 'rule "root" may begin with itself'],
    [{ jsonSchema: { $ref: "#/$defs/a", $defs: { a: { $ref: "#/$defs/a" } } } }, "itself"],
  ])("%j fails its own generation", async (constraint, reason) => {
    await withEngine(model, { slots: 2, contextLength: 256 }, async (engine) => {
      const other = engine.generate({ prompt, maxTokens: 10, temperature: 0 });
      const error = await caught(() => engine.generate({ prompt, maxTokens: 10, ...constraint }));
      expect(error.code).toBe("INVALID_OPTION");
      expect(error.message).toContain(reason);
      expect((await other).tokens).toHaveLength(10);
    });
  });

  it.each([
    [{ jsonSchema: { const: "x".repeat(200_000) } }, "generate(): jsonSchema makes too large a grammar"],
    [{ regex: "a{2000}".repeat(101) }, "generate(): regex: its grammar is too large"],
    [{ grammar: `root ::= ${'"a"{2000} '.repeat(101)}` }, "generate(): grammar is too large"],
  ])("that becomes too large a grammar is told of by its own name: %#", async (constraint, reason) => {
    await withEngine(model, { slots: 1, contextLength: 256 }, async (engine) => {
      const error = await caught(() => engine.generate({ prompt, ...(constraint as object) }));
      expect(error.code).toBe("INVALID_OPTION");
      expect(error.message).toContain(reason);
    });
  });

  const throws = (): never => {
    throw new Error("not this one");
  };
  const trap = new Proxy({}, { ownKeys: throws });
  const circle: { type: string; properties?: object } = { type: "object" };
  circle.properties = circle;
  it.each([
    [{ grammar: "" }, "grammar must be GBNF text of at most 256 KiB"],
    [{ jsonSchema: [] }, "jsonSchema must be a JSON schema"],
    [{ jsonSchema: circle }, "jsonSchema must be a JSON schema of at most 256 KiB and 64 levels"],
    [{ jsonSchema: { const: 1n } }, "jsonSchema must be a JSON schema"],
    [{ jsonSchema: { const: { toJSON: throws } } }, "jsonSchema must be a JSON schema"],
    [{ jsonSchema: { type: "null", toJSON: () => null } }, "jsonSchema must be a JSON schema"],
    [{ jsonSchema: trap }, "levels, all of it JSON, got an object"],
    [{ jsonSchema: { const: "\ud800" } }, "jsonSchema must be well-formed text"],
    [{ regex: /a/i }, "regex has the flag i, which is not supported; write both cases, such as [aA]"],
    [{ regex: "(?<=a)" }, "regex looks behind"],
    [{ choice: [] }, "choice must be an array of 1 to 1024 non-empty strings"],
    [{ choice: ["\ud800"] }, "choice[0] must be well-formed text"],
    [{ choice: ["a"], regex: "a" }, "give one of regex and choice, not both"],
  ])("is refused at once: %#", async (constraint, reason) => {
    await withEngine(model, { slots: 1, contextLength: 256 }, async (engine) => {
      const error = await caught(() => engine.generate({ prompt, ...(constraint as object) }));
      expect(error.code).toBe("INVALID_OPTION");
      expect(error.message).toContain(reason);
    });
  });

  it("of too many readings is refused before a step is taken for it", async () => {
    await withEngine(model, { slots: 1, contextLength: 256 }, async (engine) => {
      const rules = Array.from({ length: 3000 }, (_, i) => `r${i} ::= r${i + 1} | [a-z] r${i + 1}`);
      const grammar = `root ::= r0+\n${rules.join("\n")}\nr3000 ::= "."`;
      const error = await caught(() => engine.generate({ prompt, grammar }));
      expect(error.code).toBe("INVALID_OPTION");
      expect(error.message).toContain("too many ways");
      expect(engine.stats().promptTokensComputed).toBe(0);
    });
  });

  it("of hostile size costs a bounded time, and the next one works", async () => {
    await withEngine(model, { slots: 1, contextLength: 256 }, async (engine) => {
      let deep: Record<string, unknown> = { type: "string" };
      for (let level = 0; level < 60; level += 1) deep = { anyOf: [deep, deep] };
      const error = await caught(() => engine.generate({ prompt, jsonSchema: deep }));
      expect(error.code).toBe("INVALID_OPTION");
      const properties = Array.from({ length: 900 }, (_, index) => [
        `p${index}`,
        { type: ["string", "null"], maxLength: 1000 + index },
      ]);
      const wide = { type: "object", properties: Object.fromEntries(properties) };
      expect((await engine.generate({ prompt, jsonSchema: wide, maxTokens: 5 })).text).toMatch(/^{/);
      const { text } = await engine.generate({ prompt, jsonSchema: { const: "fine" }, maxTokens: 20 });
      expect(text).toBe('"fine"');
    });
  }, 30_000);
});

describe("beside a constrained generation", () => {
  it("others take the same steps and give the same text", async () => {
    const free = { prompt, temperature: 0, maxTokens: 60, ignoreEos: true };
    const alone = await withEngine(
      model,
      { slots: 2, contextLength: 256, deterministic: true },
      async (engine) => {
        const { tokens } = await engine.generate(free);
        return { tokens, steps: engine.stats().steps };
      },
    );
    await withEngine(model, { slots: 2, contextLength: 256, deterministic: true }, async (engine) => {
      const running = engine.generate(free);
      const bound = engine.generate({ prompt, regex: "([0-9]{3},){6}", maxTokens: 30, temperature: 0 });
      expect((await bound).text).toMatch(/^([0-9]{3},){6}$/);
      const { tokens } = await running;
      expect(tokens).toEqual(alone.tokens);
      expect(engine.stats().steps).toBeLessThanOrEqual(alone.steps + 2);
      expect(engine.stats().passesPerStep).toBeLessThanOrEqual(1.1);
    });
  });
});
