// Whether the GPUs of the machine answer, and whether their driver is new
// enough, as nvidia-smi tells. Without a GPU these checks are left out, which is
// said. What computes on them is the handler's: it warms up in `prepare`.
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { promisify } from "node:util";
import type { Check } from "./contract.js";
import type { Logger } from "./logger.js";
import type { CheckLimits } from "./system-checks.js";

const run = promisify(execFile);

export function gpuChecks(limits: CheckLimits, logger: Logger, procFolder: string): readonly Check[] {
  if (!existsSync(`${procFolder}/driver/nvidia`) && !existsSync("/dev/nvidiactl")) {
    logger.warn("No NVIDIA GPU here: the GPU checks are skipped.");
    return [];
  }
  return [
    async function gpu() {
      const listed = await nvidiaSmi(["--query-gpu=name,memory.total", "--format=csv,noheader"], limits);
      const names = listed.split("\n").filter((line) => line.trim() !== "");
      if (names.length === 0) throw new Error("GPU test failed: nvidia-smi lists no GPU");
      for (const name of names) logger.info(`GPU: ${name}`);
    },
    async function cuda() {
      const version = /CUDA (?:UMD )?Version:\s*([\d.]+)/.exec(await nvidiaSmi([], limits))?.[1];
      if (version === undefined) throw new Error("GPU test failed: nvidia-smi tells no CUDA version");
      if (isAtLeast(version, limits.cudaVersion)) return;
      throw new Error(`CUDA version ${version} is too old, ${limits.cudaVersion} required`);
    },
  ];
}

async function nvidiaSmi(args: readonly string[], { gpuSeconds }: CheckLimits): Promise<string> {
  try {
    const { stdout } = await run("nvidia-smi", args, { timeout: gpuSeconds * 1000, killSignal: "SIGKILL" });
    return stdout;
  } catch (thrown) {
    const [reason] = String((thrown as Error).message).split("\n");
    throw new Error(`GPU test failed: ${reason}`, { cause: thrown });
  }
}

/** Compares dotted versions by their numbers. */
export function isAtLeast(version: string, minimum: string): boolean {
  const [own, wanted] = [version, minimum].map((text) => text.split(".").map(Number));
  for (const [index, part] of (wanted ?? []).entries()) {
    const difference = (own?.[index] ?? 0) - part;
    if (difference !== 0) return difference > 0;
  }
  return true;
}
