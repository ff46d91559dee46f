// The checks every worker brings: memory, disk and the way to the platform, with
// the names and limits of the Python worker's environment. They run after the
// caller's own checks, on the platform only. Where there is no /proc there is
// nothing to judge by, and they are left out.
import { existsSync, readFileSync } from "node:fs";
import { statfs } from "node:fs/promises";
import net from "node:net";
import type { WorkerConfig } from "./config.js";
import type { Check } from "./contract.js";
import { gpuChecks } from "./gpu-checks.js";
import type { Logger } from "./logger.js";

/** Limits below which a worker does not start; 0 turns one off. */
export interface CheckLimits {
  /** RUNPOD_SKIP_AUTO_SYSTEM_CHECKS: no memory, disk and network check. */
  readonly skipSystem: boolean;
  /** RUNPOD_SKIP_GPU_CHECK. */
  readonly skipGpu: boolean;
  /** RUNPOD_MIN_MEMORY_GB: GiB of memory that must be available; default 4. */
  readonly memoryGb: number;
  /** RUNPOD_MIN_DISK_PERCENT: percent of / that must be free; default 10. */
  readonly diskPercent: number;
  /** RUNPOD_NETWORK_CHECK_TIMEOUT: seconds to reach the platform in; default 5. */
  readonly networkSeconds: number;
  /** RUNPOD_MIN_CUDA_VERSION: what the driver must support; default "11.8". */
  readonly cudaVersion: string;
  /** RUNPOD_GPU_TEST_TIMEOUT: seconds the driver may take to list its GPUs; default 30. */
  readonly gpuSeconds: number;
}

const gibibyte = 2 ** 30;

/** @param procFolder where the kernel tells of itself */
export function builtInChecks(config: WorkerConfig, logger: Logger, procFolder = "/proc"): readonly Check[] {
  const { checks } = config;
  if (!existsSync(procFolder)) return [];
  const ofGpu = checks.skipGpu ? [] : gpuChecks(checks, logger, procFolder);
  return [...ofGpu, ...(checks.skipSystem ? [] : systemChecks(config, procFolder))];
}

function systemChecks({ checks, takeTemplate }: WorkerConfig, procFolder: string): readonly Check[] {
  const all: Check[] = [];
  if (checks.memoryGb > 0) {
    all.push(function memory() {
      const available = availableGb(procFolder);
      if (available >= checks.memoryGb) return;
      const figures = `${available.toFixed(2)}GB available, ${checks.memoryGb.toFixed(1)}GB required`;
      throw new Error(`Insufficient memory: ${figures}`);
    });
  }
  if (checks.diskPercent > 0) {
    all.push(async function disk() {
      const { bavail, blocks } = await statfs("/");
      const percent = (100 * bavail) / blocks;
      if (percent >= checks.diskPercent) return;
      const figures = `${percent.toFixed(1)}% of / free, ${checks.diskPercent.toFixed(1)}% required`;
      throw new Error(`Insufficient disk space: ${figures}`);
    });
  }
  if (checks.networkSeconds > 0 && takeTemplate !== undefined && URL.canParse(takeTemplate)) {
    const { hostname, port, protocol } = new URL(takeTemplate);
    const number = Number(port) || (protocol === "https:" ? 443 : 80);
    all.push(function network() {
      return reached(hostname.replace(/^\[|\]$/g, ""), number, checks.networkSeconds);
    });
  }
  return all;
}

/** GiB that can be had: of the machine, and at most the container's limit. */
function availableGb(procFolder: string): number {
  const meminfo = readFileSync(`${procFolder}/meminfo`, "utf8");
  const kibibytes = Number(/^MemAvailable:\s+(\d+) kB/m.exec(meminfo)?.[1] ?? Number.NaN);
  if (Number.isNaN(kibibytes)) throw new Error(`${procFolder}/meminfo does not tell MemAvailable`);
  return Math.min((kibibytes * 1024) / gibibyte, containerLimitGb());
}

function containerLimitGb(): number {
  for (const file of ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"]) {
    if (!existsSync(file)) continue;
    const limit = Number(readFileSync(file, "utf8")); // "max" is NaN
    if (limit > 0) return limit / gibibyte;
  }
  return Number.POSITIVE_INFINITY;
}

/** Resolves once a connection stands. */
function reached(host: string, port: number, seconds: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ host, port, timeout: seconds * 1000 });
    const fail = (reason: string) => {
      socket.destroy();
      reject(new Error(`Network connectivity failed: ${host}:${port}, ${reason}`));
    };
    socket.once("connect", () => {
      socket.destroy();
      resolve();
    });
    socket.once("timeout", () => fail(`no connection within ${seconds} s`));
    socket.once("error", (error: NodeJS.ErrnoException) => fail(error.code ?? error.message));
  });
}
