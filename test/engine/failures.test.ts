// However a generation fails, and however early, its reader hears of it in one way: the
// call itself never throws, awaiting rejects, catch() catches and iterating throws.
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Engine, Generation, Model } from "../../src/index.js";
import { InferenceError, loadModel } from "../../src/index.js";
import { caught } from "../helpers/caught.js";
import { eventsOf, loadEmbedded } from "../helpers/embedded.js";

let model: Model;
let engine: Engine;
let closed: Engine;

beforeAll(async () => {
  model = await loadEmbedded();
  engine = await model.createEngine({ slots: 2, contextLength: 128, queueLimit: 4, threads: 1 });
  closed = await model.createEngine({ slots: 1, threads: 1 });
  await closed.close();
});

afterAll(async () => {
  await engine.close();
  await model.close();
});

const prompt = "Once";
const messages = [{ role: "user", content: "Hello" }] as const;
const looking = {
  get prompt(): string {
    throw new TypeError("do not look");
  },
};

const largeRegex = "a{2000}".repeat(101);

const failures: readonly [name: string, code: string, make: () => Generation, path?: readonly unknown[]][] = [
  ["a wrong option", "INVALID_OPTION", () => engine.generate({ prompt, maxTokens: -3 }), ["maxTokens"]],
  ["a wrong item", "INVALID_OPTION", () => engine.generate({ prompt, stop: ["a", ""] }), ["stop", 1]],
  [
    "an unknown option",
    "INVALID_OPTION",
    () => engine.generate({ prompt, maxTokes: 3 } as never),
    ["maxTokes"],
  ],
  ["no request", "INVALID_OPTION", () => engine.generate(undefined as never)],
  ["a request that cannot be read", "INVALID_OPTION", () => engine.generate(looking)],
  ["prompt and messages", "INVALID_OPTION", () => engine.generate({ prompt, messages } as never)],
  ["more choices than queueLimit", "INVALID_OPTION", () => engine.generate({ prompt, n: 5 }), ["n"]],
  [
    "an adapter that is not there",
    "INVALID_OPTION",
    () => engine.generate({ prompt, loras: [{ name: "a" }] }),
  ],
  ["a closed engine", "ENGINE_CLOSED", () => closed.generate({ prompt })],
  ["a closed engine's fork", "ENGINE_CLOSED", () => closed.fork(undefined as never)],
  ["a fork of nothing", "INVALID_OPTION", () => engine.fork(undefined as never)],
  ["a prompt that does not fit", "CONTEXT_OVERFLOW", () => engine.generate({ prompt: Array(200).fill(5) })],
  [
    "a broken grammar",
    "INVALID_OPTION",
    () => engine.generate({ prompt, grammar: "root ::= missing" }),
    ["grammar"],
  ],
  [
    "a broken schema",
    "INVALID_OPTION",
    () => engine.generate({ prompt, jsonSchema: { type: "nothing" } }),
    ["jsonSchema"],
  ],
  ["too large a regex", "INVALID_OPTION", () => engine.generate({ prompt, regex: largeRegex }), ["regex"]],
];

it.each(failures)("%s: one catch is enough", async (_name, code, make, path) => {
  const caught: unknown[] = [];
  try {
    await make();
  } catch (thrown) {
    caught.push(thrown);
  }
  await make().catch((thrown) => caught.push(thrown));
  await make().then(undefined, (thrown) => caught.push(thrown));
  await eventsOf(make()).catch((thrown) => caught.push(thrown));
  const [settled] = await Promise.allSettled([make()]);
  caught.push(settled?.status === "rejected" ? settled.reason : undefined);
  expect(caught).toHaveLength(5);
  for (const each of caught) {
    expect(each).toBeInstanceOf(InferenceError);
    expect(each).toMatchObject({ code, ...(path && { path }) });
  }
});

it("a refused generation has ended: cancelling it does nothing, and its reason is kept", async () => {
  const refused = engine.generate({ prompt, maxTokens: -3 });
  refused.cancel();
  await expect(refused).rejects.toThrow("generate(): maxTokens must be");
  const unreadable = engine.generate(looking);
  await expect(unreadable).rejects.toMatchObject({ cause: expect.any(TypeError) });
  await expect(unreadable).rejects.toThrow("do not look");
  expect(engine.stats()).toMatchObject({ running: 0, waiting: 0 });
});

const hostile = new Proxy([], {
  get() {
    throw new TypeError("do not look");
  },
}) as never;

it.each<[name: string, call: () => Promise<unknown>]>([
  ["loadModel()", () => loadModel("model.gguf", hostile)],
  ["createEngine()", () => model.createEngine(hostile)],
  ["renderChat()", () => model.renderChat([hostile])],
  ["embed()", () => engine.embed("Once", hostile)],
  ["rerank()", () => engine.rerank(hostile)],
  ["saveState()", () => engine.saveState("a.state", hostile)],
  ["loadState()", () => engine.loadState("a.state", hostile)],
])("%s refuses options that cannot be read", async (name, call) => {
  const error = await caught(call);
  expect(error.code).toBe("INVALID_OPTION");
  expect(error.message).toContain(`${name}: the options cannot be read: do not look`);
  expect(error.cause).toBeInstanceOf(TypeError);
});
