// The machine that figures were taken on, as our own doctor sees it: its processor, the
// instructions that are used, and which kernels are ours.
import { execFileSync } from "node:child_process";
import os from "node:os";
import path from "node:path";
import { paths } from "../../setup/paths.mjs";
import { describeMachine } from "../machine.mjs";

export function readMachine({ native }) {
  const env = native === undefined ? process.env : { ...process.env, INFERNODE_NATIVE: native };
  const program = path.join(paths.dist, "cli/main.js");
  // Exit code 1 tells of problems of the machine, such as a missing driver; the facts are there.
  const text = readEvenIfFailed(process.execPath, [program, "doctor", "--json"], env);
  const { llamaCpp, cpu } = JSON.parse(text);
  return {
    description: describeMachine(),
    kernel: os.release(),
    llamaCpp,
    instructions: cpu.features,
    kernels: cpu.kernels,
  };
}

function readEvenIfFailed(command, args, env) {
  try {
    return execFileSync(command, args, { env, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  } catch (error) {
    if (error.stdout) return error.stdout;
    throw error;
  }
}
