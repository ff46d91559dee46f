// Requests that come together begin in a turn of the event loop each.
import { setMaxListeners } from "node:events";
import { expect, it } from "vitest";
import { Admission } from "../../src/http/admission.js";
import { type OpenaiParts, openaiAnswer } from "../../src/http/openai-routes.js";
import { Turns } from "../../src/http/turns.js";
import type { TextModel } from "../../src/openai/text-model.js";
import { turn } from "./scene.js";

it("what comes alone begins at once, what comes together in order, one a turn", async () => {
  const turns = new Turns();
  const begun: number[] = [];
  const begin = (index: number) => turns.next().then(() => void begun.push(index));
  const all = [0, 1, 2, 3].map(begin);
  await Promise.resolve();
  await Promise.resolve();
  expect(begun).toEqual([0]);
  await Promise.all(all);
  expect(begun).toEqual([0, 1, 2, 3]);
  await turn();
  await turn();
  const later = begin(4);
  await Promise.resolve();
  await Promise.resolve();
  expect(begun.at(-1)).toBe(4);
  await later;
});

it("of 50 requests at once, no two begin their generation in one turn", async () => {
  let now = 0;
  const count = () => {
    now += 1;
    if (now < 500) setImmediate(count);
  };
  setImmediate(count);
  const begun: number[] = [];
  const generate = () => {
    begun.push(now);
    throw new Error("enough is known");
  };
  const ending = new AbortController().signal;
  setMaxListeners(0, ending);
  const parts: OpenaiParts = {
    model: () => ({ name: "m", names: ["m"], contextLength: 64, generate }) as unknown as TextModel,
    admission: new Admission(() => 100),
    limitBytes: 1000,
    stallMs: 1000,
    ending,
    onUnknown: () => {},
    onFailure: () => {},
  };
  const body = async () => ({ messages: [{ role: "user", content: "Hi" }] });
  const ask = () => {
    const { signal } = new AbortController();
    return openaiAnswer(parts, { path: "/v1/chat/completions", method: "POST", signal, body });
  };
  const replies = await Promise.all(Array.from({ length: 50 }, ask));
  expect(new Set(begun).size).toBe(50);
  expect(replies.every(({ status }) => status === 500)).toBe(true);
  expect(parts.admission.living).toBe(0);
});
