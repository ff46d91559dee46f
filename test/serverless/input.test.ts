// Inputs judged by a schema or by rules, and progress told by a job's id.
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { type Job, serverless } from "../../src/index.js";
import { finished, gate, withWorker } from "./harness.js";

const schema = z.object({
  prompt: z.string(),
  size: z.object({ width: z.number() }).optional(),
  tags: z.array(z.string()).default(["none"]),
});

describe("an input schema", () => {
  it("gives the handler what it made of the input, and its type", async () => {
    const handler = async (job: Job<z.output<typeof schema>>) => job.input.tags;
    await withWorker({ input: schema, handler }, {}, async ({ platform }) => {
      const { done } = await finished(platform, { id: "a", input: { prompt: "x" } });
      expect(done).toEqual([{ output: ["none"] }]);
    });
    const typed = () =>
      serverless.start({
        input: schema,
        handler: (job) => {
          const length: number = job.input.tags.length;
          // @ts-expect-error the schema has no such field
          return [length, job.input.promt];
        },
      });
    expect(typed).toBeTypeOf("function");
  });

  it("fails a job it refuses with the names of the fields, and the handler is not called", async () => {
    let calls = 0;
    const handler = async () => {
      calls += 1;
    };
    await withWorker({ input: schema, handler }, {}, async ({ platform, worker }) => {
      const input = { size: { width: "secret" }, tags: ["a", 2] };
      const { done, status } = await finished(platform, { id: "a", input });
      expect(status).toBe("FAILED");
      expect(done).toEqual([{ error: expect.stringMatching(/^The job's input is invalid\. prompt: /) }]);
      expect(String(done[0]?.error)).toMatch(/; size\.width: .*; tags\[1\]: /);
      const whole = await finished(platform, { id: "b", input: "text" });
      expect(String(whole.done[0]?.error)).toContain("invalid. input: ");
      expect(calls).toBe(0);
      expect(worker.lines.join("\n")).not.toContain("secret");
    });
  });

  it("may be of any library, asynchronous and throwing", async () => {
    const odd = {
      "~standard": {
        version: 1 as const,
        vendor: "ours",
        validate: async (value: unknown) => {
          if (value === 3) throw new Error("no schema for three");
          return value === 1 ? { value: "one" } : { issues: [{ message: "not 1", path: [{ key: "n" }] }] };
        },
      },
    };
    await withWorker({ input: odd, handler: async (job) => job.input }, {}, async ({ platform }) => {
      expect((await finished(platform, { id: "a", input: 1 })).done).toEqual([{ output: "one" }]);
      const refused = (await finished(platform, { id: "b", input: 2 })).done;
      expect(refused).toEqual([{ error: "The job's input is invalid. n: not 1" }]);
      expect(String((await finished(platform, { id: "c", input: 3 })).done[0]?.error)).toContain(
        "no schema for three",
      );
    });
  });

  it("that is none is refused", async () => {
    const wrong = serverless.start({ input: { prompt: "string" }, handler: async () => 1 } as never);
    await expect(wrong).rejects.toThrow(
      "serverless.start(): input must be a schema, such as z.object({...}), got an object",
    );
  });
});

describe("serverless.validate()", () => {
  const rules = {
    prompt: { type: String, required: true },
    steps: { type: "int", required: false, default: 20, constraints: (steps: number) => steps < 100 },
    scale: { type: "float", required: false, default: null },
  } as const;

  it("fills in defaults, under our name and Python's", () => {
    const input = { prompt: "x", steps: 20, scale: 2 };
    const validated = serverless.validate({ prompt: "x", scale: 2 }, rules);
    expect(validated).toEqual({ validatedInput: input, validated_input: input });
    expect(serverless.validate({ prompt: "x", scale: null }, rules)).toMatchObject({
      validatedInput: { scale: null },
    });
  });

  it.each([
    [{ prompt: "x", other: 1 }, "Unexpected input. other is not a valid input option."],
    [{}, "prompt is a required input."],
    [{ prompt: 3 }, "prompt should be <class 'str'> type, not <class 'int'>."],
    [{ prompt: "x", steps: 1.5 }, "steps should be <class 'int'> type, not <class 'float'>."],
    [{ prompt: "x", steps: true }, "steps should be <class 'int'> type, not <class 'bool'>."],
    [{ prompt: "x", scale: [] }, "scale should be <class 'float'> type, not <class 'list'>."],
    [{ prompt: "x", steps: 100 }, "steps does not meet the constraints."],
  ])("refuses %j", (raw, message) => {
    expect(serverless.validate(raw, rules)).toEqual({ errors: [message] });
  });

  it("keeps keys that objects have of themselves as they are", () => {
    const given = JSON.parse('{"__proto__":{"x":1},"constructor":"c","toString":2}');
    const odd = JSON.parse(
      '{"__proto__":{"type":"dict","required":true},"constructor":{"type":"str","required":true},"toString":{"type":"int","required":true}}',
    );
    const { validatedInput } = serverless.validate(given, odd);
    expect(JSON.stringify(validatedInput)).toBe(JSON.stringify(given));
    expect(Object.getPrototypeOf(validatedInput)).toBe(Object.prototype);
    expect(serverless.validate(given, {})).toEqual({
      errors: ["__proto__", "constructor", "toString"].map(
        (key) => `Unexpected input. ${key} is not a valid input option.`,
      ),
    });
    expect(serverless.validate({}, odd).errors).toHaveLength(3);
  });

  it("gives each job a default of its own", () => {
    const lists = { tags: { type: Array, required: false, default: ["a"] } } as const;
    const first = serverless.validate({}, lists).validatedInput?.tags as string[];
    first.push("of another job");
    expect(serverless.validate({}, lists).validatedInput).toEqual({ tags: ["a"] });
  });

  it.each([
    [null, "NoneType"],
    [undefined, "NoneType"],
    ["text", "str"],
    [[1], "list"],
    [3, "int"],
  ])("refuses %j as an input", (raw, type) => {
    expect(serverless.validate(raw as never, rules)).toEqual({
      errors: [`The input should be <class 'dict'> type, not <class '${type}'>.`],
    });
  });

  it.each([[undefined], [0], [""], [null], [Promise.resolve(true)]])(
    "takes a constraint that returns %j for one that is not met",
    (verdict) => {
      const constraints = () => verdict as never;
      expect(serverless.validate({ a: 1 }, { a: { type: "int", required: true, constraints } })).toEqual({
        errors: ["a does not meet the constraints."],
      });
    },
  );

  it.each([
    [{ a: 3 }, "Schema error, a is not a dictionary."],
    [{ a: { required: true } }, "Schema error, missing type for a."],
    [{ a: { type: "int", required: false } }, "Schema error, missing default value for a."],
    [{ a: { type: "int" } }, "a is a required input."],
  ])("refuses the rules %j", (wrong, message) => {
    expect(serverless.validate({}, wrong as never)).toEqual({ errors: [message] });
  });
});

describe("serverless.progressUpdate()", () => {
  it("shows progress of the running job it names, and of no other", async () => {
    const { open, opened } = gate();
    const handler = async (job: Job) => {
      serverless.progress_update({ id: "other" }, "lost");
      serverless.progressUpdate(job, { percent: 50 });
      await opened;
      return "done";
    };
    await withWorker(handler, {}, async ({ platform }) => {
      const ending = finished(platform, { id: "a", input: {} });
      await platform.until(() => platform.job("a").progress.length > 0);
      open();
      const { done } = await ending;
      expect(done).toEqual([{ output: "done" }]);
      const bodies = platform.calls("job-done").map((call) => call.body);
      expect(JSON.parse(String(bodies[0]))).toEqual({ status: "IN_PROGRESS", output: { percent: 50 } });
    });
  });

  it("finds its job though the handler has written another id into it", async () => {
    let shown = gate();
    const handler = async (job: Job) => {
      Object.assign(job, { id: "other" });
      serverless.progressUpdate(job, "half");
      await shown.opened;
      return "done";
    };
    await withWorker(handler, {}, async ({ platform }) => {
      for (const id of ["a", "b"]) {
        shown = gate();
        const ending = finished(platform, { id, input: {} });
        await platform.until(() => platform.job(id).progress.length > 0);
        shown.open();
        const { done, progress } = await ending;
        expect({ done, progress }).toEqual({ done: [{ output: "done" }], progress: ["half"] });
      }
    });
  });
});
