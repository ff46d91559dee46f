// One call of the addon becomes deltas and ends of the right generations.
import { describe, expect, it } from "vitest";
import { EventRouter } from "../../src/engine/event-router.js";
import type { NativeEnd, NativePrompt } from "../../src/native-events.js";
import { nativeEnd } from "../helpers/fake-engine.js";

class Reader {
  readonly seen: unknown[] = [];
  accept(): void {
    this.seen.push("accepted");
  }
  hearPrompt({ tokens }: NativePrompt): void {
    this.seen.push({ prompt: tokens });
  }
  deliver(text: string, tokens: readonly number[]): void {
    this.seen.push([text, tokens]);
  }
  finish(end: NativeEnd): void {
    this.seen.push(end.reason);
  }
}

describe("EventRouter", () => {
  it("cuts the tokens of a step by their ends", () => {
    const router = new EventRouter();
    const [one, two] = [new Reader(), new Reader()];
    router.add(1, one);
    router.add(2, two);
    router.dispatch(
      Float64Array.of(1, 2, 1, 2),
      ["a", "b", "", "c"],
      Int32Array.of(10, 20, 21, 11),
      Uint32Array.of(1, 3, 4, 4),
      [],
      [],
      [],
      [],
    );
    expect(one.seen).toEqual([
      ["a", [10]],
      ["", [11]],
    ]);
    expect(two.seen).toEqual([
      ["b", [20, 21]],
      ["c", []],
    ]);
  });

  it("gives the end after the deltas of the same call, and nothing afterwards", () => {
    const router = new EventRouter();
    const reader = new Reader();
    router.add(1, reader);
    const call = () =>
      router.dispatch(
        Float64Array.of(1),
        ["a"],
        Int32Array.of(10),
        Uint32Array.of(1),
        [nativeEnd()],
        [],
        [],
        [],
      );
    call();
    call();
    expect(reader.seen).toEqual([["a", [10]], "stop"]);
  });

  it("tells a prompt before the deltas of the same call, to the request it is of", () => {
    const router = new EventRouter();
    const [one, two] = [new Reader(), new Reader()];
    router.add(1, one);
    router.add(2, two);
    const prompt = { id: 1, tokens: Int32Array.of(7), logProbs: null };
    router.dispatch(Float64Array.of(1), ["a"], Int32Array.of(10), Uint32Array.of(1), [], [], [1], [prompt]);
    expect(one.seen).toEqual(["accepted", { prompt: Int32Array.of(7) }, ["a", [10]]]);
    expect(two.seen).toEqual([]);
  });

  it("tells an acceptance before the deltas and the end of the same call", () => {
    const router = new EventRouter();
    const [one, two] = [new Reader(), new Reader()];
    router.add(1, one);
    router.add(2, two);
    const [ids, tokens, ends] = [Float64Array.of(1), Int32Array.of(10), Uint32Array.of(1)];
    router.dispatch(ids, ["a"], tokens, ends, [nativeEnd()], [], [2, 1], []);
    expect(one.seen).toEqual(["accepted", ["a", [10]], "stop"]);
    expect(two.seen).toEqual(["accepted"]);
  });

  it("ignores ids it does not know", () => {
    const router = new EventRouter();
    router.dispatch(
      Float64Array.of(5),
      ["a"],
      Int32Array.of(1),
      Uint32Array.of(1),
      [nativeEnd({ id: 5 })],
      [],
      [5],
      [],
    );
  });
});
