// What a result was measured on: machine, Node and build. Names no user, no host and no key.
import os from "node:os";
import { versionIn } from "../package-root.js";

/** Of a result's file. */
export interface MachineIdentity {
  readonly cpu: string;
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly system: string;
  readonly architecture: string;
  readonly node: string;
}

/** What this package was built from. */
export interface BuildIdentity {
  readonly infernode: string;
  readonly llamaCpp: string;
}

export function machineIdentity(): MachineIdentity {
  return {
    cpu: os.cpus()[0]?.model ?? "unknown",
    cpus: os.availableParallelism(),
    memoryBytes: os.totalmem(),
    system: `${os.type()} ${os.release()}`,
    architecture: os.arch(),
    node: process.version,
  };
}

export function buildIdentity(): BuildIdentity {
  return { infernode: versionIn("package.json"), llamaCpp: versionIn("third_party/llama.cpp.json") };
}
