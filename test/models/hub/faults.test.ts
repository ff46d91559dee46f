// Pulls from a hub that fails, stalls and lies: complete and verified, or one sentence; never
// a wrong file under its final name.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { InferenceError } from "../../../src/errors.js";
import type { PullLimits } from "../../../src/models/hub/limits.js";
import { pull } from "../../../src/models/hub/pull.js";
import { faultKinds, seededFaults } from "../../../tools/hub-emulator/index.mjs";
import { bytesOf, folder, hubOf, quick, settingsOf, wrongFiles } from "./hub-fixture.js";

const repository = "owner/name";
const weights = bytesOf(400_000);
const files = { "model.gguf": weights, "config.json": "{}\n", "tokenizer.json": bytesOf(3000, 2) };

/** Pulls everything; the sentence where it failed. Whatever is in the cache is right. */
async function outcome(hub: Parameters<typeof settingsOf>[0], cache: string, more: Partial<PullLimits> = {}) {
  const limits = { ...quick, ...more };
  const result = await pull({ repository, choose: (all) => all }, settingsOf(hub, cache), { limits }).catch(
    (thrown: unknown) => {
      if (!(thrown instanceof InferenceError)) throw thrown;
      return thrown;
    },
  );
  expect(await wrongFiles(cache)).toEqual([]);
  if (result instanceof InferenceError) {
    expect(result).toMatchObject({ code: "DOWNLOAD_FAILED", message: expect.not.stringContaining("\n") });
    return result.message;
  }
  for (const [path, content] of Object.entries(files)) {
    expect(
      await readFile(join(result.folder, path)).then((found) => found.equals(Buffer.from(content))),
    ).toBe(true);
  }
  return "complete";
}

it.each([1, 2, 3, 4, 5, 6])(
  "is complete or a sentence where a fifth of all requests goes wrong: seed %i",
  async (seed) => {
    const hub = await hubOf(
      { [repository]: { files } },
      { fault: seededFaults({ seed, share: 0.2 }), pageSize: 2 },
    );
    const cache = await folder();
    const outcomes: string[] = [];
    for (let pulls = 0; pulls < 6 && outcomes.at(-1) !== "complete"; pulls += 1)
      outcomes.push(await outcome(hub, cache));
    expect(outcomes.at(-1)).toBe("complete");
  },
);

const curable = faultKinds.filter((kind) => kind !== "wrongBytes");
it.each(curable)("is complete where one request in three goes wrong: %s", async (kind) => {
  let request = 0;
  const hub = await hubOf(
    { [repository]: { files } },
    { fault: () => (++request % 3 === 0 ? kind : undefined) },
  );
  expect(await outcome(hub, await folder(), { attempts: 12 })).toBe("complete");
});

// What a client may believe: whole answers, and compressed ones of whole small files.
const harmless = new Set(["gzip", "wholeInstead"]);
it.each(faultKinds.filter((kind) => !harmless.has(kind)))(
  "is a sentence where every content goes wrong: %s",
  async (kind) => {
    const hub = await hubOf(
      { [repository]: { files } },
      { fault: ({ path }) => (path.startsWith("/api") ? undefined : kind) },
    );
    const cache = await folder();
    const told = await outcome(hub, cache, { attempts: 3 });
    expect(told).toMatch(/could not be fetched: .*pull again to continue$/);
  },
);

it("is complete where the server never sends ranges", async () => {
  const fault = ({ range }: { readonly range: string | undefined }) =>
    range === undefined ? undefined : "wholeInstead";
  const hub = await hubOf({ [repository]: { files } }, { fault });
  expect(await outcome(hub, await folder())).toBe("complete");
});

it("begins a file again whose bytes were wrong once, and says so", async () => {
  let spoilt = false;
  const fault = ({ origin, range }: { readonly origin: string; readonly range: string | undefined }) => {
    if (spoilt || origin !== "store" || range?.startsWith("bytes=65536-") !== true) return undefined;
    spoilt = true;
    return "wrongBytes";
  };
  const hub = await hubOf({ [repository]: { files } }, { fault });
  const cache = await folder();
  const notices: string[] = [];
  const pulled = await pull({ repository, choose: (all) => all }, settingsOf(hub, cache), {
    limits: quick,
    onNotice: (sentence) => void notices.push(sentence),
  });
  expect(notices).toEqual([
    expect.stringMatching(/its SHA-256 is \w+ instead of \w+; beginning the file again$/),
  ]);
  expect(await readFile(join(pulled.folder, "model.gguf")).then((found) => found.equals(weights))).toBe(true);
});

it.each([
  ["another digest", { oid: "b".repeat(64), size: weights.length, pointerSize: 134 }, "its SHA-256 is"],
  [
    "a larger size",
    { oid: "b".repeat(64), size: weights.length + 9, pointerSize: 134 },
    "says that the file has",
  ],
])("is a sentence where the list announces %s", async (_, lfs, sentence) => {
  const hub = await hubOf({ [repository]: { files } });
  hub.state.tree = (entries) =>
    entries.map((entry) => (entry.path === "model.gguf" ? { ...entry, lfs } : entry));
  expect(await outcome(hub, await folder())).toContain(sentence);
});

it("asks the hub anew where an address of its store has expired", async () => {
  const hub = await hubOf({ [repository]: { files } });
  let answered = 0;
  hub.state.intercept = (_, response, __, origin) => {
    if (origin !== "store" || ++answered !== 3) return false;
    response.writeHead(403).end();
    return true;
  };
  expect(await outcome(hub, await folder())).toBe("complete");
});

it("waits as long as it is asked to, unless that is too long", async () => {
  const hub = await hubOf({ [repository]: { files } });
  hub.state.intercept = (_, response) => {
    response.writeHead(429, { "retry-after": "4000" }).end();
    return true;
  };
  expect(await outcome(hub, await folder())).toContain("answered 429 and asks to wait 4000 s");
});

it("follows no circle and no address of another scheme", async () => {
  const hub = await hubOf({ [repository]: { files } });
  const cache = await folder();
  for (const location of ["/circle", "file:///etc/passwd", "javascript:0", "http://["]) {
    hub.state.intercept = (_, response, url) => {
      if (url.pathname.startsWith("/api")) return false;
      response.writeHead(302, { location }).end();
      return true;
    };
    expect(await outcome(hub, cache, { attempts: 2 })).toContain("redirects");
  }
});
