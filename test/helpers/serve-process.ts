// `infernode serve` in a process of its own: where it listens, what it says, and how it ends.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";

const command = join(import.meta.dirname, "../../dist/cli/main.js");

export interface ServeProcess {
  readonly pid: number;
  readonly url: string;
  readonly port: number;
  /** All that it has said. */
  readonly said: () => string;
  /** Null: a signal ended it, which it did not outlive. */
  readonly exitCode: () => number | null;
  /** Tells it to leave. @returns its exit code; null where it had to be killed */
  stop(): Promise<number | null>;
}

/** Resolves once it is ready. */
export async function serveInProcess(
  args: readonly string[] = [],
  environment: Readonly<Record<string, string>> = {},
): Promise<ServeProcess> {
  const env = { PATH: process.env.PATH, ...environment };
  const child = spawn(process.execPath, [command, "serve", "--port", "0", ...args], { env });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (said += chunk));
  const ended = once(child, "close").then(([code]) => code as number | null);
  const address = () => /Serving on http:\/\/[^:]+:(\d+)/.exec(said)?.[1];
  while (address() === undefined && child.exitCode === null)
    await Promise.race([once(child.stdout, "data"), once(child.stderr, "data"), ended]);
  const port = Number(address());
  if (child.pid === undefined || Number.isNaN(port)) throw new Error(said);
  return {
    pid: child.pid,
    url: `http://127.0.0.1:${port}`,
    port,
    said: () => said,
    exitCode: () => child.exitCode,
    stop() {
      child.kill("SIGTERM");
      return ended;
    },
  };
}
