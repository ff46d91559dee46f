// `infernode list` and `infernode cache` as a person calls them, on a cache that a generation
// by reference has filled from a hub of this machine.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { embeddedModelPath } from "../../src/index.js";
import { type Hub, sha256, startHub } from "../../tools/hub-emulator/index.mjs";

const command = join(import.meta.dirname, "../../dist/cli/main.js");
const tale = await readFile(embeddedModelPath());
let hub: Hub;
let home: string;
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "infernode-cli-cache-"));
  hub = await startHub({ "acme/Tale-GGUF": { files: { "Tale-Q8_0.gguf": tale, "Tale-F16.gguf": "other" } } });
});
afterAll(async () => {
  await hub.close();
  await rm(home, { recursive: true });
});

async function run(...args: readonly string[]) {
  const env = {
    PATH: process.env.PATH,
    HOME: home,
    HF_ENDPOINT: hub.endpoint,
    BASE_PATH: join(home, "none"),
  };
  const child = spawn(process.execPath, [command, ...args], { env, stdio: ["ignore", "pipe", "pipe"] });
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (chunk) => (stdout += chunk));
  child.stderr.on("data", (chunk) => (stderr += chunk));
  const [code] = await once(child, "close");
  return { code: code as number, stdout, stderr };
}

describe("a converted checkpoint on the command line", { timeout: 120_000 }, () => {
  let source: string;
  beforeAll(async () => {
    source = join(home, "tale");
    await cp(join(import.meta.dirname, "../fixtures/checkpoints/autoawq-gemm-llama"), source, {
      recursive: true,
    });
  });

  it("is listed, verified and pruned, and its file generates", async () => {
    const generated = await run("generate", "-m", source, "-n", "2", "--ignore-eos", "-t", "0", "Hi");
    expect(generated).toMatchObject({ code: 0 });
    const [model] = JSON.parse((await run("list", "--json")).stdout);
    expect(model).toMatchObject({ type: "Q4_1", format: "gguf" });
    expect(model.reference).toMatch(/\/\.infernode\/converted\/tale-[0-9a-f]{16}\.gguf$/);
    const again = await run("generate", "-m", model.reference, "-n", "2", "--ignore-eos", "-t", "0", "Hi");
    expect(again).toMatchObject({ code: 0, stdout: generated.stdout });
    expect((await run("cache", "ls")).stdout).toContain(`${source} (converted)`);
    expect(JSON.parse((await run("cache", "ls", "--json")).stdout).converted).toMatchObject([
      { path: model.path, source, bytes: model.bytes },
    ]);
    expect(await run("cache", "verify")).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^1 files verified \([\d.]+ KiB\), 0 broken\n$/),
    });
    const whole = await readFile(model.path);
    await writeFile(model.path, whole.subarray(0, 5000));
    const broken = await run("cache", "verify");
    expect(broken).toMatchObject({ code: 1 });
    expect(broken.stdout).toContain(`broken: ${model.path} of ${source} (no whole file of its key)`);
    const flipped = Buffer.from(whole);
    flipped.writeUInt8(flipped.readUInt8(whole.length - 1000) ^ 1, whole.length - 1000);
    await writeFile(model.path, flipped);
    const digest = sha256(flipped);
    expect(await run("cache", "verify")).toMatchObject({
      code: 1,
      stdout: expect.stringContaining(
        `broken: ${model.path} of ${source} (its digest is ${digest}); delete it and the next load writes it again`,
      ),
    });
    await writeFile(model.path, whole);
    expect((await run("cache", "prune")).stdout).toBe("nothing to remove\n");
    expect((await run("cache", "prune", "--max-size", "0", "--yes")).stdout).toContain("removed ");
    expect(await readdir(dirname(model.path)).catch(() => [])).toEqual([]);
  });

  it("of what is gone is removed by every prune", async () => {
    expect(await run("generate", "-m", source, "-n", "2", "Hi")).toMatchObject({ code: 0 });
    await rm(source, { recursive: true });
    const pruned = await run("cache", "prune", "--yes");
    expect(pruned.stdout).toContain("what it was made of is gone");
    expect((await run("list", "--json")).stdout).toBe("[]\n");
  });
});

describe("a cache on the command line", { timeout: 120_000 }, () => {
  it("is filled by a generation, listed, verified and pruned", async () => {
    expect(await run("list")).toMatchObject({
      code: 0,
      stdout: "",
      stderr: expect.stringContaining("infernode pull"),
    });
    const generated = await run("generate", "-m", "hf:acme/Tale-GGUF", "-n", "2", "Hi");
    expect(generated).toMatchObject({ code: 0 });
    expect(generated.stderr).toContain("downloading hf:acme/Tale-GGUF: ");
    expect(generated.stderr).toContain("hf:acme/Tale-GGUF has 2 GGUF models; taking Tale-Q8_0.gguf");

    const listed = await run("list");
    expect(listed.stdout).toMatch(
      /^REFERENCE .*\nhf:acme\/Tale-GGUF:Q8_0 +Q8_0 +2\.8 MiB +(?:now|\d+ minutes? ago) /,
    );
    const [model] = JSON.parse((await run("list", "--json")).stdout);
    expect(model).toMatchObject({ reference: "hf:acme/Tale-GGUF:Q8_0", bytes: tale.length, format: "gguf" });
    expect((await run("cache", "ls")).stdout).toMatch(/acme\/Tale-GGUF +main +1 +2\.8 MiB +2\.8 MiB +0 B /);
    expect((await run("inspect", "hf:acme/Tale-GGUF:Q8_0")).stdout).toContain("general.architecture");

    expect(await run("cache", "verify")).toMatchObject({
      code: 0,
      stdout: "1 files verified (2.8 MiB), 0 broken\n",
    });
    const blobs = join(home, ".cache/huggingface/hub/models--acme--Tale-GGUF/blobs");
    await writeFile(join(blobs, sha256(tale)), "broken");
    const broken = await run("cache", "verify");
    expect(broken).toMatchObject({ code: 1 });
    expect(broken.stdout).toContain(`broken: ${join(blobs, sha256(tale))} of acme/Tale-GGUF`);

    expect((await run("cache", "prune")).stdout).toBe("nothing to remove\n");
    const planned = await run("cache", "prune", "--max-size", "0");
    expect(planned.stdout).toMatch(
      /hf:acme\/Tale-GGUF:Q8_0 +6 B +not used for longest\nnothing was removed; --yes/,
    );
    expect(await readdir(blobs)).toEqual([sha256(tale)]);
    const removed = JSON.parse((await run("cache", "prune", "--max-size", "0", "--yes", "--json")).stdout);
    expect(removed).toMatchObject({ removed: true, bytes: 6 });
    expect((await run("list", "--json")).stdout).toBe("[]\n");
  });
});
