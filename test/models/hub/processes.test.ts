// Pulls by processes of their own, as people and workers run them: killed in the middle, two
// at once, on a full disk, through a proxy.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, readFile } from "node:fs/promises";
import { createServer, request as httpRequest } from "node:http";
import type { AddressInfo } from "node:net";
import { join, resolve } from "node:path";
import { expect, it } from "vitest";
import { bytesOf, folder, hubOf, wrongFiles } from "./hub-fixture.js";

const program = resolve(import.meta.dirname, "../../../dist/cli/main.js");
const repository = "owner/name";
const bytes = 24 * 1024 * 1024;
const weights = Buffer.concat(
  Array.from({ length: 24 }, (_, seed) => Buffer.alloc(1024 * 1024, bytesOf(4099, seed))),
);
const files = { "model-Q8_0.gguf": weights, "config.json": "{}\n" };

type Variables = Readonly<Record<string, string>>;

function start(endpoint: string, cache: string, more: Variables = {}): ChildProcess {
  const env = {
    PATH: process.env.PATH ?? "",
    HOME: cache,
    HF_ENDPOINT: endpoint,
    HF_HUB_CACHE: cache,
    ...more,
  };
  return spawn(process.execPath, [program, "pull", `hf:${repository}`], { env });
}

async function ended(child: ChildProcess) {
  const said = { code: 0 as number | null, stdout: "", stderr: "" };
  child.stdout?.on("data", (text) => (said.stdout += text));
  child.stderr?.on("data", (text) => (said.stderr += text));
  [said.code] = (await once(child, "close")) as [number | null];
  return said;
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((next) => setTimeout(next, 10));
}

it.each(["SIGKILL", "SIGINT"] as const)(
  "fetches only the rest after %s",
  async (signal) => {
    const hub = await hubOf({ [repository]: { files } }, { bytesPerSecond: 3_000_000 });
    const cache = await folder();
    const first = start(hub.endpoint, cache);
    const outcome = ended(first);
    await until(() => hub.sentBytes() > bytes / 2);
    first.kill(signal);
    const { code, stderr } = await outcome;
    if (signal === "SIGINT")
      expect([code, stderr]).toEqual([130, expect.stringContaining("goes on from there")]);
    const sent = hub.sentBytes();
    hub.state.bytesPerSecond = undefined;
    const { code: ending, stdout } = await ended(start(hub.endpoint, cache));
    expect(ending).toBe(0);
    expect(await readFile(stdout.trim()).then((found) => found.equals(weights))).toBe(true);
    // Lost at most: what was on its way, and one unwritten mebibyte of each of two connections.
    expect(hub.sentBytes() - sent).toBeLessThan(bytes / 2 + 6 * 1024 * 1024);
    const left = await readdir(join(cache, "models--owner--name/blobs"));
    expect(left.filter((name) => name.includes("incomplete"))).toEqual([]);
  },
  120_000,
);

it("lets two processes pull the same at once", async () => {
  const hub = await hubOf({ [repository]: { files } });
  const cache = await folder();
  const both = await Promise.all([ended(start(hub.endpoint, cache)), ended(start(hub.endpoint, cache))]);
  expect(both.map(({ code }) => code)).toEqual([0, 0]);
  expect(await readFile(both[0].stdout.trim()).then((found) => found.equals(weights))).toBe(true);
  expect(await wrongFiles(cache)).toEqual([]);
}, 120_000);

function mounted(path: string, options: string): boolean {
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", options, "tmpfs", path], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

it("says that the disk is full, before and in the middle, and leaves no half file", async ({ skip }) => {
  const hub = await hubOf({ [repository]: { files } }, { bytesPerSecond: 3_000_000 });
  const cache = await folder();
  if (!mounted(cache, "size=8m")) skip("needs root and tmpfs: a small file system could not be mounted");
  try {
    const before = await ended(start(hub.endpoint, cache));
    expect([before.code, before.stderr]).toEqual([
      1,
      expect.stringMatching(/needs 25\.2 MB in .* free;.*DISK_FULL/),
    ]);
    expect(hub.requests.filter(({ path }) => path.includes("resolve"))).toEqual([]);
    execFileSync("mount", ["-o", "remount,size=40m", cache]);
    const second = start(hub.endpoint, cache);
    const outcome = ended(second);
    await until(() => hub.sentBytes() > 1024 * 1024);
    execFileSync("dd", ["if=/dev/zero", `of=${cache}/filler`, "bs=1M", "count=38"], { stdio: "ignore" });
    const { code, stderr } = await outcome;
    expect([code, stderr]).toEqual([1, expect.stringMatching(/no space left;.*DISK_FULL/)]);
    const blobs = await readdir(join(cache, "models--owner--name/blobs"));
    expect(blobs.filter((name) => /^[0-9a-f]{64}$/.test(name))).toEqual([]);
  } finally {
    execFileSync("umount", [cache]);
  }
}, 120_000);

it("says that the cache is on a file system that cannot be written", async ({ skip }) => {
  const hub = await hubOf({ [repository]: { files } });
  const home = await folder();
  if (!mounted(home, "ro")) skip("needs root and tmpfs: a read-only file system could not be mounted");
  try {
    // Node tells ENOENT of it where folders on the way are missing.
    for (const cache of [home, join(home, ".cache/huggingface/hub")]) {
      const { code, stderr } = await ended(start(hub.endpoint, cache));
      expect([code, stderr]).toEqual([
        1,
        expect.stringMatching(
          /^infernode: the cache .* cannot be written: E\w+: .*; name another folder by HF_HUB_CACHE \[MODEL_UNREADABLE\]\n$/,
        ),
      ]);
    }
  } finally {
    execFileSync("umount", [home]);
  }
}, 120_000);

it("goes through the proxy that HTTP_PROXY names, and around it for NO_PROXY", async () => {
  const hub = await hubOf({ [repository]: { files } });
  const seen: string[] = [];
  const proxy = createServer((asked, answer) => {
    seen.push(asked.url ?? "");
    const onward = httpRequest(asked.url ?? "", { method: asked.method, headers: asked.headers }, (got) => {
      answer.writeHead(got.statusCode ?? 500, got.headers);
      got.pipe(answer);
    });
    asked.pipe(onward);
  });
  await new Promise<void>((listening) => proxy.listen(0, "127.0.0.1", listening));
  const proxyUrl = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  try {
    const through = await ended(start(hub.endpoint, await folder(), { HTTP_PROXY: proxyUrl }));
    expect([through.code, through.stderr]).toEqual([0, expect.any(String)]);
    expect(seen.length).toBe(hub.requests.length);
    const count = seen.length;
    const around = { http_proxy: proxyUrl, no_proxy: "example.com, 127.0.0.1" };
    expect((await ended(start(hub.endpoint, await folder(), around))).code).toBe(0);
    expect(seen.length).toBe(count);
  } finally {
    proxy.closeAllConnections();
    proxy.close();
  }
}, 120_000);
