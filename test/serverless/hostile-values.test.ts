// A handler may return, throw or yield a value that throws when it is looked at. Only
// its own job fails, the others and the worker go on.
import { describe, expect, it } from "vitest";
import type { JobContext } from "../../src/serverless/contract.js";
import type { Platform } from "../../tools/platform-emulator/index.mjs";
import { finished, type Running, withWorker } from "./harness.js";

const refuse = () => {
  throw new Error("do not look");
};
const looked = (): object =>
  new Proxy(Object(refuse), { get: refuse, getPrototypeOf: refuse, has: refuse, ownKeys: refuse });
const getter = (name: string) => Object.defineProperty({ a: 1 }, name, { get: refuse, enumerable: true });
const broken = (name: string) => Object.defineProperty(new Error("whole"), name, { get: refuse });

/** What each hostile job does; `bystander` runs beside them until they have ended. */
const acts: Readonly<Record<string, () => unknown>> = {
  "a returned Proxy": () => ({ inner: looked() }),
  "a bare Proxy": async () => new Proxy({}, { get: (_, name) => (name === "then" ? undefined : refuse()) }),
  "a returned getter": () => getter("value"),
  "a getter named next": () => getter("next"),
  "a getter named error": () => getter("error"),
  "a getter named toJSON": () => getter("toJSON"),
  "a toJSON": () => ({ deep: [{ toJSON: refuse }] }),
  "a symbol as error": () => ({ error: Symbol("no") }),
  "an error that does not become text": () => ({ error: { toJSON: refuse, toString: refuse } }),
  "a thrown Proxy": () => {
    throw looked();
  },
  "a thrown object whose text throws": () => {
    throw { toString: refuse, toJSON: refuse };
  },
  "a thrown error without a constructor": () => {
    throw Object.assign(Object.create(null), { message: 3 });
  },
  ...Object.fromEntries(
    ["message", "stack", "name", "constructor", "cause", "errors"].map((name) => [
      `a thrown error whose ${name} throws`,
      () => {
        throw broken(name);
      },
    ]),
  ),
  "a yielded getter": async function* () {
    yield 1;
    yield getter("error");
  },
  "a yielded toJSON": async function* () {
    yield { toJSON: refuse };
  },
  "a generator that throws a Proxy": async function* () {
    yield 1;
    throw looked();
  },
  "an iterator that cannot be asked": () => ({ [Symbol.asyncIterator]: refuse }),
  "an iterator whose results throw": () => ({
    [Symbol.asyncIterator]: () => ({ next: async () => getter("done"), return: refuse }),
  }),
};

describe("a hostile value", () => {
  it.each(Object.keys(acts))("%s fails its own job alone", async (name) => {
    await beside(acts[name] ?? refuse, async ({ platform, id }) => {
      const [done] = platform.job(id).done;
      expect(typeof done?.error).toBe("string");
      expect(done?.error).not.toBe("");
    });
  });

  it("among the figures of a job is left out of its line", async () => {
    const tell = (_job: unknown, context: JobContext) => {
      const figures = { promptTokens: 7, queueMs: Symbol("no"), completionTokens: { toString: refuse } };
      context.figures(figures as object);
      return "told";
    };
    await beside(tell, async ({ platform, id, worker }) => {
      expect(platform.job(id).done).toEqual([{ output: "told" }]);
      const line = worker.lines.find((each) => each.includes("Finished.") && each.includes(id));
      expect(line).toContain("promptTokens=7");
      expect(line).not.toContain("completionTokens");
    });
  });
});

interface Beside {
  readonly platform: Platform;
  readonly worker: Running;
  readonly id: string;
}

/** Runs a job beside another one, which must end well, and one after both. */
async function beside(
  act: (job: unknown, context: JobContext) => unknown,
  check: (scene: Beside) => Promise<void>,
): Promise<void> {
  let release: () => void = () => {};
  const handler = (job: { id: string }, context: JobContext) => {
    if (job.id === "hostile") return act(job, context);
    if (job.id === "later") return "later";
    return new Promise((resolve) => {
      release = () => resolve("untouched");
    });
  };
  await withWorker({ handler, concurrencyModifier: () => 2 }, {}, async ({ platform, worker }) => {
    platform.enqueue({ id: "bystander", input: 1 });
    const { id } = await finished(platform, { id: "hostile", input: 1 });
    await finished(platform, { id: "later", input: 1 });
    release();
    await platform.until(() => platform.job("bystander").done.length > 0);
    expect(platform.job("bystander").done).toEqual([{ output: "untouched" }]);
    expect(worker.lines.join("\n")).not.toContain("Uncaught");
    await check({ platform, worker, id });
  });
}
