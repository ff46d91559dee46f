// The checks every worker brings, on the machine that runs the test: limits are
// set so that they pass or fail.
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { isAtLeast } from "../../src/serverless/gpu-checks.js";
import { Logger } from "../../src/serverless/logger.js";
import { builtInChecks } from "../../src/serverless/system-checks.js";
import { configOf, finished, withWorker } from "./harness.js";

const linux = process.platform === "linux";
const echo = async (job: { input: unknown }) => job.input;
const on = { RUNPOD_SKIP_AUTO_SYSTEM_CHECKS: undefined };
const low = { RUNPOD_MIN_MEMORY_GB: "0.01", RUNPOD_MIN_DISK_PERCENT: "0.001" };
const silent = new Logger(() => {}, "NOTSET", false);

/** Names of the checks an environment leads to. */
function names(environment: Readonly<Record<string, string>>): readonly string[] {
  const given = { RUNPOD_WEBHOOK_GET_JOB: "https://example.com/job-take/$ID", ...environment };
  return builtInChecks(configOf({ RUNPOD_SKIP_GPU_CHECK: "true", ...given }), silent).map(({ name }) => name);
}

describe.skipIf(!linux)("built-in fitness checks", () => {
  it("pass on a machine that has what they ask for, and jobs are done", async () => {
    await withWorker(echo, { env: { ...on, ...low } }, async ({ platform }) => {
      expect((await finished(platform, { id: "a", input: 1 })).done).toEqual([{ output: 1 }]);
    });
  });

  it.each([
    ["memory", { RUNPOD_MIN_MEMORY_GB: "1000000" }, /^Insufficient memory: [\d.]+GB available, 1000000\.0GB/],
    ["disk", { RUNPOD_MIN_DISK_PERCENT: "101" }, /^Insufficient disk space: [\d.]+% of \/ free, 101\.0%/],
  ])("%s below its limit ends the worker before it takes a job", async (name, env, message) => {
    await withWorker(echo, { env: { ...on, ...low, ...env } }, async ({ platform, worker }) => {
      expect(await worker.ended).toBe(1);
      const [sick, ...more] = platform.calls("ping");
      expect(more).toEqual([]);
      expect(sick?.parameters.query?.get("check")).toBe(name);
      expect(sick?.parameters.query?.get("reason")?.replace(/^Error: /, "")).toMatch(message);
      expect(platform.calls("job-take", "job-take-batch")).toEqual([]);
    });
  });

  it("a platform that cannot be reached ends the worker", async () => {
    const RUNPOD_WEBHOOK_GET_JOB = "http://127.0.0.1:1/job-take/$ID";
    await withWorker(echo, { env: { ...on, ...low, RUNPOD_WEBHOOK_GET_JOB } }, async ({ worker }) => {
      expect(await worker.ended).toBe(1);
      expect(worker.lines.join("\n")).toContain(
        "Fitness check failed: network | Error: Network connectivity failed: 127.0.0.1:1, ECONNREFUSED",
      );
    });
  });

  it("are left out one by one with a limit of 0, or all by name", () => {
    expect(names({})).toEqual(["memory", "disk", "network"]);
    expect(names({ RUNPOD_MIN_MEMORY_GB: "0" })).toEqual(["disk", "network"]);
    expect(names({ RUNPOD_MIN_DISK_PERCENT: "0", RUNPOD_NETWORK_CHECK_TIMEOUT: "0" })).toEqual(["memory"]);
    expect(names({ RUNPOD_SKIP_AUTO_SYSTEM_CHECKS: "True" })).toEqual([]);
  });

  it("are off where there is no /proc", () => {
    expect(builtInChecks(configOf({}), silent, join(tmpdir(), "no-such-proc"))).toEqual([]);
  });

  it("of a GPU pass where there is one, and say that they are skipped where there is none", async () => {
    const lines: string[] = [];
    const logger = new Logger((line) => void lines.push(line), "INFO", false);
    const config = configOf({ RUNPOD_SKIP_AUTO_SYSTEM_CHECKS: "true" });
    const checks = builtInChecks(config, logger);
    for (const check of checks) await check(logger);
    if (checks.length === 0)
      expect(lines).toEqual(["WARN   | No NVIDIA GPU here: the GPU checks are skipped.\n"]);
    else expect(lines[0]).toContain("GPU: ");
    const demanding = configOf({ RUNPOD_SKIP_AUTO_SYSTEM_CHECKS: "true", RUNPOD_MIN_CUDA_VERSION: "99.1" });
    const cuda = builtInChecks(demanding, silent).find(({ name }) => name === "cuda");
    if (cuda !== undefined) await expect(cuda(silent)).rejects.toThrow("too old, 99.1 required");
  });

  it("compare versions by their numbers", () => {
    expect(["12.10", "12.9", "13"].map((version) => isAtLeast(version, "12.10"))).toEqual([
      true,
      false,
      true,
    ]);
  });
});
