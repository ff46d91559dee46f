// A generation's text as a web stream: against a host without an addon, and through a
// real server.
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Choice } from "../../src/engine/choice.js";
import { Generation } from "../../src/engine/generation.js";
import { GenerationRecord } from "../../src/engine/generation-record.js";
import { type Engine, loadModel, type Model } from "../../src/index.js";
import { caught } from "../helpers/caught.js";
import { prompt, until } from "../helpers/embedded.js";
import { FakeHost, nativeEnd } from "../helpers/fake-engine.js";

/** Tokens that a generation may be ahead of its reader. */
const window = 256;

function begin(ids = [1]) {
  const host = new FakeHost();
  const record = new GenerationRecord(ids, host);
  const choices = record.choices as [Choice, Choice];
  for (const choice of choices) choice.accept();
  return { host, record, choice: choices[0], choices, run: new Generation(record, 9n) };
}

async function chunksOf<Chunk>(stream: AsyncIterable<Chunk>): Promise<Chunk[]> {
  const chunks: Chunk[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
}

describe("textStream", () => {
  it("gives the texts, none of them empty, and closes at the end", async () => {
    const { choice, run } = begin();
    const reading = chunksOf(run.textStream);
    choice.deliver("on", [1]);
    choice.deliver("", [2]);
    choice.deliver("ce", [3]);
    choice.finish(nativeEnd());
    expect(await reading).toEqual(["on", "ce"]);
  });

  it("begins at the first text at each access, beside whoever awaits", async () => {
    const { choice, run } = begin();
    choice.deliver("once", [1]);
    choice.finish(nativeEnd());
    const { textStream } = run;
    expect((await run).text).toBe("once");
    expect(await chunksOf(textStream)).toEqual(["once"]);
    expect(await chunksOf(run.textStream)).toEqual(["once"]);
  });

  it("gives the first choice's text and ends with the last choice", async () => {
    const { choices, run } = begin([1, 2]);
    const reading = chunksOf(run.textStream);
    choices[1].deliver("other", [1]);
    choices[0].deliver("mine", [2]);
    choices[0].finish(nativeEnd());
    choices[1].deliver(" more", [3]);
    choices[1].finish(nativeEnd({ id: 2 }));
    expect(await reading).toEqual(["mine"]);
  });

  it("leaves thoughts out", async () => {
    const { record, choice, run } = begin();
    record.add({ type: "reasoning-delta", choiceIndex: 0, text: "hm", tokens: [1] });
    choice.deliver("so", [2]);
    choice.finish(nativeEnd());
    expect(await chunksOf(run.textStream)).toEqual(["so"]);
  });

  it("joins the halves of a character, wherever the events are cut", async () => {
    const text = "a🙂b👩‍👩‍👧e\u0301🙂";
    for (let cut = 0; cut <= text.length; cut += 1) {
      for (let next = cut; next <= text.length; next += 1) {
        const { choice, run } = begin();
        for (const part of [text.slice(0, cut), text.slice(cut, next), text.slice(next)])
          choice.deliver(part, [1]);
        choice.finish(nativeEnd());
        const strings = await chunksOf(run.textStream);
        expect(strings.join("")).toBe(text);
        expect(strings.every((each) => each !== "" && !/[\ud800-\udfff]/u.test(each))).toBe(true);
        const decoder = new TextDecoder("utf-8", { fatal: true });
        const bytes = await chunksOf(run.toReadableStream());
        expect(bytes.map((each) => decoder.decode(each)).join("")).toBe(text);
      }
    }
  });

  it("fails with the generation's error, after the texts that came", async () => {
    const { choice, run } = begin();
    choice.deliver("once", [1]);
    choice.finish(nativeEnd({ reason: "error", failure: { code: "DECODE_FAILED", message: "lost" } }));
    for (const stream of [run.textStream, run.toReadableStream()]) {
      const reader = stream.getReader();
      expect((await reader.read()).done).toBe(false);
      expect(await caught(() => reader.read())).toMatchObject({ code: "DECODE_FAILED", message: "lost" });
      expect(await caught(() => reader.closed)).toMatchObject({ code: "DECODE_FAILED" });
    }
  });

  it("closes with the text so far where it was cancelled, fails where its signal aborted", async () => {
    const one = begin();
    one.choice.deliver("once", [1]);
    one.run.cancel();
    one.choice.finish(nativeEnd({ reason: "cancelled" }));
    expect(await chunksOf(one.run.textStream)).toEqual(["once"]);
    const other = begin();
    const reason = new Error("the client left");
    other.record.abort(AbortSignal.abort(reason));
    other.choice.finish(nativeEnd({ reason: "cancelled" }));
    const error = await caught(() => chunksOf(other.run.textStream));
    expect(error).toMatchObject({ code: "CANCELLED", cause: reason });
  });

  it("cancels the generation when it is cancelled: unread, while it is read, and from a loop", async () => {
    const unread = begin();
    void unread.run.textStream.cancel();
    expect(unread.host.cancelled).toEqual([1]);

    const waited = begin();
    const reader = waited.run.toReadableStream().getReader();
    const pending = reader.read();
    const left = reader.cancel();
    expect(waited.host.cancelled).toEqual([1]);
    waited.choice.finish(nativeEnd({ reason: "cancelled" }));
    expect((await pending).done).toBe(true);
    await left;

    const looped = begin();
    looped.choice.deliver("once", [1]);
    await until(() => true);
    const loop = async () => {
      for await (const _ of looped.run.textStream) break;
    };
    await loop();
    expect(looped.host.cancelled).toEqual([1]);
  });

  it("does not cancel what has ended", async () => {
    const { host, choice, run } = begin();
    choice.deliver("once", [1]);
    choice.finish(nativeEnd());
    for await (const _ of run.textStream) break;
    expect(host.cancelled).toEqual([]);
  });

  it("counts tokens as read when they are asked for, not before", async () => {
    const { host, choice, run } = begin();
    const reader = run.textStream.getReader();
    for (let index = 0; index < 64; index += 1) choice.deliver("a", [index]);
    await new Promise((resolve) => setImmediate(resolve));
    expect(host.acknowledged).toEqual([]);
    for (let index = 0; index < 32; index += 1) await reader.read();
    expect(host.acknowledged).toEqual([32]);
  });
});

describe("await using", () => {
  it("cancels the generation and waits for its end", async () => {
    const { host, choice, run } = begin();
    let isDisposed = false;
    const disposing = (async () => {
      await using generation = run;
      expect(generation.seed).toBe(9);
    })().then(() => {
      isDisposed = true;
    });
    await until(() => host.cancelled.length > 0);
    expect(isDisposed).toBe(false);
    choice.finish(nativeEnd({ reason: "cancelled" }));
    await disposing;
  });

  it("says nothing of a failure, and does nothing to what has ended", async () => {
    const { host, choice, run } = begin();
    choice.finish(nativeEnd({ reason: "error", failure: { code: "DECODE_FAILED", message: "lost" } }));
    await run[Symbol.asyncDispose]();
    expect(host.cancelled).toEqual([]);
  });
});

describe("through a server", () => {
  let model: Model;
  let engine: Engine;
  let server: Server;
  let address: string;
  const runs: Generation[] = [];

  beforeAll(async () => {
    model = await loadModel("synthetic:llama?layers=1&dim=64&context=16384");
    engine = await model.createEngine({ slots: 2, threads: 1, contextLength: 16_384 });
    server = createServer((request, response) => {
      const [, way, length] = (request.url ?? "").split("/");
      const generation = engine.generate({
        prompt,
        temperature: 0,
        ...(length === "endless" ? { ignoreEos: true } : { maxTokens: 24 }),
      });
      runs.push(generation);
      const { body } = new Response(generation.toReadableStream());
      const streams = {
        response: () => pipeline(Readable.fromWeb(body as never), response),
        web: () => pipeline(Readable.fromWeb(generation.toReadableStream()), response),
        pipeline: () => pipeline(generation.textStream, response),
        readable: () => pipeline(Readable.from(generation.textStream), response),
      };
      response.setHeader("content-type", "text/plain; charset=utf-8");
      streams[way as keyof typeof streams]().catch(() => {}); // a client that left
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });

  afterAll(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    await engine.close();
    await model.close();
  });

  const ways = ["response", "web", "pipeline", "readable"];

  it.each(ways)("a client gets the text: %s", async (way) => {
    const response = await fetch(`${address}/${way}/short`);
    const text = await response.text();
    expect(text).toBe((await engine.generate({ prompt, temperature: 0, maxTokens: 24 })).text);
    expect(text).not.toBe("");
  });

  it.each(ways)("a client that leaves cancels the generation: %s", async (way) => {
    const controller = new AbortController();
    const response = await fetch(`${address}/${way}/endless`, { signal: controller.signal });
    const reader = response.body?.getReader();
    expect((await reader?.read())?.done).toBe(false);
    controller.abort();
    const run = runs.at(-1) as Generation;
    // Whoever awaits reads it to its end, so wait for the end by its engine's slots first.
    await until(() => engine.stats().running === 0);
    expect((await run).finishReason).toBe("cancelled");
  });

  it("a stream that nobody reads halts at the window of unread tokens", async () => {
    const before = engine.stats().generatedTokens;
    const generation = engine.generate({ prompt, temperature: 0, ignoreEos: true });
    const reader = generation.toReadableStream().getReader();
    await until(() => engine.stats().generatedTokens - before >= window);
    const other = await engine.generate({ prompt, temperature: 0, ignoreEos: true, maxTokens: 100 });
    expect(engine.stats().generatedTokens - before - other.tokens.length).toBeLessThanOrEqual(window + 4);
    await reader.cancel();
    const { finishReason, tokens } = await generation;
    expect(finishReason).toBe("cancelled");
    expect(tokens.length).toBeLessThanOrEqual(window + 4);
  });
});
