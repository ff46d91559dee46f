// When a request is accepted: told before its first token, whatever it waits for, and never
// of one that was refused.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Engine, EngineOptions, EngineStats, Generation, Model } from "../../src/index.js";
import { embeddedModelPath, loadModel } from "../../src/index.js";
import { caught } from "../helpers/caught.js";
import { eventsOf, loadEmbedded, prompt, until, withEngine } from "../helpers/embedded.js";
import { runFixture } from "../helpers/programs.js";

let model: Model;
let refusing: Model;
let wordless: Model;
beforeAll(async () => {
  model = await loadEmbedded();
  refusing = await loadModel(embeddedModelPath(), { chatTemplate: "{{ raise_exception('never') }}" });
  wordless = await loadModel(withoutTemplate());
});
afterAll(async () => {
  for (const each of [model, refusing, wordless]) await each.close();
  rmSync(folder, { recursive: true });
});

const folder = mkdtempSync(join(tmpdir(), "infernode-accepted-"));

/** The embedded model under a key that nobody looks up. */
function withoutTemplate(): string {
  const bytes = readFileSync(embeddedModelPath());
  const key = "tokenizer.chat_template";
  bytes.write(key.replace("chat", "none"), bytes.indexOf(key), "latin1");
  const file = join(folder, "wordless.gguf");
  writeFileSync(file, bytes);
  return file;
}

const endless = { prompt, ignoreEos: true };
const messages = [{ role: "user", content: "Who is Mia?" }];
// Unread, nothing gets as long as the context.
const small: EngineOptions = { slots: 2, contextLength: 512, queueLimit: 4 };

/** What came first: the acceptance or the first delta. */
async function order(run: Generation): Promise<string[]> {
  const seen: string[] = [];
  const accepted = run.accepted.then(() => seen.push("accepted"));
  for await (const { type } of run) seen.push(type);
  await accepted;
  return seen;
}

describe("an accepted request", () => {
  it.each([
    ["of a prompt", { prompt }],
    ["of messages", { messages }],
    ["of several choices", { prompt, n: 3 }],
    ["of messages with several choices", { messages, n: 2 }],
    ["of one token", { prompt: [5], maxTokens: 1 }],
  ])("%s is told before its first token, once for all who ask", async (_, request) => {
    await withEngine(model, { slots: 2 }, async (engine) => {
      const run = engine.generate({ maxTokens: 8, ignoreEos: true, ...request });
      expect(run.accepted).toBe(run.accepted);
      const seen = await order(run);
      expect(seen[0]).toBe("accepted");
      expect(seen.filter((each) => each === "accepted")).toHaveLength(1);
      expect(await run.accepted).toBeUndefined();
    });
  });

  it("is told while it waits for a slot that another holds", async () => {
    await withEngine(model, { slots: 1 }, async (engine) => {
      const first = engine.generate(endless)[Symbol.asyncIterator]();
      await first.next();
      const waiting = Array.from({ length: 5 }, () => engine.generate({ prompt, maxTokens: 4 }));
      const accepted = Promise.all(waiting.map((run) => run.accepted.then(() => "accepted")));
      const reading = (async () => {
        for (let event = await first.next(); !event.done; event = await first.next());
        return "the first has ended";
      })();
      expect(await Promise.race([accepted, reading])).toEqual(Array(5).fill("accepted"));
      expect(engine.stats()).toMatchObject({ running: 1, waiting: 5 });
      await first.return?.();
      expect((await Promise.all(waiting)).map(({ tokens }) => tokens.length > 0)).toEqual(
        Array(5).fill(true),
      );
    });
  });

  it("is told before a long prompt is read", async () => {
    await withEngine(model, { slots: 1, contextLength: 1024, prefillChunk: 32 }, async (engine) => {
      const run = engine.generate({ prompt: Array(900).fill(5), maxTokens: 2, cache: false });
      await run.accepted;
      expect(engine.stats().promptTokensComputed).toBeLessThan(900);
      expect((await run).usage.promptTokens).toBe(900);
    });
  });

  it("is told of forks, and of a fork of messages that are not rendered yet", async () => {
    await withEngine(model, small, async (engine) => {
      const source = engine.generate({ messages, maxTokens: 150, ignoreEos: true });
      const early = engine.fork(source);
      expect((await order(early))[0]).toBe("accepted");
      await source;
      const running = engine.generate({ ...endless, maxTokens: 150 });
      await running.accepted;
      expect((await order(engine.fork(running)))[0]).toBe("accepted");
      await running;
    });
  });

  it("may fail later", async () => {
    await withEngine(model, small, async (engine) => {
      const all = Array.from({ length: model.info.vocabularySize }, (_, id) => [id, -Infinity] as const);
      const run = engine.generate({ prompt, logitBias: new Map(all) });
      await run.accepted;
      expect((await caught(() => run)).code).toBe("INVALID_OPTION");
      await run.accepted;
    });
  });

  it("stays accepted when it is cancelled", async () => {
    await withEngine(model, small, async (engine) => {
      const run = engine.generate(endless);
      await run.accepted;
      run.cancel();
      expect((await run).finishReason).toBe("cancelled");
      await run.accepted;
    });
  });

  it("wakes JavaScript no more often than there are steps", async () => {
    await withEngine(model, { slots: 4, contextLength: 512 }, async (engine) => {
      const others = engine.generate({ ...endless, maxTokens: 400 });
      const reading = eventsOf(others);
      await others.accepted;
      let figures: EngineStats | undefined;
      const working = reading.then(() => {
        figures = engine.stats();
      });
      let requests = 0;
      const client = async () => {
        while (figures === undefined) {
          const run = engine.generate({ prompt: [5 + (requests++ % 100)], maxTokens: 3, ignoreEos: true });
          await run.accepted;
          await run;
        }
      };
      await Promise.all([working, ...Array.from({ length: 8 }, client)]);
      expect(requests).toBeGreaterThan(50);
      // The one more: the first request came to an idle engine.
      expect(figures?.wakeUps).toBeLessThanOrEqual((figures?.steps ?? 0) + 1);
    });
  });
});

const aborted = () => {
  const controller = new AbortController();
  controller.abort(new Error("the client left"));
  return controller.signal;
};
const cancelledAtOnce = (run: Generation) => {
  run.cancel();
  return run;
};

type Refusal = readonly [name: string, code: string, make: (engine: Engine) => Generation];

const refusals: readonly Refusal[] = [
  ["a wrong option", "INVALID_OPTION", (engine) => engine.generate({ prompt, maxTokens: -3 })],
  ["an unknown option", "INVALID_OPTION", (engine) => engine.generate({ prompt, maxTokes: 3 } as never)],
  ["no request", "INVALID_OPTION", (engine) => engine.generate(undefined as never)],
  ["more choices than queueLimit", "INVALID_OPTION", (engine) => engine.generate({ prompt, n: 5 })],
  ["a broken grammar", "INVALID_OPTION", (engine) => engine.generate({ prompt, grammar: "root ::= no" })],
  ["a fork of nothing", "INVALID_OPTION", (engine) => engine.fork(undefined as never)],
  [
    "a prompt that does not fit",
    "CONTEXT_OVERFLOW",
    (engine) => engine.generate({ prompt: "a ".repeat(900) }),
  ],
  [
    "messages that do not fit",
    "CONTEXT_OVERFLOW",
    (engine) => engine.generate({ messages: [{ role: "user", content: "a ".repeat(900) }] }),
  ],
  [
    "minTokens that do not fit",
    "CONTEXT_OVERFLOW",
    (engine) => engine.generate({ prompt, minTokens: 1000, maxTokens: 1000 }),
  ],
  [
    "choices that do not fit",
    "CONTEXT_OVERFLOW",
    (engine) => engine.generate({ prompt: Array(600).fill(5), n: 2 }),
  ],
  ["an aborted signal", "CANCELLED", (engine) => engine.generate({ prompt, signal: aborted() })],
  [
    "messages and an aborted signal",
    "CANCELLED",
    (engine) => engine.generate({ messages, signal: aborted() }),
  ],
  ["cancel() at once", "CANCELLED", (engine) => cancelledAtOnce(engine.generate(endless))],
  ["cancel() while rendering", "CANCELLED", (engine) => cancelledAtOnce(engine.generate({ messages }))],
  ["cancel() of choices", "CANCELLED", (engine) => cancelledAtOnce(engine.generate({ ...endless, n: 3 }))],
];

/** Both the acceptance and the whole reject with the code, as the same error. */
async function expectRefusal(run: Generation, code: string): Promise<void> {
  const error = await caught(() => run.accepted);
  expect(error.code).toBe(code);
  expect(await caught(() => run.accepted)).toBe(error);
  if (code === "CANCELLED") return;
  expect(await caught(() => run)).toMatchObject({ code, message: error.message });
}

describe("a request that is not accepted", () => {
  it.each(refusals)("because of %s rejects with %s", async (_, code, make) => {
    await withEngine(model, small, async (engine) => expectRefusal(make(engine), code));
  });

  it("because the queue is full rejects with QUEUE_FULL, also where some choices had room", async () => {
    await withEngine(model, { ...small, slots: 1 }, async (engine) => {
      const living = Array.from({ length: 2 }, () => engine.generate(endless));
      await Promise.all(living.map((run) => run.accepted));
      await expectRefusal(engine.generate({ ...endless, n: 3 }), "QUEUE_FULL");
      const more = Array.from({ length: 2 }, () => engine.generate(endless));
      await expectRefusal(engine.generate(endless), "QUEUE_FULL");
      await expectRefusal(engine.generate({ messages }), "QUEUE_FULL");
      await expectRefusal(engine.fork(living[0] as Generation), "QUEUE_FULL");
      for (const run of [...living, ...more]) run.cancel();
    });
  });

  it("because of the chat template rejects with its code", async () => {
    await withEngine(refusing, small, (engine) =>
      expectRefusal(engine.generate({ messages }), "CHAT_TEMPLATE_FAILED"),
    );
    await withEngine(wordless, small, (engine) =>
      expectRefusal(engine.generate({ messages }), "CHAT_TEMPLATE_MISSING"),
    );
  });

  it("because the engine drains or is closed rejects with ENGINE_CLOSED", async () => {
    const engine = await model.createEngine(small);
    await engine.drain();
    await expectRefusal(engine.generate({ prompt }), "ENGINE_CLOSED");
    await engine.close();
    await expectRefusal(engine.generate({ prompt }), "ENGINE_CLOSED");
    await expectRefusal(engine.fork(undefined as never), "ENGINE_CLOSED");
  });

  it("because the engine closes meanwhile rejects with CANCELLED", async () => {
    const engine = await model.createEngine({ ...small, slots: 1 });
    const runs = [engine.generate({ messages }), engine.generate({ messages, n: 2 })];
    const refused = Promise.all(runs.map((run) => caught(() => run.accepted)));
    await engine.close();
    expect((await refused).map(({ code }) => code)).toEqual(["CANCELLED", "CANCELLED"]);
  });

  it("because a signal aborts meanwhile rejects with the signal's reason as the cause", async () => {
    await withEngine(model, { ...small, slots: 1 }, async (engine) => {
      const controller = new AbortController();
      const reason = new Error("the client left");
      const run = engine.generate({ messages, signal: controller.signal });
      const refused = caught(() => run.accepted);
      controller.abort(reason);
      expect(await refused).toMatchObject({ code: "CANCELLED", cause: reason });
    });
  });

  it("is a fork whose source ended before the engine looked", async () => {
    await withEngine(model, small, async (engine) => {
      const source = engine.generate({ prompt: [5], maxTokens: 1 });
      await until(() => engine.stats().generatedTokens === 1); // its end has not been told yet
      const fork = engine.fork(source);
      await expectRefusal(fork, "INVALID_OPTION");
    });
  });

  it("rejects nobody where nobody looks, and the process waits for who does", async () => {
    const ending = await runFixture("accepted-alone.mjs");
    expect(ending).toMatchObject({ code: 0, signal: null, stderr: "", stdout: "accepted\n" });
  });
});
