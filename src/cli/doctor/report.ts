// What `infernode doctor` finds: the machine, its GPUs, the native files and the caches, as
// values. Changes nothing and starts nvidia-smi and nvcc, where they are there.
import { execFileSync } from "node:child_process";
import { readFileSync, statfsSync } from "node:fs";
import { availableParallelism, cpus, totalmem } from "node:os";
import { dirname, join } from "node:path";
import type { CudaArchitectures } from "../../cuda-architectures.js";
import { architecturesOf } from "../../cuda-libraries.js";
import { type Device, devices } from "../../devices.js";
import { convertedFolder } from "../../models/converted-files.js";
import { hubSettings } from "../../models/hub-environment.js";
import { native } from "../../native-addon.js";
import type { NativeBackend, NativeNvidiaDriver } from "../../native-devices.js";
import { nativeFolder } from "../../native-folder.js";
import { messageOfThrown } from "../../thrown.js";

/** What NVIDIA's driver is, and what it tells. */
export interface DriverReport {
  /** "580.65.06"; null: there is no driver, or it does not tell. */
  readonly version: string | null;
  /** The CUDA version it supports, "13.0"; null: unknown. */
  readonly cudaVersion: string | null;
  /** Why it offers no GPU; null: it does. */
  readonly problem: string | null;
  readonly gpus: NativeNvidiaDriver["gpus"];
}

/** A backend's file. */
export interface LibraryReport extends Omit<NativeBackend, "problem"> {
  /** Why it is not used; null: it is. */
  readonly problem: string | null;
  /** Of a CUDA library: what it has code for. */
  readonly architectures: CudaArchitectures | null;
}

/** A folder that models are kept in. */
export interface CacheReport {
  readonly what: "hub" | "checkpoints";
  readonly folder: string;
  /** Bytes free on its disk; null: unknown. */
  readonly freeBytes: number | null;
}

/** Everything. */
export interface DoctorReport {
  readonly llamaCpp: string;
  readonly node: string;
  /** Of the native files. */
  readonly folder: string;
  /** Whether the system has a device file of an NVIDIA GPU or the driver counts one. */
  readonly hasNvidiaGpu: boolean;
  readonly driver: DriverReport;
  /** nvcc's version, "13.0"; null: there is no nvcc in PATH. */
  readonly toolkit: string | null;
  readonly devices: readonly Device[];
  readonly libraries: readonly LibraryReport[];
  readonly cpu: {
    readonly model: string;
    /** CPUs that this process may use, of those that there are. */
    readonly usable: number;
    readonly present: number;
    readonly features: readonly string[];
    readonly kernels: readonly string[];
  };
  readonly memory: { readonly availableBytes: number; readonly totalBytes: number };
  readonly caches: readonly CacheReport[];
  /** Why the environment's settings of the hub cannot be used; null: they can. */
  readonly hubProblem: string | null;
}

/** @throws InferenceError NATIVE_MISSING */
export function doctorReport(hasNvidiaGpu: () => boolean): DoctorReport {
  const addon = native();
  const host = addon.host();
  const hub = caches();
  return {
    llamaCpp: addon.build.llamaCpp,
    node: process.version,
    folder: nativeFolder(),
    hasNvidiaGpu: hasNvidiaGpu(),
    driver: driverReport(addon.nvidiaDriver()),
    toolkit: toolkitVersion(),
    devices: devices(),
    libraries: addon.backends().map(libraryReport),
    cpu: {
      model: cpus()[0]?.model ?? "unknown",
      usable: host.cpus,
      present: availableParallelism(),
      features: host.cpuFeatures,
      kernels: host.cpuKernels,
    },
    memory: { availableBytes: host.memoryAvailable, totalBytes: totalmem() },
    ...hub,
  };
}

function driverReport({ problem, cudaVersion, gpus }: NativeNvidiaDriver): DriverReport {
  const cuda = `${Math.floor(cudaVersion / 1000)}.${Math.floor((cudaVersion % 1000) / 10)}`;
  return {
    version: driverVersion(),
    cudaVersion: cudaVersion === 0 ? null : cuda,
    problem: problem === "" ? null : problem,
    gpus,
  };
}

/** From the kernel's module, or else from nvidia-smi. */
function driverVersion(): string | null {
  try {
    const text = readFileSync("/proc/driver/nvidia/version", "utf8");
    const found = /Kernel Module\D*?(\d+(?:\.\d+)+)/.exec(text)?.[1];
    if (found !== undefined) return found;
  } catch {
    // A container may lack it.
  }
  const printed = printedBy("nvidia-smi", ["--query-gpu=driver_version", "--format=csv,noheader"]);
  return /^\d+(?:\.\d+)+/m.exec(printed)?.[0] ?? null;
}

function toolkitVersion(): string | null {
  return /release (\d+\.\d+)/.exec(printedBy("nvcc", ["--version"]))?.[1] ?? null;
}

const patienceMs = 10_000;

/** "" where the program is not there or fails. */
function printedBy(program: string, args: readonly string[]): string {
  try {
    return execFileSync(program, args, {
      encoding: "utf8",
      timeout: patienceMs,
      stdio: ["ignore", "pipe", "ignore"],
    });
  } catch {
    return "";
  }
}

function libraryReport({ problem, ...backend }: NativeBackend): LibraryReport {
  const architectures = backend.backend === "cuda" ? (architecturesOf(backend.path) ?? null) : null;
  return { ...backend, problem: problem === "" ? null : problem, architectures };
}

function caches(): Pick<DoctorReport, "caches" | "hubProblem"> {
  try {
    const hub = hubSettings().cacheFolder;
    const of = (what: CacheReport["what"], folder: string) => ({
      what,
      folder,
      freeBytes: freeBytes(folder),
    });
    return { caches: [of("hub", hub), of("checkpoints", convertedFolder(hub))], hubProblem: null };
  } catch (thrown) {
    return { caches: [], hubProblem: messageOfThrown(thrown) };
  }
}

/** Of the disk of a folder that may not exist yet. */
function freeBytes(folder: string): number | null {
  try {
    const { bavail, bsize } = statfsSync(folder);
    return bavail * bsize;
  } catch {
    const parent = dirname(folder);
    return parent === folder ? null : freeBytes(join(parent));
  }
}
