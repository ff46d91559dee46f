// The recorded requests through this API: statuses, types of errors, fields with
// their types and nulls, and the order in which a stream's fields come are vLLM's,
// but for what docs/openai.md lists. A row that no longer differs fails too.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { rowsOf, tableBelow } from "./documented.js";
import { differences, formOf, orderOf } from "./forms.js";
import { type Api, type Json, openApi, type Reply } from "./scene.js";
import { errorOf, type Recorded, recorded } from "./vllm-replies.js";

const hookLimitMs = 60_000;
let api: Api;
const here = new Map<string, Reply>();
beforeAll(async () => {
  api = await openApi();
  for (const asked of recorded) {
    here.set(asked.name, await api.call(asked.path, asked.body, undefined, asked.method));
  }
}, hookLimitMs);
afterAll(() => api.close());

/** Those that both answer, or both refuse, with what this API says. */
function alike(isRefused: boolean): readonly (readonly [Recorded, Reply])[] {
  return recorded
    .map((there) => [there, here.get(there.name) as Reply] as const)
    .filter(([there, ours]) => there.status === ours.status && there.status >= 400 === isRefused);
}

const objectsOf = ({ reply, events }: Reply) => events?.filter((event) => event !== "[DONE]") ?? [reply];
const isEnd = (event: unknown) => event === "[DONE]" || (event as Json).type === "message_stop";
const isWhole = ({ events }: Reply) => events === undefined || isEnd(events.at(-1));
/** A table's cell that holds a list, and the rows that it stands for. */
const listed = (cell = "") => cell.split(", ");

describe("beside vLLM's recorded answers", () => {
  it("there are 130", () => {
    expect(recorded.length).toBe(130);
    expect(here.size).toBe(130);
  });

  it("statuses are the same, but for the table's", () => {
    const different = recorded
      .filter(({ name, status }) => here.get(name)?.status !== status)
      .map(({ name, status }) => `${name} | ${status} | ${here.get(name)?.status}`);
    const permitted = rowsOf("Requests that vLLM answers in another way", 3).flatMap((row) => {
      const [names, ...statuses] = row.split(" | ");
      return listed(names).map((name) => [name, ...statuses].join(" | "));
    });
    expect(different.sort()).toEqual([...permitted].sort());
  });

  it("errors are of the type that stands for vLLM's, and name the field that it names", () => {
    const types = new Map(tableBelow("Types of errors").map(([there = "", ours = ""]) => [there, ours]));
    const refused = alike(true).filter(([there]) => errorOf(there) !== undefined);
    expect(refused.length).toBeGreaterThan(30);
    for (const [{ name, ...there }, ours] of refused) {
      const said = errorOf(ours);
      expect([name, said?.type]).toEqual([name, types.get(String(errorOf(there)?.type))]);
      const field = fieldOf(errorOf(there)?.param);
      if (field !== undefined)
        expect([name, fieldOf(said?.param)]).toEqual([name, expect.stringMatching(field)]);
      expect([name, typeof said?.message]).toEqual([name, "string"]);
    }
  });

  it("fields are there, of the same types and null alike, but for the table's", () => {
    const different = new Set<string>();
    for (const [there, ours] of alike(false).filter(([each]) => isWhole(each))) {
      const [first] = objectsOf(there) as readonly { readonly object?: string; readonly type?: string }[];
      for (const each of differences(formOf(objectsOf(there)), formOf(objectsOf(ours)))) {
        different.add([first?.object ?? first?.type, ...each].join(" | "));
      }
    }
    const permitted = rowsOf("Fields of answers", 4).flatMap((row) => {
      const [fields, objects, theirs, ours] = row.split(" | ");
      return listed(objects).flatMap((object) =>
        listed(fields).flatMap((field) =>
          listed(theirs).map((type) => [object, field, type, ours].join(" | ")),
        ),
      );
    });
    expect([...different].sort()).toEqual([...permitted].sort());
  });

  it("the fields of a stream begin in the same order", () => {
    const streams = alike(false).filter(([there]) => there.events !== undefined && isWhole(there));
    expect(streams.length).toBeGreaterThan(5);
    for (const [{ name, events = [] }, ours] of streams) {
      const [theirs, own] = [orderOf(events.slice(0, -1)), orderOf(ours.events ?? [])];
      expect([name, own.filter((path) => theirs.includes(path))]).toEqual([
        name,
        theirs.filter((path) => own.includes(path)),
      ]);
    }
  });
});

/** The field of the request that an error's param names; undefined where it names none. */
function fieldOf(param: unknown): string | undefined {
  if (typeof param !== "string" || param === "input_tokens" || /\.\d+$/.test(param)) return undefined;
  return param
    .replace(/^body\./, "")

    .split(/[.[]/)[0];
}
