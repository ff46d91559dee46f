// Pulls from an emulated hub that behaves: what lies in the cache afterwards, who was sent the
// token, and which sentence each refusal is.
import { lstat, mkdir, readdir, readFile, readlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { pull } from "../../../src/models/hub/pull.js";
import type { RemoteFile } from "../../../src/models/hub/remote-file.js";
import { bytesOf, folder, hubOf, quick, settingsOf, wrongFiles } from "./hub-fixture.js";

const repository = "owner/name";
const weights = bytesOf(300_000);
const files = {
  "model.gguf": weights,
  "config.json": '{"a":1}\n',
  "empty.txt": "",
  "sub/näme x.txt": "text",
};
const all = (listed: readonly RemoteFile[]) => listed;

it("puts files where Hugging Face's tools look for them", async () => {
  const hub = await hubOf({ [repository]: { files } });
  const cache = await folder();
  const settings = settingsOf(hub, cache);
  const pulled = await pull({ repository, choose: all }, settings, { limits: quick });
  const commit = hub.commitOf(repository);
  expect(pulled.commit).toBe(commit);
  expect(pulled.folder).toBe(join(cache, "models--owner--name", "snapshots", commit));
  expect(pulled.files.map(({ path, fetched }) => [path, fetched])).toEqual(
    Object.keys(files).map((path) => [path, true]),
  );
  for (const [path, content] of Object.entries(files)) {
    expect(
      await readFile(join(pulled.folder, path)).then((found) => found.equals(Buffer.from(content))),
    ).toBe(true);
  }
  expect(await readlink(join(pulled.folder, "sub/näme x.txt"))).toMatch(
    /^\.\.\/\.\.\/\.\.\/blobs\/[0-9a-f]{40}$/,
  );
  expect(await readFile(join(cache, "models--owner--name/refs/main"), "utf8")).toBe(commit);
  const blobs = await readdir(join(cache, "models--owner--name/blobs"));
  expect(blobs.filter((name) => !/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(name))).toEqual([]);
  expect(await wrongFiles(cache)).toEqual([]);
  const marks = await readdir(join(cache, "models--owner--name/.infernode"));
  expect(marks.sort()).toEqual(blobs.sort());
});

it("fetches nothing twice", async () => {
  const hub = await hubOf({ [repository]: { files } });
  const settings = settingsOf(hub, await folder());
  await pull({ repository, choose: all }, settings, { limits: quick });
  const sent = hub.sentBytes();
  const again = await pull({ repository, choose: all }, settings, { limits: quick });
  expect(hub.sentBytes()).toBe(sent);
  expect(again.files.some((file) => file.fetched)).toBe(false);
});

it("replaces a blob of another size", async () => {
  const hub = await hubOf({ [repository]: { files } });
  const settings = settingsOf(hub, await folder());
  const first = await pull({ repository, choose: all }, settings, { limits: quick });
  const model = first.files[0];
  await writeFile(join(settings.cacheFolder, "models--owner--name/blobs", model?.digest ?? ""), "short");
  const again = await pull({ repository, choose: all }, settings, { limits: quick });
  expect(again.files.filter((file) => file.fetched).map((file) => file.path)).toEqual(["model.gguf"]);
  expect(await wrongFiles(settings.cacheFolder)).toEqual([]);
});

it("writes a revision with slashes, and no reference for a commit", async () => {
  const hub = await hubOf({ [repository]: { files, revisions: ["main", "refs/pr/1"] } });
  const settings = settingsOf(hub, await folder());
  const commit = hub.commitOf(repository);
  await pull({ repository, revision: commit, choose: all }, settings, { limits: quick });
  const refs = join(settings.cacheFolder, "models--owner--name/refs");
  await expect(readdir(refs)).rejects.toThrow("ENOENT");
  await pull({ repository, revision: "refs/pr/1", choose: all }, settings, { limits: quick });
  expect(await readFile(join(refs, "refs/pr/1"), "utf8")).toBe(commit);
});

it("sends the token to the hub, and never to its store", async () => {
  const token = "hf_secret";
  const hub = await hubOf({ [repository]: { files, gated: true, isPrivate: true, token } }, { pageSize: 1 });
  await pull({ repository, choose: all }, settingsOf(hub, await folder(), token), { limits: quick });
  const seen = (origin: string) => hub.requests.filter((request) => request.origin === origin);
  expect(seen("hub").every(({ headers }) => headers.authorization === `Bearer ${token}`)).toBe(true);
  expect(seen("store").length).toBeGreaterThan(2);
  expect(JSON.stringify(seen("store"))).not.toContain(token);
});

it("sends no token to another host that the hub names for its next page or redirects its API to", async () => {
  const token = "hf_secret";
  const hub = await hubOf({ [repository]: { files, token } }, { pageSize: 1 });
  hub.state.nextPage = `${hub.store}/next`;
  const settings = settingsOf(hub, await folder(), token);
  await expect(pull({ repository, choose: all }, settings, { limits: quick })).rejects.toThrow(
    "names 127.0.0.1",
  );
  hub.state.intercept = (_, response, url, origin) => {
    if (origin === "store" || !url.pathname.startsWith("/api")) return false;
    response.writeHead(307, { location: `${hub.store}/api` }).end();
    return true;
  };
  await expect(pull({ repository, choose: all }, settings, { limits: quick })).rejects.toMatchObject({
    code: "DOWNLOAD_FAILED",
  });
  expect(hub.requests.filter(({ origin }) => origin === "store")).toEqual([]);
});

it("follows a repository that was renamed", async () => {
  const hub = await hubOf({ [repository]: { files } });
  hub.state.intercept = (_, response, url, origin) => {
    if (origin === "store" || !url.pathname.includes("old/name")) return false;
    response.writeHead(307, { location: url.pathname.replace("old/name", repository) + url.search }).end();
    return true;
  };
  const pulled = await pull({ repository: "old/name", choose: all }, settingsOf(hub, await folder()), {
    limits: quick,
  });
  expect(pulled.files).toHaveLength(4);
});

it.each([
  [
    "no repository, no token",
    "owner/none",
    "main",
    undefined,
    "MODEL_ACCESS_DENIED",
    "does not exist or is private",
  ],
  [
    "no repository, a token",
    "owner/none",
    "main",
    "hf_a",
    "MODEL_NOT_FOUND",
    "the repository owner/none does not exist",
  ],
  ["no revision", repository, "v9", undefined, "MODEL_NOT_FOUND", 'has no revision "v9"'],
  [
    "gated, no token",
    "owner/gated",
    "main",
    undefined,
    "MODEL_ACCESS_DENIED",
    "accept its conditions on http",
  ],
  ["gated, another's token", "owner/gated", "main", "hf_a", "MODEL_ACCESS_DENIED", "request access on http"],
  ["private, another's token", "owner/private", "main", "hf_a", "MODEL_NOT_FOUND", "does not exist"],
] as const)("refuses in one sentence: %s", async (_, name, revision, token, code, sentence) => {
  const hub = await hubOf({
    [repository]: { files },
    "owner/gated": { files, gated: true, token: "hf_right" },
    "owner/private": { files, isPrivate: true, token: "hf_right" },
  });
  const cache = await folder();
  const refused = pull({ repository: name, revision, choose: all }, settingsOf(hub, cache, token), {
    limits: quick,
  });
  await expect(refused).rejects.toMatchObject({ code, message: expect.stringContaining(sentence) });
  const left = (await readdir(cache, { recursive: true })).filter((path) =>
    /incomplete|snapshots/.test(path),
  );
  expect(left).toEqual([]);
});

it("tells a file that is listed and not there", async () => {
  const hub = await hubOf({ [repository]: { files } });
  hub.state.tree = (entries) => [
    ...entries,
    { type: "file", path: "gone.json", size: 4, oid: "a".repeat(40) },
  ];
  const refused = pull({ repository, choose: all }, settingsOf(hub, await folder()), { limits: quick });
  await expect(refused).rejects.toMatchObject({
    code: "MODEL_NOT_FOUND",
    message: "the file gone.json of owner/name does not exist",
  });
});

it("offers no file whose name leaves the folder or whose entry is malformed", async () => {
  const hub = await hubOf({ [repository]: { files } });
  const oid = "a".repeat(40);
  const hostile = [
    "../x",
    "/etc/x",
    "a/../../x",
    "a//b",
    "a\\..\\x",
    "a\0b",
    ".",
    "",
    "a/./b",
    `${"x".repeat(300)}`,
  ];
  hub.state.tree = (entries) => [
    ...hostile.map((path) => ({ type: "file", path, size: 1, oid })),
    { type: "file", path: "negative", size: -1, oid },
    { type: "file", path: "digest", size: 1, oid: "../../../x" },
    { type: "file", path: "lfs", size: 1, oid, lfs: { oid: "../x", size: 1, pointerSize: 1 } },
    { type: "file", path: 7, size: 1, oid },
    null,
    ...entries,
  ];
  const notices: string[] = [];
  const control = { limits: quick, onNotice: (sentence: string) => void notices.push(sentence) };
  const pulled = await pull({ repository, choose: all }, settingsOf(hub, await folder()), control);
  expect(pulled.files.map(({ path }) => path)).toEqual(Object.keys(files));
  expect(notices).toEqual([expect.stringContaining("15 files are ignored")]);
});

it("tells how far it is, and ends with everything", async () => {
  const hub = await hubOf({ [repository]: { files } });
  const told: [number, number][] = [];
  const settings = settingsOf(hub, await folder());
  await pull({ repository, choose: all }, settings, {
    limits: quick,
    onProgress: ({ bytes, totalBytes }) => void told.push([bytes, totalBytes]),
  });
  const total = Object.values(files).reduce((sum, content) => sum + Buffer.from(content).length, 0);
  expect(told.at(-1)).toEqual([total, total]);
  expect(told.every(([bytes], place) => bytes >= (told[place - 1]?.[0] ?? 0))).toBe(true);
});

it("is cancelled by its signal, and offline it says so", async () => {
  const hub = await hubOf({ [repository]: { files } }, { bytesPerSecond: 100_000 });
  const settings = settingsOf(hub, await folder());
  const control = new AbortController();
  const cancelled = pull({ repository, choose: all }, settings, {
    limits: quick,
    signal: control.signal,
    onProgress: ({ receivedBytes }) => receivedBytes > 0 && control.abort(),
  });
  await expect(cancelled).rejects.toMatchObject({ code: "CANCELLED" });
  const offline = pull({ repository, choose: all }, { ...settings, offline: true });
  await expect(offline).rejects.toMatchObject({ code: "MODEL_NOT_FOUND" });
});

it("says that a cache cannot be written", async () => {
  const hub = await hubOf({ [repository]: { files } });
  const cache = await folder();
  await mkdir(join(cache, "models--owner--name"));
  await writeFile(join(cache, "models--owner--name/blobs"), "a file where a folder belongs");
  const refused = pull({ repository, choose: all }, settingsOf(hub, cache), { limits: quick });
  await expect(refused).rejects.toMatchObject({ code: "MODEL_UNREADABLE" });
  expect((await lstat(join(cache, "models--owner--name/blobs"))).isFile()).toBe(true);
});

it("warns of no leak where many connections share a signal", async () => {
  const warnings: string[] = [];
  const heard = ({ name }: Error) => void warnings.push(name);
  process.on("warning", heard);
  const hub = await hubOf({ [repository]: { files: { "model.gguf": bytesOf(4_000_000) } } });
  const limits = { ...quick, connections: 16 };
  await pull({ repository, choose: all }, settingsOf(hub, await folder()), { limits });
  await new Promise((told) => setImmediate(told));
  process.off("warning", heard);
  expect(warnings).toEqual([]);
});
