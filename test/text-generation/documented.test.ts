// Requests as they are documented, word for word: the guide's and worker-vllm's, each
// with the form of its answer.
import { describe, expect, it } from "vitest";
import documented from "./documented.json" with { type: "json" };
import { withTextWorker } from "./scene.js";

interface Documented {
  readonly name: string;
  readonly input: Record<string, unknown>;
  /** What the answer has, by a path of fields; "number", "string" and "a list" are types. */
  readonly output: Readonly<Record<string, unknown>>;
}

function valueAt(value: unknown, path: string): unknown {
  return path
    .split(".")
    .reduce((held: unknown, key) => (held as Record<string, unknown> | undefined)?.[key], value);
}

describe("a documented request", () => {
  it.each(documented as readonly Documented[])("is answered: $name", async ({ input, output }) => {
    await withTextWorker({ OPENAI_SERVED_MODEL_NAME_OVERRIDE: "my-model" }, async ({ run }) => {
      const done = await run(input);
      expect(done.status).toBe("COMPLETED");
      for (const [path, expected] of Object.entries(output)) {
        const value = valueAt(done.output, path);
        if (expected === "number" || expected === "string")
          expect([path, typeof value]).toEqual([path, expected]);
        else if (expected === "a list") expect([path, Array.isArray(value)]).toEqual([path, true]);
        else expect([path, value]).toEqual([path, expected]);
      }
    });
  });
});
