// Runs Node programs in child processes and reports how they ended. A program
// that hangs is killed, which shows as a signal instead of an exit code.
import { spawn } from "node:child_process";
import { resolve } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";

export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Program {
  readonly nodeFlags?: readonly string[];
  readonly args?: readonly string[];
  readonly input?: string;
  /** Added to this process's own. */
  readonly env?: Readonly<Record<string, string>>;
  /** After this many milliseconds it is killed; default a minute. */
  readonly deadlineMs?: number;
}

const minuteMs = 60_000;

/** Runs a file, named from the package's root or absolutely. */
export async function run(
  file: string,
  { nodeFlags = [], args = [], input, env, deadlineMs = minuteMs }: Program = {},
): Promise<Ending> {
  const path = resolve(fileURLToPath(new URL("../..", import.meta.url)), file);
  const child = spawn(process.execPath, [...nodeFlags, path, ...args], {
    timeout: deadlineMs,
    killSignal: "SIGKILL",
    env: { ...process.env, ...env },
  });
  child.stdin.end(input);
  const ending = new Promise<Pick<Ending, "code" | "signal">>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => resolve({ code, signal }));
  });
  const [stdout, stderr, { code, signal }] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    ending,
  ]);
  return { code, signal, stdout, stderr };
}

/** Runs one of test/fixtures/programs. */
export function runFixture(name: string, program?: Program): Promise<Ending> {
  return run(`test/fixtures/programs/${name}`, program);
}

/** Runs the built command line. */
export function runCommand(args: readonly string[], input?: string): Promise<Ending> {
  return run("dist/cli/main.js", input === undefined ? { args } : { args, input });
}
