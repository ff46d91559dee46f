// Workers in processes of their own, which can be stopped, frozen and killed.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";

export interface Child {
  readonly process: ChildProcess;
  readonly lines: readonly string[];
  /** Resolves with the exit code, or with the signal that ended it. */
  readonly ended: Promise<number | string | null>;
}

/** Starts test/serverless/workers/<name>.mjs with this environment and nothing else of ours. */
export function spawnWorker(
  name: string,
  environment: Readonly<Record<string, string>>,
  args: readonly string[] = [],
  directory?: string,
): Child {
  const file = join(import.meta.dirname, "workers", `${name}.mjs`);
  const env = { PATH: process.env.PATH, ...environment };
  const child = spawn(process.execPath, [file, ...args], {
    env,
    stdio: ["ignore", "pipe", "pipe"],
    ...(directory === undefined ? {} : { cwd: directory }),
  });
  const lines: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    let rest = "";
    stream.on("data", (chunk: Buffer) => {
      const parts = (rest + chunk).split("\n");
      rest = parts.pop() ?? "";
      lines.push(...parts);
    });
  }
  const ended = once(child, "exit").then(([code, signal]) => (code as number | null) ?? (signal as string));
  return { process: child, lines, ended };
}
