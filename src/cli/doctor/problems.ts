// What is wrong with a machine, and what to do about each: a pure function of the report.
import { cudaCodeFor } from "../../cuda-architectures.js";
import { heldText } from "../../cuda-libraries.js";
import { isOfGpu, remedyFor } from "../../gpu-problems.js";
import type { DoctorReport, LibraryReport } from "./report.js";

/** Something to mend. */
export interface Problem {
  /** "error": something does not work; "advice": something could work better. */
  readonly level: "error" | "advice";
  readonly what: string;
  readonly remedy: string;
}

const leastFreeBytes = 2 ** 30;

/**
 * @param installRemedy what to install for this machine's NVIDIA GPU
 */
export function problemsOf(report: DoctorReport, installRemedy: () => string): readonly Problem[] {
  return [
    ...libraryProblems(report),
    ...gpuProblems(report, installRemedy),
    ...slowStarts(report),
    ...cacheProblems(report),
  ];
}

function libraryProblems({ libraries }: DoctorReport): readonly Problem[] {
  return libraries
    .filter(({ backend, problem }) => isOfGpu(backend) && problem !== null)
    .map(({ path, problem }) => {
      const what = `${path}: ${problem}`;
      const remedy = remedyFor(problem ?? "") ?? "remove the file where it is not wanted";
      return { level: "error", what, remedy };
    });
}

function gpuProblems(report: DoctorReport, installRemedy: () => string): readonly Problem[] {
  const { hasNvidiaGpu, driver, devices, libraries } = report;
  if (!hasNvidiaGpu) return [];
  if (driver.problem !== null) {
    const remedy =
      remedyFor(driver.problem) ??
      "see what nvidia-smi says; install the driver again, or start the container with `--gpus all`";
    return [{ level: "error", what: `NVIDIA's driver offers no GPU: ${driver.problem}`, remedy }];
  }
  if (devices.some(({ backend }) => backend === "CUDA")) return [];
  if (libraries.some(({ backend }) => backend === "cuda")) return []; // told by libraryProblems
  return [
    { level: "error", what: "an NVIDIA GPU goes unused: there is no CUDA backend", remedy: installRemedy() },
  ];
}

/** A library whose code the driver compiles at the first use. */
function slowStarts({ libraries, driver }: DoctorReport): readonly Problem[] {
  const [gpu] = driver.gpus;
  if (gpu === undefined) return [];
  const isCompiled = ({ loaded, architectures }: LibraryReport) =>
    loaded && architectures !== null && cudaCodeFor(architectures, gpu.capability) === "ptx";
  return libraries.filter(isCompiled).map(({ path, architectures }) => ({
    level: "advice",
    what: `${path} has ${architectures === null ? "" : heldText(architectures)}: the driver compiles it for ${gpu.name} at the first use, which takes minutes`,
    remedy: `\`infernode build --cuda --arch ${gpu.capability.replace(".", "")}\` builds one for it`,
  }));
}

function cacheProblems({ caches, hubProblem }: DoctorReport): readonly Problem[] {
  const full = caches.filter(({ freeBytes }) => freeBytes !== null && freeBytes < leastFreeBytes);
  const problems: Problem[] = full.map(({ folder }) => ({
    level: "error",
    what: `the disk of ${folder} has less than 1 GiB free`,
    remedy: "free space, or set HF_HOME to a folder on another disk",
  }));
  if (hubProblem === null) return problems;
  return [...problems, { level: "error", what: hubProblem, remedy: "correct or unset the variable" }];
}
