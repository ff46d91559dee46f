// Requests as they are documented, each with the form of its answer: the guide's, and
// those of worker-vllm's pages. The texts are the pages' own; `source` names the page.
import { describe, expect, it } from "vitest";
import documented from "./documented.json" with { type: "json" };
import { eventsOf, type TextScene, withTextWorker } from "./scene.js";

/** What the answer has, by paths of fields; "number", "string" and "a list" are types, MODEL the served name. */
type Form = Readonly<Record<string, unknown>>;

interface Documented {
  readonly source: string;
  readonly name: string;
  /** A job's input, or else a call of the endpoint's OpenAI address. */
  readonly input?: Readonly<Record<string, unknown>>;
  readonly path?: string;
  readonly body?: Readonly<Record<string, unknown>> | null;
  /** The name the page gives its model. */
  readonly model?: string;
  /** Of the whole answer, or of the first server-sent event. */
  readonly output?: Form;
  readonly events?: Form;
  /** What is refused by this name. */
  readonly refused?: string;
}

function valueAt(value: unknown, path: string): unknown {
  return path
    .split(".")
    .reduce((held: unknown, key) => (held as Record<string, unknown> | undefined)?.[key], value);
}

function expectForm(given: unknown, form: Form, model: string): void {
  for (const [path, expected] of Object.entries(form)) {
    const value = valueAt(given, path);
    if (expected === "number" || expected === "string")
      expect([path, typeof value]).toEqual([path, expected]);
    else if (expected === "a list") expect([path, Array.isArray(value)]).toEqual([path, true]);
    else expect([path, value]).toEqual([path, expected === "MODEL" ? model : expected]);
  }
}

/** @returns the body of the endpoint's answer, as text */
async function call({ platform }: TextScene, path: string, body: Documented["body"]): Promise<string> {
  const response = await fetch(`${platform.url}/v2/ep/openai${path}`, {
    method: body === null ? "GET" : "POST",
    headers: { Authorization: "Bearer secret-key" },
    ...(body === null ? {} : { body: JSON.stringify(body) }),
  });
  return response.text();
}

async function check(
  scene: TextScene,
  { input, path = "", body = null, ...asked }: Documented,
  model: string,
) {
  const { output, events, refused } = asked;
  const done = input === undefined ? undefined : await scene.run(input);
  if (done !== undefined) expect([done.status, done.error]).toEqual(["COMPLETED", undefined]);
  const text = done === undefined ? await call(scene, path, body) : "";
  if (output !== undefined) expectForm(done?.output ?? JSON.parse(text), output, model);
  if (events !== undefined) expectForm(eventsOf(done?.stream ?? [text])[0], events, model);
  if (refused !== undefined) expect(JSON.parse(text).error.message).toContain(refused);
}

describe("a documented request", () => {
  it.each(documented as readonly Documented[])("is answered: $source: $name", async (asked) => {
    const model = asked.model ?? "my-model";
    const environment = { OPENAI_SERVED_MODEL_NAME_OVERRIDE: model };
    await withTextWorker(environment, (scene) => check(scene, asked, model));
  });
});
