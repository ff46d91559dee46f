// What JSON.stringify() would make {} of, or leave out, arrives as its content or fails
// its job by name: nothing that looks delivered is empty.
import { Readable } from "node:stream";
import { runInNewContext } from "node:vm";
import { describe, expect, it } from "vitest";
import { toWireJson } from "../../src/serverless/wire-json.js";
import { finished, withWorker } from "./harness.js";

const parsed = (value: unknown) => JSON.parse(toWireJson(value));

describe("toWireJson()", () => {
  it.each<[string, unknown, unknown]>([
    ["Float32Array", new Float32Array([0.5, 1, Number.NaN]), [0.5, 1, null]],
    ["Int8Array", new Int8Array([-1, 2]), [-1, 2]],
    ["Uint16Array of another realm", runInNewContext("new Uint16Array([1, 2])"), [1, 2]],
    ["BigInt64Array", new BigInt64Array([1n, -(2n ** 60n)]), [1, "-1152921504606846976"]],
    ["Uint8Array", new Uint8Array([1, 2]), "AQI="],
    ["Buffer", Buffer.from("hi"), "aGk="],
    ["plain object in a Buffer's form", { type: "Buffer", data: [1] }, { type: "Buffer", data: [1] }],
    ["ArrayBuffer", new Uint8Array([1, 2]).buffer, "AQI="],
    ["SharedArrayBuffer", new SharedArrayBuffer(1), "AA=="],
    ["DataView", new DataView(new Uint8Array([9, 1, 2]).buffer, 1), "AQI="],
    ["Set", new Set([1, new Set(["a"])]), [1, ["a"]]],
    ["Map", new Map<unknown, unknown>([["a", new Map([[1, 2n]])]]), { a: { 1: 2 } }],
    ["Map named __proto__", new Map([["__proto__", 1]]), JSON.parse('{"__proto__":1}')],
    ["Map of another realm", runInNewContext("new Map([['a', 1]])"), { a: 1 }],
    ["Map of objects", new Map([[{ id: 1 }, "one"]]), [[{ id: 1 }, "one"]]],
    ["Map whose keys become one text", new Map<unknown, number>([[1, 1], ["1", 2]]), [[1, 1], ["1", 2]]], // biome-ignore format: a pair a line
    ["Error", new Error("the reason"), "the reason"],
    ["Error with a cause", new Error("outer", { cause: new TypeError("inner") }), "outer: inner"],
    ["Error of another realm", runInNewContext("new RangeError('far')"), "far"],
    ["AbortSignal's reason", AbortSignal.abort().reason, "This operation was aborted"],
    ["boxed values", [Object(1), Object("a"), Object(true), Object(2n)], [1, "a", true, 2]],
    ["URL", new URL("http://host/"), "http://host/"],
    ["object without a prototype", Object.assign(Object.create(null), { a: 1 }), { a: 1 }],
    ["empty object of another realm", runInNewContext("({})"), {}],
    ["object of a class", new (class Point { x = 1; })(), { x: 1 }], // biome-ignore format: one line
    ["undefined fields", { a: undefined, b: [undefined] }, { b: [null] }],
    ["half characters", { "a\ud800": ["\udc00", Object("\ud800z"), "\\ud800"] }, { "a\ufffd": ["\ufffd", "\ufffdz", "\\ud800"] }], // biome-ignore format: a pair a line
  ])("%s becomes its content", (_name, value, json) => {
    expect(parsed(value)).toEqual(json);
    expect(parsed({ deep: [value] })).toEqual({ deep: [json] });
  });

  class Account {
    #balance = 5;
    get balance() {
      return this.#balance;
    }
  }
  class Run {
    seed = 1n;
    // biome-ignore lint/suspicious/noThenProperty: an un-awaited generation of ours is one
    then() {}
  }
  it.each<[unknown, string]>([
    [Promise.resolve(1), "is a promise of class Promise, which has no JSON; await it"],
    [new Run(), "is a promise of class Run, which has no JSON; await it"],
    [new Response("text"), "is of class Response, whose content JSON cannot see"],
    [new Headers({ a: "b" }), "is of class Headers,"],
    [new Blob(["a"]), "is of class Blob,"],
    [new URLSearchParams("a=b"), "is of class URLSearchParams,"],
    [new FormData(), "is of class FormData,"],
    [/a/, "is of class RegExp,"],
    [new WeakMap(), "is of class WeakMap,"],
    [new Account(), "is of class Account,"],
    [(function* () {})(), "is of class Generator,"],
    [(async function* () {})(), "is a stream of class AsyncGenerator, which has no JSON; read it"],
    [Readable.from(["a"]), "is a stream of class Readable,"],
    [new Response("text").body, "is a stream of class ReadableStream,"],
    [{ async *[Symbol.asyncIterator]() {} }, "is a stream of class Object,"],
    [{ *[Symbol.iterator]() {} }, "is of class Object, whose content JSON cannot see"],
    [Object.defineProperty({}, "hidden", { value: 1 }), "is of class Object, whose content JSON cannot see"],
    [Math, "is of class Object,"],
    [[1].values(), "is of class Array Iterator,"],
    [function text() {}, "is a function text, which has no JSON; call it"],
    [Symbol("s"), "is a symbol, which has no JSON"],
  ])("%o is refused by its path", (value, reason) => {
    expect(() => toWireJson(value)).toThrow(`the value ${reason}`);
    const deep = { "a-b": 0, list: [{}, { "my key": new Map([["late", [[], value]]]) }] };
    expect(() => toWireJson(deep)).toThrow(`list[1]["my key"].late[1] ${reason}`);
  });

  it("names what contains itself, also by way of a Map and a Set", () => {
    const map = new Map<string, unknown>();
    map.set("self", new Set([map]));
    expect(() => toWireJson({ map })).toThrow("map.self[0] contains itself");
  });

  it("reads each getter once", () => {
    let reads = 0;
    const value = {
      get a() {
        reads += 1;
        return reads;
      },
    };
    expect(parsed(value)).toEqual({ a: 1 });
  });
});

describe("a job's values", () => {
  const results: Readonly<Record<string, () => unknown>> = {
    map: () => new Map([["a", 1]]),
    set: () => new Set([1]),
    vector: () => new Float32Array([0.5]),
    error: () => new Error("the reason"),
    embedding: () => ({ embeddings: [new Float32Array([0.5, 1])] }),
    response: () => new Response("text"),
    late: () => ({ late: [Promise.resolve(1)] }),
    method: () => ({ text: () => "uncalled" }),
    uncalled: () => () => 1,
    yielded: async function* () {
      yield new Map([["a", new Float32Array([1])]]);
      yield { b: new Headers() };
    },
  };

  it("arrive whole, or fail the job and name the path", async () => {
    const handler = (job: { id: string }) => results[job.id]?.();
    await withWorker(handler, {}, async ({ platform }) => {
      const done = async (id: string) => (await finished(platform, { id, input: 1 })).done[0] ?? {};
      expect(await done("map")).toEqual({ output: { a: 1 } });
      expect(await done("set")).toEqual({ output: [1] });
      expect(await done("vector")).toEqual({ output: [0.5] });
      expect(await done("error")).toEqual({ output: "the reason" });
      expect(await done("embedding")).toEqual({ output: { embeddings: [[0.5, 1]] } });
      expect((await done("response")).error).toContain("output is of class Response");
      expect((await done("late")).error).toContain("output.late[0] is a promise");
      expect((await done("method")).error).toContain("output.text is a function");
      expect((await done("uncalled")).error).toContain("output is a function, which has no JSON");
      expect((await done("yielded")).error).toContain("b is of class Headers");
      expect(platform.job("yielded").stream).toEqual([{ a: [1] }]);
    });
  });

  it("of progress are dropped with a reason where they have no JSON", async () => {
    const handler = (_job: unknown, context: { progress(value: unknown): void }) => {
      context.progress({ at: [Symbol("no")] });
      return 1;
    };
    await withWorker(handler, {}, async ({ platform, worker }) => {
      expect((await finished(platform, { id: "p", input: 1 })).done).toEqual([{ output: 1 }]);
      expect(worker.lines.join("\n")).toContain("output.at[0] is a symbol");
    });
  });
});
