// `infernode doctor`: what this machine has to compute with, which native files are used and
// why each other is not, and a remedy for each problem. Exit code 1 where something is wrong.
import { basename } from "node:path";
import { Command } from "commander";
import { heldText } from "../../cuda-libraries.js";
import { cudaRemedy } from "../../cuda-packages.js";
import { hasGpu } from "../../gpu-problems.js";
import { bytes, table } from "../format.js";
import { exitCodes } from "../terminal.js";
import { type Problem, problemsOf } from "./problems.js";
import { type DoctorReport, doctorReport, type LibraryReport } from "./report.js";

/** The command. */
export function doctorCommand(): Command {
  return new Command("doctor")
    .description("show the devices, the native files and the caches, and what is wrong with them")
    .option("--json", "print one line of JSON instead")
    .action(doctor);
}

function doctor({ json }: { readonly json?: boolean }): void {
  const report = doctorReport(hasGpu);
  const problems = problemsOf(report, cudaRemedy);
  const text = json ? JSON.stringify({ ...report, problems }) : doctorText(report, problems);
  process.stdout.write(`${text}\n`);
  if (problems.some(({ level }) => level === "error")) process.exitCode = exitCodes.failure;
}

/** For a person to read. */
export function doctorText(report: DoctorReport, problems: readonly Problem[]): string {
  const { driver, toolkit, cpu, memory, caches, devices, libraries } = report;
  const total = memory.availableBytes === 0 ? "an unknown amount" : bytes(memory.availableBytes);
  const versions = [
    ["llama.cpp", report.llamaCpp],
    ["Node.js", report.node],
    ["native files", report.folder],
    ["NVIDIA driver", driverText(driver)],
    ["CUDA toolkit", toolkit ?? "no nvcc in PATH, which only building needs"],
    ["CPU", `${cpu.model}, ${cpu.usable} of ${cpu.present} CPUs for this process`],
    ["instructions", cpu.features.join(" ") || "none beyond the least"],
    ["own kernels", cpu.kernels.join(", ") || "none for these instructions: llama.cpp's are used"],
    ["memory", `${total} free of ${bytes(memory.totalBytes)}`],
    ...caches.map(({ what, folder, freeBytes }) => [
      `cache of ${what === "hub" ? "the hub" : what}`,
      `${folder}, ${freeBytes === null ? "an unknown amount" : bytes(freeBytes)} free`,
    ]),
  ];
  const found = devices.map(({ name, description, computeCapability, memoryBytes, freeBytes }) => [
    name,
    description,
    computeCapability ?? "",
    `${bytes(freeBytes)} free of ${bytes(memoryBytes)}`,
  ]);
  return [
    table(versions),
    `\nDevices\n${table(found)}`,
    `\nBackends\n${table(libraries.map(libraryRow))}`,
    `\n${problemsText(problems)}`,
  ].join("\n");
}

function driverText({ version, cudaVersion, problem, gpus }: DoctorReport["driver"]): string {
  if (version === null && gpus.length === 0) return `none (${problem})`;
  const state = problem ?? gpus.map(({ name, capability }) => `${name} (${capability})`).join(", ");
  return `${version ?? "of unknown version"}, for CUDA up to ${cudaVersion ?? "an unknown version"}: ${state}`;
}

function libraryRow({ path, loaded, devices, problem, architectures }: LibraryReport): readonly string[] {
  const held = architectures === null ? "" : `, ${heldText(architectures)}`;
  const count = `${devices} ${devices === 1 ? "device" : "devices"}`;
  return [basename(path), loaded ? "loaded" : "not loaded", problem ?? `${count}${held}`];
}

function problemsText(problems: readonly Problem[]): string {
  if (problems.length === 0) return "No problems.";
  const lines = problems.map(({ level, what, remedy }) => `${level}: ${what}\n  what to do: ${remedy}`);
  return lines.join("\n");
}
