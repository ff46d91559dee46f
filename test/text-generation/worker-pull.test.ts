// A worker whose model is on the hub: pulled before the first job, told in lines of its log,
// by two workers on one volume at once, and ended cleanly by SIGTERM.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { embeddedModelPath } from "../../src/index.js";
import { DownloadLog, startUpLimit } from "../../src/text-generation/download-log.js";
import { textGenerationWorker } from "../../src/text-generation/worker.js";
import { type Hub, sha256, startHub } from "../../tools/hub-emulator/index.mjs";
import { createPlatform } from "../../tools/platform-emulator/index.mjs";
import { startWorker } from "../serverless/harness.js";
import { withTextWorker } from "./scene.js";

const timeout = 60_000;
const tale = await readFile(embeddedModelPath());
let hub: Hub;
let volume: string;

beforeEach(async () => {
  volume = await mkdtemp(join(tmpdir(), "infernode-volume-"));
  const files = { "Tale-Q8_0.gguf": tale, "Tale-F16.gguf": "other" };
  hub = await startHub({ "acme/Tale-GGUF": { files } });
});
afterEach(async () => {
  await hub.close();
  await rm(volume, { recursive: true });
});

const environment = (more: Readonly<Record<string, string>> = {}) => ({
  MODEL_NAME: "acme/Tale-GGUF",
  BASE_PATH: volume,
  HF_ENDPOINT: hub.endpoint,
  ...more,
});
const blobs = () => readdir(join(volume, "huggingface-cache/hub/models--acme--Tale-GGUF/blobs"));

describe("a worker's model on the hub", { timeout }, () => {
  it("is pulled onto the volume before the first job, and found there by the next worker", async () => {
    const job = { prompt: "Hi", params: { max_tokens: 2 } };
    await withTextWorker(environment(), async ({ run, worker, platform }) => {
      const { output } = await run(job);
      expect(output).toMatchObject({ model: "acme/Tale-GGUF" });
      const log = worker.lines.join("\n");
      expect(log).toContain("acme/Tale-GGUF has 2 GGUF models; taking Tale-Q8_0.gguf");
      expect(log).toMatch(/Downloading acme\/Tale-GGUF: 2\.9 MB/);
      expect(log).toMatch(/Downloaded acme\/Tale-GGUF: 2\.9 MB in \d+ s/);
      expect(platform.calls("ping").length).toBeGreaterThan(0);
    });
    expect(await blobs()).toEqual([sha256(tale)]);
    const asked = hub.requests.length;
    await withTextWorker(environment(), async ({ run, worker }) => {
      expect((await run(job)).status).toBe("COMPLETED");
      expect(worker.lines.join("\n")).not.toContain("Download");
    });
    expect(hub.requests.length).toBe(asked);
  });

  it("is not pulled where nothing may be, and the platform is told why", async () => {
    const platform = await createPlatform();
    const { options } = textGenerationWorker(environment({ HF_HUB_OFFLINE: "1" }), () => {});
    const worker = startWorker(options, platform.env());
    expect(await worker.ended).toBe(1);
    expect(worker.lines.join("\n")).toContain("HF_HUB_OFFLINE is set");
    expect(platform.calls("ping").some((call) => call.url.includes("status=unhealthy"))).toBe(true);
    await platform.close();
    expect(hub.requests).toEqual([]);
  });
});

describe("a worker's model on the hub, in odd cases", { timeout }, () => {
  it("that is half pulled at SIGTERM is left for the next worker, with exit code 0", async () => {
    hub.state.bytesPerSecond = 300_000;
    const platform = await createPlatform();
    const { options } = textGenerationWorker(environment(), () => {});
    const worker = startWorker(options, platform.env());
    while (!worker.lines.some((line) => line.includes("Downloading"))) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    worker.signal("SIGTERM");
    expect(await worker.ended).toBe(0);
    expect(worker.lines.join("\n")).not.toContain("unhealthy");
    expect(platform.calls("take")).toEqual([]);
    await platform.close();
    const names = await blobs();
    expect(names.every((name) => name.includes(".incomplete"))).toBe(true);
    hub.state.bytesPerSecond = undefined;
    await withTextWorker(environment(), async ({ run }) => {
      expect((await run({ prompt: "Hi", params: { max_tokens: 2 } })).status).toBe("COMPLETED");
    });
    expect(await blobs()).toEqual([sha256(tale)]);
  });

  it("that would be here too late for the platform is told of while it is pulled", async () => {
    hub.state.bytesPerSecond = 100_000; // of each connection
    const { child, said } = startProcess({ RUNPOD_INIT_TIMEOUT: "4" });
    const line =
      /At this speed the download ends \d+ s after the worker's start, and RUNPOD_INIT_TIMEOUT is 4 s: put the 2\.9 MB on a network volume or into the image\./;
    await expect.poll(() => said.text, { timeout: 30_000 }).toMatch(line);
    child.kill("SIGTERM");
    if (child.exitCode === null) await once(child, "close");
    expect(said.text.match(new RegExp(line, "g"))).toHaveLength(1);
  });

  it("is pulled by two processes on one volume at once, each with its answer", async () => {
    hub.state.bytesPerSecond = 2_000_000;
    const processes = [1, 2].map(() => startProcess());
    for (const { child, said } of processes) {
      const [code] = child.exitCode === null ? await once(child, "close") : [child.exitCode];
      expect([code, said.text]).toEqual([0, expect.stringContaining("Job result:")]);
    }
    expect(await blobs()).toEqual([sha256(tale)]);
    const [blob = ""] = await blobs();
    const path = join(volume, "huggingface-cache/hub/models--acme--Tale-GGUF/blobs", blob);
    expect(sha256(await readFile(path))).toBe(blob);
  });
});

function startProcess(more: Readonly<Record<string, string>> = {}): {
  readonly child: ChildProcess;
  readonly said: { text: string };
} {
  const command = join(import.meta.dirname, "../../dist/cli/main.js");
  const job = JSON.stringify({ input: { prompt: "Hi", params: { max_tokens: 2 } } });
  const env = { PATH: process.env.PATH, HOME: volume, ...environment(more) };
  const child = spawn(process.execPath, [command, "worker", "--test_input", job], { cwd: volume, env });
  const said = { text: "" };
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (said.text += chunk));
  return { child, said };
}

describe("a download's lines", () => {
  const total = 10e9;
  function told(
    environment: Readonly<Record<string, string>>,
    seconds: readonly (readonly [number, number])[],
  ) {
    const lines: string[] = [];
    let now = 0;
    const log = new DownloadLog(
      "acme/Big",
      environment,
      (level, text) => lines.push(`${level}: ${text}`),
      () => now,
    );
    for (const [at, bytes] of seconds) {
      now = at * 1000;
      log.control.onProgress?.({ bytes, totalBytes: total, receivedBytes: bytes, file: "big.gguf" });
    }
    log.finish();
    return lines;
  }

  it("come at the start, every ten seconds and at the end", () => {
    const at = (seconds: number) => [seconds, seconds * 1e8] as const;
    expect(told({}, [at(0), at(1), at(9), at(11), at(15), at(25), at(100)])).toEqual([
      "info: Downloading acme/Big: 10.0 GB.",
      "info: Downloading acme/Big: 1.1 GB of 10.0 GB (11 %), 100.0 MB/s, 89 s left.",
      "info: Downloading acme/Big: 2.5 GB of 10.0 GB (25 %), 100.0 MB/s, 75 s left.",
      "info: Downloading acme/Big: 10.0 GB of 10.0 GB (100 %), 100.0 MB/s, 0 s left.",
      "info: Downloaded acme/Big: 10.0 GB in 100 s.",
    ]);
  });

  it("name the platform's limit once, where the download would outlast it", () => {
    const slow = [0, 4, 8, 12].map((seconds) => [seconds, seconds * 1e7] as const);
    const warnings = told({ RUNPOD_ENDPOINT_ID: "ep" }, slow).filter((line) => line.startsWith("warn"));
    expect(warnings).toEqual([
      "warn: At this speed the download ends 16 min 40 s after the worker's start, and RunPod's start-up limit " +
        "(RUNPOD_INIT_TIMEOUT raises it) is 7 min 00 s: put the 10.0 GB on a network volume or into the image.",
    ]);
    expect(told({ RUNPOD_INIT_TIMEOUT: "1200" }, slow).some((line) => line.startsWith("warn"))).toBe(false);
    expect(told({}, slow).some((line) => line.startsWith("warn"))).toBe(false);
  });

  it.each([
    [{}, undefined],
    [{ RUNPOD_WEBHOOK_GET_JOB: "x" }, 420],
    [{ RUNPOD_INIT_TIMEOUT: "800", RUNPOD_ENDPOINT_ID: "ep" }, 800],
    [{ K_SERVICE: "llm" }, 1800],
  ])("know the limit of %j: %s", (environment, seconds) => {
    expect(startUpLimit(environment)?.seconds).toBe(seconds);
  });
});
