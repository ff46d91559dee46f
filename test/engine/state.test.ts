// Conversations saved to files: they go on in another engine as if they had
// never stopped, and no damaged or foreign file gets near the cache.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { StateFiles } from "../../src/engine/saved-state.js";
import type { Engine, EngineOptions, Model } from "../../src/index.js";
import type { NativeEngine } from "../../src/native.js";
import { caught } from "../helpers/caught.js";
import { loadEmbedded, withEngine } from "../helpers/embedded.js";
import { nativeEnd } from "../helpers/fake-engine.js";

let model: Model;
let folder: string;
beforeAll(async () => {
  model = await loadEmbedded();
  folder = await mkdtemp(join(tmpdir(), "infernode-state-"));
});
afterAll(async () => {
  await model.close();
  await rm(folder, { recursive: true });
});

const prompt = "Once upon a time there was a small green frog who lived in a pond near the old mill. ".repeat(
  4,
);
const greedy = { prompt, maxTokens: 30, temperature: 0, ignoreEos: true };
const exact: EngineOptions = { slots: 2, contextLength: 512, deterministic: true };

async function saved(name: string, options: EngineOptions = exact): Promise<string> {
  const file = join(folder, name);
  await withEngine(model, options, (engine) => engine.saveState(file, { prompt }));
  return file;
}

describe("a saved state", () => {
  it("goes on in another engine, to the token and without computing", async () => {
    const file = join(folder, "exact");
    const whole = await withEngine(model, exact, async (engine) => {
      const { tokens, bytes } = await engine.saveState(file, { prompt });
      expect(tokens).toBe(model.tokenize(prompt).length);
      expect((await readFile(file)).length).toBe(bytes);
      return engine.generate(greedy);
    });
    await withEngine(model, exact, async (engine) => {
      expect((await engine.loadState(file)).tokens).toBe(model.tokenize(prompt).length);
      const again = await engine.generate(greedy);
      expect(again.tokens).toEqual(whole.tokens);
      expect(again.usage.cachedPromptTokens).toBeGreaterThan(again.usage.promptTokens - 3);
      expect(engine.stats()).toMatchObject({ hostCacheRestores: 1 });
      expect(engine.stats().promptTokensComputed).toBeLessThan(3);
    });
  });

  it("is of a conversation, and of what was already computed", async () => {
    const file = join(folder, "chat");
    const messages = [{ role: "user", content: "Who is Mia?" }];
    await withEngine(model, exact, async (engine) => {
      const { text } = await engine.generate({ messages, temperature: 0, maxTokens: 40 });
      const computed = engine.stats().promptTokensComputed;
      messages.push({ role: "assistant", content: text }, { role: "user", content: "Where?" });
      await engine.saveState(file, { messages });
      const rendered = await model.renderChat(messages);
      const all = model.tokenize(rendered.prompt, { parseSpecial: true }).length;
      expect(engine.stats().promptTokensComputed - computed).toBeLessThan(all);
    });
    await withEngine(model, exact, async (engine) => {
      await engine.loadState(file);
      const { usage } = await engine.generate({ messages, temperature: 0, maxTokens: 5 });
      expect(usage.cachedPromptTokens).toBeGreaterThan(usage.promptTokens - 3);
    });
  });

  it("is found under its salt only", async () => {
    const file = await saved("salted");
    await withEngine(model, exact, async (engine) => {
      await engine.loadState(file, { cacheSalt: "ann" });
      const other = await engine.generate({ ...greedy, maxTokens: 1 });
      expect(other.usage.cachedPromptTokens).toBe(0);
      const own = await engine.generate({ ...greedy, maxTokens: 1, cacheSalt: "ann" });
      expect(own.usage.cachedPromptTokens).toBeGreaterThan(0);
    });
  });

  it("is of the shortest prompts too, and goes on with longer ones", async () => {
    await withEngine(model, exact, async (engine) => {
      for (const length of [1, 2, 3, 7, 8]) {
        const tokens = Array.from({ length }, (_, index) => 300 + index);
        const file = join(folder, "short");
        expect((await engine.saveState(file, { prompt: tokens })).tokens).toBe(length);
        await engine.loadState(file);
      }
    });
  });

  it("is each one's own where many are saved at once", async () => {
    const story = (index: number) => `Story ${index} about a big bear that liked honey and the ${index} bees`;
    await withEngine(model, { slots: 2, contextLength: 256 }, async (engine) => {
      const saves = Array.from({ length: 12 }, (_, index) =>
        engine.saveState(join(folder, `many-${index}`), { prompt: story(index) }),
      );
      const tokens = (await Promise.all(saves)).map((saved) => saved.tokens);
      expect(tokens).toEqual(tokens.map((_, index) => model.tokenize(story(index)).length));
    });
  });
});

describe("the call that saves", () => {
  it("takes a file: URL, as the call that loads, and writes for its owner only", async () => {
    const file = join(folder, "private");
    await withEngine(model, exact, async (engine) => {
      await engine.saveState(pathToFileURL(file), { prompt });
      expect((await stat(file)).mode & 0o777).toBe(0o600);
      await engine.loadState(pathToFileURL(file));
    });
  });

  it("refuses by name what is no path, as the call that loads, before it computes", async () => {
    await withEngine(model, exact, async (engine) => {
      const before = await readdir(folder);
      for (const path of [undefined, 5, {}, "", "a\0b", new URL("https://example.com/x")] as never[]) {
        for (const work of [() => engine.saveState(path, { prompt }), () => engine.loadState(path)]) {
          const error = await caught(work);
          expect(error).toMatchObject({ code: "INVALID_OPTION" });
          expect(error.message).toContain("path must be the path of a state file or a file: URL, got");
        }
      }
      expect(engine.stats().promptTokensComputed).toBe(0);
      expect(await readdir(folder)).toEqual(before);
    });
  });

  it("judges its request as generate() does", async () => {
    const file = join(folder, "judged");
    await withEngine(model, exact, async (engine) => {
      const refusal = async (request: object) =>
        (await caught(() => engine.saveState(file, { prompt, ...request } as never))).message;
      expect(await refusal({ n: "q" })).toBe('saveState(): n must be an integer from 1 to 128, got "q"');
      expect(await refusal({ cache: false })).toBe("saveState(): cache must be true, got false");
      expect(await refusal({ minTokens: 5, maxTokens: 4 })).toContain(
        "saveState(): minTokens must be at most",
      );
      expect(await refusal({ messages: [] })).toContain("saveState(): ");
      const nothing = await caught(() => engine.saveState(file, undefined as never));
      expect(nothing.message).toBe(
        "saveState(): request must say which conversation is saved: saveState(path, { messages })",
      );
      await engine.saveState(file, { prompt, minTokens: 5, maxTokens: 20, n: 2, choice: ["a", "b"] });
    });
  });
});

describe("a state file that does not fit", () => {
  async function refusal(file: string, options: EngineOptions, code: string): Promise<string> {
    return withEngine(model, options, async (engine: Engine) => {
      const error = await caught(() => engine.loadState(file));
      expect(error.code).toBe(code);
      expect((await engine.generate({ ...greedy, maxTokens: 2 })).tokens).toHaveLength(2);
      return error.message;
    });
  }

  it("is refused with what is wrong", async () => {
    const file = await saved("damaged");
    const bytes = await readFile(file);
    const changed = async (change: (copy: Buffer) => Buffer) => {
      await writeFile(file, change(Buffer.from(bytes)));
      return refusal(file, exact, "STATE_INVALID");
    };
    const flip = (at: number) => (copy: Buffer) => {
      copy[at] = (copy[at] ?? 0) ^ 1;
      return copy;
    };
    expect(await changed(flip(bytes.length - 9))).toContain("its checksum does not fit");
    expect(await changed(flip(bytes.indexOf(10, 20) + 2))).toContain("its checksum does not fit");
    expect(await changed(flip(3))).toContain("does not begin as one");
    expect(await changed(() => Buffer.from("infernode state 1\n{}\n"))).toContain("its facts cannot be read");
    expect(await changed(() => Buffer.alloc(0))).toContain("does not begin as one");
    const text = (copy: Buffer) => copy.toString("latin1");
    const replaced = (from: string | RegExp, to: string) => (copy: Buffer) =>
      Buffer.from(text(copy).replace(from, to), "latin1");
    expect(await changed(replaced(/"fingerprint":"./, '"fingerprint":"x'))).toContain("another model file");
    expect(await changed(replaced(/"llamaCpp":"./, '"llamaCpp":"x'))).toContain("another llama.cpp");
    await writeFile(file, bytes);
    await truncate(file, bytes.length - 1);
    expect(await refusal(file, exact, "STATE_INVALID")).toContain("is cut short");
    await writeFile(file, Buffer.concat([bytes, Buffer.from("x")]));
    expect(await refusal(file, exact, "STATE_INVALID")).toContain("is too long");
  });

  it("is refused where its checksum is right and its state none of its tokens", async () => {
    const file = await saved("forged");
    const bytes = await readFile(file);
    const end = bytes.indexOf(10, 20) + 1;
    const facts = JSON.parse(bytes.subarray(bytes.indexOf(10) + 1, end).toString());
    const tokenPart = bytes.subarray(end, end + 4 * facts.tokens);
    const state = bytes.subarray(end + 4 * facts.tokens);
    const refused = async (change: Buffer, tokens = tokenPart) => {
      const sha256 = createHash("sha256").update(tokens).update(change).digest("hex");
      const forged = { ...facts, tokens: tokens.length / 4, stateBytes: change.length, sha256 };
      const head = Buffer.from(`infernode state 1\n${JSON.stringify(forged)}\n`);
      await writeFile(file, Buffer.concat([head, tokens, change]));
      return refusal(file, exact, "STATE_INVALID");
    };
    for (const word of [8, 12, 16, 20]) {
      const copy = Buffer.from(state);
      copy.writeUInt32LE(0x7fffffff, word);
      expect(await refused(copy)).toContain(file);
    }
    await refused(Buffer.from("x"));
    await refused(Buffer.alloc(state.length));
    await refused(state.subarray(0, state.length >> 1));
    await refused(state, tokenPart.subarray(0, 40));
    await refused(state, Buffer.concat([tokenPart, tokenPart]));
    await writeFile(file, bytes);
    expect(await refusal(file, { ...exact, slots: 3 }, "STATE_INVALID")).toContain(
      `as many slots, 3; it was saved with ${facts.slots}`,
    );
  });

  it("is refused where the engine is another one", async () => {
    const file = await saved("other");
    expect(await refusal(file, { slots: 1, contextLength: 512 }, "STATE_INVALID")).toContain(
      "flashAttention",
    );
    await withEngine(model, { ...exact, contextLength: 64 }, async (engine) => {
      const error = await caught(() => engine.loadState(file));
      expect(error).toMatchObject({ code: "STATE_INVALID" });
      expect(error.message).toContain("contextLength is 64");
    });
    expect(await refusal(file, { ...exact, hostCacheBytes: 1000 }, "OUT_OF_MEMORY")).toContain(
      "hostCacheBytes",
    );
    expect(await refusal(join(folder, "nothing"), exact, "STATE_UNREADABLE")).toContain(
      "cannot be read: it does not exist",
    );
  });

  it("and a place that cannot be written, are told by name", async () => {
    await withEngine(model, { slots: 1, contextLength: 512 }, async (engine) => {
      const error = await caught(() => engine.saveState(join(folder, "no", "folder"), { prompt }));
      expect(error.code).toBe("STATE_UNREADABLE");
      expect(error.message).toBe(
        `the state file ${join(folder, "no", "folder")} cannot be written: the folder ${join(folder, "no")} does not exist`,
      );
    });
    await withEngine(model, { slots: 1, promptCache: false }, async (engine) => {
      expect((await caught(() => engine.saveState(join(folder, "x"), { prompt }))).message).toContain(
        "promptCache",
      );
    });
  });
});

describe("an engine that closes meanwhile", () => {
  it("ends a saving as it ends an embedding, and writes nothing", async () => {
    const file = join(folder, "closing");
    const engine = await model.createEngine(exact);
    const messages = [{ role: "user", content: "Who is Mia?" }];
    // So many that the engine cannot be done with them before it closes.
    const texts = Array.from({ length: 200 }, (_, index) => `${index} ${prompt}`);
    const calls = [
      engine.embed(texts),
      engine.saveState(file, { prompt }),
      engine.saveState(file, { messages }),
    ];
    const failures = Promise.all(calls.map((call) => caught(() => call)));
    await engine.close();
    for (const failure of await failures) expect(failure).toMatchObject({ code: "CANCELLED", status: 499 });
    expect(await readdir(folder)).not.toContain("closing");
  });

  it("refuses a state whose file came too late", async () => {
    const pipe = join(folder, "pipe");
    execFileSync("mkfifo", [pipe]);
    const bytes = await readFile(await saved("late"));
    const engine = await model.createEngine(exact);
    const failure = caught(() => engine.loadState(pipe));
    await engine.close();
    await writeFile(pipe, bytes);
    expect(await failure).toMatchObject({ name: "InferenceError", code: "ENGINE_CLOSED", status: 503 });
  });

  // The addon ends so where llama.cpp gives no bytes, or more than a buffer can hold.
  it("is refused, and no file written, where the request ended without a state", async () => {
    const file = join(folder, "lost");
    const files = new StateFiles({ options: { slots: 1 } } as NativeEngine, {
      fingerprint: "",
      vocabularySize: 1,
    });
    const failure = await caught(() => files.write(file, null, nativeEnd()));
    expect(failure).toMatchObject({ name: "InferenceError", code: "STATE_LOST", status: 500 });
    expect(await readdir(folder)).not.toContain("lost");
  });
});
