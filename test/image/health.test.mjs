// The image's health check beside a real worker: one that answers, one that hangs, none.
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createPlatform } from "../../tools/platform-emulator/index.mjs";

const root = path.resolve(import.meta.dirname, "../..");

function check(environment) {
  return new Promise((resolve) => {
    const env = { PATH: process.env.PATH, ...environment };
    execFile(process.execPath, [path.join(root, "docker/health.mjs")], { env }, (error, stdout) =>
      resolve({ code: error?.code ?? 0, text: stdout.trim() }),
    );
  });
}

describe("the health check", { timeout: 60_000 }, () => {
  let platform;
  let worker;
  let port;
  let ended;
  beforeEach(async () => {
    platform = await createPlatform();
    const env = { PATH: process.env.PATH, ...platform.env({ INFERNODE_METRICS_PORT: "0" }) };
    worker = spawn(process.execPath, [path.join(root, "dist/cli/main.js"), "worker"], { env });
    ended = once(worker, "close");
    let text = "";
    worker.stdout.setEncoding("utf8").on("data", (chunk) => (text += chunk));
    while (port === undefined) {
      await once(worker.stdout, "data");
      port = /Metrics are at port (\d+)/.exec(text)?.[1];
    }
  });
  afterEach(async () => {
    worker.kill("SIGKILL");
    await ended;
    await platform.close();
    port = undefined;
  });

  it("tells a worker that answers from one that hangs and one that has ended", async () => {
    expect(await check({ INFERNODE_METRICS_PORT: port })).toEqual({ code: 0, text: "healthy" });
    worker.kill("SIGSTOP");
    const hung = await check({ INFERNODE_METRICS_PORT: port });
    expect(hung).toEqual({ code: 1, text: expect.stringContaining("timeout") });
    worker.kill("SIGCONT");
    worker.kill("SIGTERM");
    await ended;
    const gone = await check({ INFERNODE_METRICS_PORT: port });
    expect(gone).toEqual({ code: 1, text: expect.stringContaining("ECONNREFUSED") });
  });

  it("asks the address that it is given", async () => {
    const health = `http://127.0.0.1:${port}/metrics`;
    expect((await check({ INFERNODE_HEALTH_URL: health })).code).toBe(0);
    const other = await check({ INFERNODE_HEALTH_URL: `http://127.0.0.1:${port}/elsewhere` });
    expect(other).toEqual({ code: 1, text: expect.stringContaining("answers 404") });
  });
});

it("does not take another program's port for the worker's", async () => {
  const server = createServer((_request, response) => response.end("hello")).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { code, text } = await check({ INFERNODE_METRICS_PORT: String(server.address().port) });
  server.close();
  expect(code).toBe(1);
  expect(text).toContain("is not the worker's");
});
