// Conformance cases K: the log's lines.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { Logger } from "../../src/serverless/logger.js";
import { createPlatform } from "../../tools/platform-emulator/index.mjs";
import { finished, withWorker } from "./harness.js";

interface Line {
  readonly requestId: string | null;
  readonly message: string;
  readonly level: string;
}

describe("the log", () => {
  it("case 107: on the platform a line is JSON of three keys, elsewhere it is plain", async () => {
    const handler = async (job: { input: unknown }) => job.input;
    const job = { id: "job-1", batchId: "b7", input: "a secret" };
    await withWorker(handler, { env: { RUNPOD_ENDPOINT_ID: "ep" } }, async ({ platform, worker }) => {
      await finished(platform, job);
      const [banner, ...lines] = worker.lines;
      expect(banner).toBe("--- Starting Serverless Worker |  Version 1.12.0 ---");
      expect(lines).toContain('{"requestId":"job-1","message":"[batchId=b7] Started.","level":"INFO"}');
      for (const line of lines)
        expect(Object.keys(JSON.parse(line))).toEqual(["requestId", "message", "level"]);
    });
    await withWorker(handler, {}, async ({ platform, worker }) => {
      await finished(platform, job);
      expect(worker.lines).toContain("INFO   | job-1 | [batchId=b7] Started.");
      expect(worker.lines.join("\n")).not.toContain("secret");
    });
  });

  it("case 107: a message above 4096 characters loses its middle, and says how much", () => {
    const lines: string[] = [];
    const logger = new Logger((line) => void lines.push(line), "INFO", true);
    logger.info("x".repeat(4096));
    logger.info(`${"a".repeat(3000)}${"b".repeat(3000)}`);
    const [whole, cut] = lines.map((line) => (JSON.parse(line) as Line).message);
    expect(whole).toHaveLength(4096);
    expect(cut).toBe(`${"a".repeat(2048)}\n...TRUNCATED 1904 CHARACTERS...\n${"b".repeat(2048)}`);
  });

  it("case 107: concurrent jobs' lines carry their own id, across awaits, timers and streams", async () => {
    const slots = 16;
    const jobs = 64;
    let logger: Logger | undefined;
    // What a library of the handler's would do: it knows the log, not the job.
    const say = (text: string) => logger?.info(`said by ${text}`);
    const prepare = (given: unknown) => {
      logger = given as Logger;
    };
    const handler = async function* (job: { id: string }) {
      for (let round = 0; round < 4; round += 1) {
        say(job.id);
        await new Promise((resolve) => setTimeout(resolve, Math.random() * 5));
        await Promise.all([Promise.resolve().then(() => say(job.id)), new Promise(setImmediate)]);
        setTimeout(() => say(job.id), 1);
        yield round;
      }
    };
    const options = { handler, prepare, concurrencyModifier: () => slots };
    await withWorker(options, { env: { RUNPOD_ENDPOINT_ID: "ep" } }, async ({ platform, worker }) => {
      for (let index = 0; index < jobs; index += 1) platform.enqueue({ id: `job-${index}`, input: index });
      await platform.until(() => platform.book.all.every((job) => job.done.length === 1));
      const said = () => worker.lines.slice(1).map((line) => JSON.parse(line) as Line);
      const own = () => said().filter(({ message }) => message.startsWith("said by "));
      await platform.until(() => own().length >= jobs * 4 * 3, "the last timers have spoken");
      const mine = own();
      expect(mine).toHaveLength(jobs * 4 * 3);
      expect(mine.filter(({ requestId, message }) => message !== `said by ${requestId}`)).toEqual([]);
    });
  });

  it("holds nothing of inputs, outputs and s3Config, at any level", async () => {
    const secrets = {
      input: "the-prompt-text",
      accessSecret: "the-bucket-secret",
      output: "the-answer-text",
    };
    const handler = async (job: { id: string }) => {
      if (job.id === "bad") throw new Error("no");
      return secrets.output;
    };
    const env = { RUNPOD_LOG_LEVEL: "TRACE" };
    await withWorker(handler, { env }, async ({ platform, worker }) => {
      const job = { input: secrets.input, s3Config: { accessSecret: secrets.accessSecret } };
      for (const id of ["good", "bad"]) platform.enqueue({ id, ...job });
      await platform.until(() => platform.book.all.every((each) => each.done.length === 1));
      const log = worker.lines.join("\n");
      expect(log).toContain("Finished.");
      for (const secret of Object.values(secrets)) expect(log).not.toContain(secret);
    });
  });

  it("case 108: the engine's own lines are JSON lines with a level, and nothing else is written", async () => {
    const platform = await createPlatform();
    const env = {
      PATH: process.env.PATH,
      ...platform.env({ RUNPOD_ENDPOINT_ID: "ep", RUNPOD_LOG_LEVEL: "DEBUG" }),
    };
    const child = spawn(process.execPath, [join(import.meta.dirname, "../../dist/cli/main.js"), "worker"], {
      env,
      stdio: ["ignore", "pipe", "pipe"],
    });
    let out = "";
    let errors = "";
    child.stdout.on("data", (chunk: Buffer) => {
      out += chunk;
    });
    child.stderr.on("data", (chunk: Buffer) => {
      errors += chunk;
    });
    const input = { prompt: "Once", params: { max_tokens: 2 } };
    expect((await finished(platform, { id: "a", input })).status).toBe("COMPLETED");
    child.kill("SIGTERM");
    await once(child, "close");
    await platform.close();
    expect(errors).toBe("");
    const lines = out.trim().split("\n").slice(1);
    const parsed = lines.map((line) => JSON.parse(line) as Line);
    expect(parsed.some(({ message, level }) => level === "DEBUG" && message.includes("llama_"))).toBe(true);
  });
});
