// Times as zod and valibot write them come to an end, whatever a model likes to write.
import { toStandardJsonSchema } from "@valibot/to-json-schema";
import * as valibot from "valibot";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { schemaGrammar } from "../../src/constraints/schema.js";
import { besidePattern } from "../../src/constraints/string-formats.js";
import type { JsonSchema, Model } from "../../src/index.js";
import { loadEmbedded, withEngine } from "../helpers/embedded.js";

let model: Model;
beforeAll(async () => {
  model = await loadEmbedded();
});
afterAll(() => model.close());

const schemas = {
  "zod's datetime": z.object({ at: z.iso.datetime() }),
  "zod's datetime with an offset": z.object({ at: z.iso.datetime({ offset: true }) }),
  "zod's time": z.object({ at: z.iso.time() }),
  "zod's duration": z.object({ at: z.iso.duration() }),
  "valibot's timestamp": toStandardJsonSchema(
    valibot.object({ at: valibot.pipe(valibot.string(), valibot.isoTimestamp()) }),
  ),
};

/** Digits are all that the model wants to write. */
async function written(jsonSchema: (typeof schemas)[keyof typeof schemas]): Promise<string> {
  return await withEngine(model, { slots: 1, contextLength: 256 }, async (engine) => {
    const logitBias: Record<number, number> = {};
    for (const digit of "0123456789.")
      for (const token of model.tokenize(digit, { addSpecial: false })) logitBias[token] = 20;
    const { text, finishReason } = await engine.generate({
      prompt: "At",
      jsonSchema,
      maxTokens: 120,
      temperature: 0,
      logitBias,
    });
    expect(finishReason).toBe("stop");
    return text;
  });
}

describe("a time", () => {
  it.each(Object.entries(schemas))("of %s ends", async (_, schema) => {
    expect(JSON.parse(await written(schema))).toEqual({ at: expect.any(String) });
  });

  it("is known by its seconds where no format is given", () => {
    expect(besidePattern(z.toJSONSchema(z.iso.time()).pattern ?? "", undefined)).toBeDefined();
    expect(besidePattern("^\\d+$", undefined)).toBeUndefined();
  });

  it("may have as many digits as its own pattern counts", () => {
    const precise = z.toJSONSchema(z.iso.datetime({ precision: 12 })) as JsonSchema;
    expect(() => schemaGrammar(precise)).not.toThrow();
  });
});
