// Whatever was thrown is told with what led to it, and telling it never throws.

import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { runInNewContext } from "node:vm";
import { expect, it } from "vitest";
import { describeThrown, kindOfThrown, messageOfThrown, stackOfThrown } from "../src/thrown.js";

/** What fetch() rejects with at a port where nobody listens. */
async function refusedFetch(host: string): Promise<unknown> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return fetch(`http://${host}:${port}/`).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
}

it.each(["127.0.0.1", "localhost"])("a fetch of %s that failed tells why", async (host) => {
  const thrown = await refusedFetch(host);
  expect(messageOfThrown(thrown)).toMatch(/^fetch failed: .*connect ECONNREFUSED/);
  expect(stackOfThrown(thrown)).toMatch(/^TypeError: fetch failed\n[\s\S]*\ncaused by: [\s\S]*ECONNREFUSED/);
});

const cyclic = new Error("round");
cyclic.cause = new Error("and round", { cause: cyclic });
const deep = Array.from({ length: 1000 }).reduce<Error>(
  (cause) => new Error("deeper", { cause }),
  new Error("bottom"),
);

it.each<[string, unknown, string]>([
  ["causes in order", new Error("a", { cause: new TypeError("b", { cause: "c" }) }), "a: b: c"],
  ["parts", new AggregateError([new Error("a"), new Error("b")], "both"), "both: a; b"],
  ["a cause that is told already", new Error("it: why", { cause: new Error("why") }), "it: why"],
  ["a whole sentence", new Error("No connection.", { cause: new Error("Why.") }), "No connection: Why."],
  ["a cause in brackets", new Error("it (why); do", { cause: new Error("why") }), "it (why); do"],
  ["a cause that only looks told", new Error("both", { cause: new Error("b") }), "both: b"],
  [
    "parts of a cause",
    new Error("a", { cause: new AggregateError([new Error("b"), new Error("c")]) }),
    "a: b; c",
  ],
  ["a cycle", cyclic, "round: and round"],
  ["an error without a message", new RangeError(), "RangeError"],
  ["an error of another realm", runInNewContext("new TypeError('far')"), "far"],
  ["text", "why", "why"],
  ["an object", { why: 1 }, '{"why":1}'],
  ["nothing", undefined, "undefined"],
  ["a bigint", 5n, "5"],
  ["a symbol", Symbol("s"), "Symbol(s)"],
])("%s", (_name, thrown, message) => {
  expect(messageOfThrown(thrown)).toBe(message);
  expect(stackOfThrown(thrown)).not.toBe("");
  expect(describeThrown(thrown)).toBe(`${kindOfThrown(thrown)}: ${message}`);
});

it("long chains are cut off, and huge parts too", () => {
  expect(stackOfThrown(deep).split("caused by").length).toBeLessThan(20);
  const parts = Array.from({ length: 1000 }, (_, index) => new Error(`part ${index}.`));
  expect(messageOfThrown(new AggregateError(parts, "all")).match(/part/g)?.length).toBeLessThan(20);
});

it("what throws when it is read is told as well as it can be", () => {
  const refuse = () => {
    throw new Error("do not look");
  };
  const proxy = new Proxy(new Error("hidden"), { get: refuse, getPrototypeOf: refuse, has: refuse });
  for (const hostile of [proxy, { toString: refuse, toJSON: refuse }, Object.create(null)]) {
    for (const tell of [messageOfThrown, stackOfThrown, kindOfThrown, describeThrown]) {
      expect(tell(hostile)).toEqual(expect.any(String));
    }
  }
});

it("Node's permission model is told with the flag that is missing, once", () => {
  const denied = (message: string, permission: string, resource = "") =>
    Object.assign(new Error(message), { code: "ERR_ACCESS_DENIED", permission, resource });
  const restricted = "Access to this API has been restricted";
  expect(messageOfThrown(denied(restricted, "WorkerThreads"))).toBe(
    `${restricted}; start Node with --allow-worker`,
  );
  expect(messageOfThrown(denied(restricted, "FileSystemRead", "/a"))).toContain("--allow-fs-read=/a");
  const told = `${restricted}. Use --allow-worker to manage permissions.`;
  expect(messageOfThrown(denied(told, "WorkerThreads"))).toBe(told);
});
