// A cache as Hugging Face's tools and this package leave it: listed, verified and pruned.
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readCache } from "../../src/models/cache-inventory.js";
import { applyPrune, type PruneRules, planPrune } from "../../src/models/cache-prune.js";
import { verifyFiles } from "../../src/models/cache-verify.js";
import { cachedModels } from "../../src/models/cached-models.js";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "infernode-cache-"));
});
afterEach(() => rm(folder, { recursive: true }));

const day = 24 * 3600_000;
const later = () => Date.now() + 2 * day;

interface Put {
  readonly commit?: string;
  readonly revision?: string;
  readonly isOurs?: boolean;
  readonly usedDaysAgo?: number;
  readonly isSmall?: boolean;
}

/** Puts a file into the cache as a pull does, or Python where it is not ours. */
async function put(repository: string, path: string, content: string, options: Put = {}): Promise<string> {
  const { commit = "c0ffee", revision = "main", isOurs = true, usedDaysAgo = 0, isSmall = false } = options;
  const root = join(folder, `models--${repository.replace("/", "--")}`);
  const digest = isSmall
    ? createHash("sha1")
        .update(`blob ${Buffer.byteLength(content)}\0${content}`)
        .digest("hex")
    : createHash("sha256").update(content).digest("hex");
  const blob = join(root, "blobs", digest);
  const link = join(root, "snapshots", commit, path);
  for (const each of [blob, link, join(root, "refs/x"), join(root, ".infernode/x")]) {
    await mkdir(dirname(each), { recursive: true });
  }
  await writeFile(blob, content);
  const used = new Date(Date.now() - usedDaysAgo * day);
  await utimes(blob, used, used);
  await symlink(relative(dirname(link), blob), link);
  await writeFile(join(root, "refs", revision), commit);
  if (isOurs) await writeFile(join(root, ".infernode", digest), "");
  return blob;
}

const models = () =>
  cachedModels(readCache(folder)).map(({ reference, type, bytes }) => [reference, type, bytes]);
/** A converted checkpoint and its record, of a source that is there. */
async function putConverted(name: string, usedDaysAgo: number): Promise<string> {
  const path = join(folder, ".infernode/converted", `${name}-${"a".repeat(16)}.gguf`);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, "1234");
  const report = { description: "f16", notes: [], tensors: [] };
  const record = { key: "a".repeat(64), source: folder, bytes: 4, report };
  await writeFile(`${path}.json`, JSON.stringify(record));
  const used = new Date(Date.now() - usedDaysAgo * day);
  await utimes(`${path}.json`, used, used);
  return path;
}

async function prune(rules: Partial<PruneRules>) {
  const inventory = readCache(folder);
  const plan = planPrune(inventory, { all: false, nowMs: later(), ...rules });
  await applyPrune(inventory, plan);
  return { what: plan.removals.map(({ what, why }) => `${what}: ${why}`), foreignBytes: plan.foreignBytes };
}

describe("the models of a cache", () => {
  it("are told by the reference that loads each", async () => {
    await put("acme/Fox-GGUF", "Fox-Q4_K_M.gguf", "aaaa");
    await put("acme/Fox-GGUF", "Fox-UD-Q4_K_M.gguf", "bbbbb");
    await put("acme/Fox-GGUF", "mmproj-Fox-F16.gguf", "c");
    await put("acme/Big-GGUF", "Q8_0/Big-Q8_0-00001-of-00002.gguf", "d1");
    await put("acme/Big-GGUF", "Q8_0/Big-Q8_0-00002-of-00002.gguf", "d23");
    await put("acme/Half-GGUF", "Half-Q8_0-00001-of-00002.gguf", "e");
    await put("acme/Odd", "weights.gguf", "ffffff");
    await put("acme/Tokens", "tokenizer.json", "{}", { isSmall: true });
    const config = JSON.stringify({ quantization_config: { quant_method: "awq", bits: 4 } });
    await put("acme/Awq", "config.json", config, { isSmall: true });
    await put("acme/Awq", "model.safetensors", "gg");
    expect(models()).toEqual([
      ["hf:acme/Awq", "awq 4-bit", config.length + 2],
      ["hf:acme/Big-GGUF:Q8_0", "Q8_0", 5],
      ["hf:acme/Fox-GGUF:Q4_K_M", "Q4_K_M", 4],
      ["hf:acme/Fox-GGUF:UD-Q4_K_M", "UD-Q4_K_M", 5],
      ["hf:acme/Odd:weights.gguf", "gguf", 6],
    ]);
  });

  it("of other revisions carry the revision, and what main has too is listed once", async () => {
    await put("acme/fox", "fox-Q8_0.gguf", "new", { commit: "beef" });
    await put("acme/fox", "fox-Q8_0.gguf", "old", { commit: "dead", revision: "v1" });
    await put("acme/fox", "fox-Q4_0.gguf", "both", { commit: "beef" });
    await symlink(
      join("../../blobs", createHash("sha256").update("both").digest("hex")),
      join(folder, "models--acme--fox/snapshots/dead/fox-Q4_0.gguf"),
    );
    expect(models()).toEqual([
      ["hf:acme/fox:Q4_0", "Q4_0", 4],
      ["hf:acme/fox:Q8_0", "Q8_0", 3],
      ["hf:acme/fox:Q8_0@v1", "Q8_0", 3],
    ]);
  });

  it("are none in a folder that is not there or holds other things", async () => {
    expect(cachedModels(readCache(join(folder, "none")))).toEqual([]);
    await writeFile(join(folder, "models--acme--file"), "");
    await mkdir(join(folder, "datasets--acme--x"));
    await mkdir(join(folder, "models--acme--empty"));
    expect(models()).toEqual([]);
  });
});

describe("verifying", () => {
  const verify = () => verifyFiles([readCache(folder)], new AbortController().signal);

  it("finds a changed large file, a changed small one and a cut one", async () => {
    const large = await put("acme/a", "a.gguf", "large");
    const small = await put("acme/a", "config.json", "small", { isSmall: true });
    const cut = await put("acme/b", "b.gguf", "cut off");
    await put("acme/b", "good.gguf", "good");
    await writeFile(join(dirname(large), "no-digest"), "x");
    expect(await verify()).toMatchObject({ verified: 4, broken: [], undigested: 1 });
    await writeFile(large, "Large");
    await writeFile(small, "Small");
    await writeFile(cut, "cut");
    const { broken, verified } = await verify();
    expect(verified).toBe(4);
    expect(broken.map(({ path }) => path).sort()).toEqual([large, small, cut].sort());
    expect(broken.find(({ path }) => path === cut)?.found).toBe(
      createHash("sha256").update("cut").digest("hex"),
    );
  });

  it("ends by its signal", async () => {
    await put("acme/a", "a.gguf", "large");
    await expect(verifyFiles([readCache(folder)], AbortSignal.abort())).rejects.toThrow("abort");
  });
});

describe("pruning", () => {
  it("removes the converted checkpoint that was used longest ago, with its record", async () => {
    const old = await putConverted("old", 3);
    const young = await putConverted("young", 1);
    expect((await prune({ maxBytes: 8 })).what).toEqual([]);
    expect((await prune({ maxBytes: 7 })).what).toEqual([`${old}: not used for longest`]);
    expect([old, `${old}.json`, young, `${young}.json`].map(existsSync)).toEqual([false, false, true, true]);
    await rm(`${young}.json`);
    expect((await prune({})).what).toEqual([`${young}: it has no record, so that no load uses it`]);
  });

  it("removes what no revision has and old half downloads of ours, and keeps other programs'", async () => {
    const kept = await put("acme/fox", "fox-Q8_0.gguf", "kept");
    const ours = await put("acme/fox", "old.gguf", "ours");
    const theirs = await put("acme/fox", "older.gguf", "theirs", { isOurs: false });
    for (const name of ["old.gguf", "older.gguf"])
      await rm(join(folder, "models--acme--fox/snapshots/c0ffee", name));
    const partial = `${kept}.12-0123456789ab.incomplete`;
    const python = `${kept}.incomplete`;
    for (const path of [partial, `${partial}.journal`, python]) await writeFile(path, "half");
    expect((await prune({ nowMs: Date.now() })).what).toEqual([]); // a pull may be at work
    const { what, foreignBytes } = await prune({});
    expect(what.map((text) => text.split(": ")[1])).toEqual([
      "no revision has it",
      "a download that was not finished",
      "a download that was not finished",
    ]);
    expect(foreignBytes).toBe("theirs".length + "half".length);
    expect([kept, ours, theirs, partial, python].map(existsSync)).toEqual([true, false, true, false, true]);
    await prune({ all: true });
    expect([kept, theirs, python].map(existsSync)).toEqual([true, false, false]);
    expect(models()).toEqual([["hf:acme/fox:Q8_0", "Q8_0", 4]]);
  });

  it("removes models by age, and their folders when nothing is left", async () => {
    await put("acme/old", "old-Q8_0.gguf", "old", { usedDaysAgo: 40 });
    await put("acme/young", "young-Q8_0.gguf", "young", { usedDaysAgo: 3 });
    await put("acme/python", "python-Q8_0.gguf", "theirs", { usedDaysAgo: 40, isOurs: false });
    const rules = { unusedSinceMs: Date.now() - 30 * day };
    const { what, foreignBytes } = await prune(rules);
    expect(what).toEqual(["hf:acme/old:Q8_0: not used for that long"]);
    expect(foreignBytes).toBe(6);
    expect((await readdir(folder)).sort()).toEqual(["models--acme--python", "models--acme--young"]);
    await prune({ ...rules, all: true });
    expect(await readdir(folder)).toEqual(["models--acme--young"]);
  });

  it("removes the models not used for longest until the size is kept", async () => {
    await put("acme/a", "a-Q8_0.gguf", "1234", { usedDaysAgo: 3 });
    await put("acme/b", "b-Q8_0.gguf", "1235", { usedDaysAgo: 9, isOurs: false });
    await put("acme/c", "c-Q8_0.gguf", "1236", { usedDaysAgo: 5 });
    await put("acme/d", "d-Q8_0.gguf", "1237", { usedDaysAgo: 1 });
    await prune({ maxBytes: 12 });
    expect(models().map(([reference]) => reference)).toEqual([
      "hf:acme/a:Q8_0",
      "hf:acme/b:Q8_0",
      "hf:acme/d:Q8_0",
    ]);
    await prune({ maxBytes: 12 });
    expect(models().length).toBe(3);
  });

  it("keeps a content that another model has", async () => {
    await put("acme/fox", "fox-Q8_0.gguf", "same", { commit: "beef", usedDaysAgo: 40 });
    await put("acme/fox", "fox-Q4_0.gguf", "other", { commit: "dead", revision: "v1", usedDaysAgo: 1 });
    const same = createHash("sha256").update("same").digest("hex");
    await symlink(join("../../blobs", same), join(folder, "models--acme--fox/snapshots/dead/copy-Q8_0.gguf"));
    await prune({ unusedSinceMs: Date.now() - 30 * day });
    expect(existsSync(join(folder, "models--acme--fox/snapshots/dead/fox-Q4_0.gguf"))).toBe(true);
    expect(existsSync(join(folder, "models--acme--fox/snapshots/beef"))).toBe(false);
    expect(existsSync(join(folder, "models--acme--fox/refs/main"))).toBe(false);
  });
});

describe("a file fetched by its address", () => {
  it("is listed, verified and pruned with its record", async () => {
    const at = join(folder, ".infernode/urls/0123456789abcdef");
    await mkdir(at, { recursive: true });
    await writeFile(join(at, "m-Q8_0.gguf"), "abc");
    const sha256 = createHash("sha256").update("abc").digest("hex");
    const record = { address: "https://example.org/m-Q8_0.gguf", bytes: 3, sha256 };
    await writeFile(join(at, "m-Q8_0.gguf.json"), JSON.stringify(record));
    expect(models()).toEqual([["https://example.org/m-Q8_0.gguf", "Q8_0", 3]]);
    expect(await verifyFiles([readCache(folder)], new AbortController().signal)).toMatchObject({
      verified: 1,
      broken: [],
    });
    await prune({ maxBytes: 0 });
    expect(existsSync(at)).toBe(false);
  });
});
