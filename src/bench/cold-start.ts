// Cold starts by phase: how long a new process takes until a model has generated its first token.
// Each start is a process of its own; the machine's page cache is as it is.
import { fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { packageRoot } from "../package-root.js";
import { type Interval, interval } from "./statistics.js";
import { TargetFailure } from "./target.js";

/** What a process is to load. */
export interface ColdOrder {
  readonly path: string;
  readonly gpuLayers: number | "all" | undefined;
  readonly slots: number;
  readonly contextLength: number | undefined;
  readonly threads: number | undefined;
  readonly kvType: "f16" | "f32" | "q8_0" | undefined;
}

/** What a process tells; all but the first are lengths of time. */
export interface ColdTimes {
  /** When its first line ran, in milliseconds of the epoch. */
  readonly startedMs: number;
  readonly libraryMs: number;
  readonly weightsMs: number;
  readonly contextMs: number;
  readonly warmupMs: number;
  readonly firstTokenMs: number;
}

/** The phases, in their order. */
export const coldPhases = [
  ...(["processMs", "libraryMs", "weightsMs", "contextMs", "warmupMs", "firstTokenMs"] as const),
] as const;

/** One start; the phases add up to the whole. */
export type ColdRun = Readonly<Record<(typeof coldPhases)[number] | "totalMs", number>>;

/** Several starts. */
export interface ColdStart {
  readonly runs: readonly ColdRun[];
  readonly phases: Readonly<Record<keyof ColdRun, Interval>>;
}

/**
 * Starts one process after the other.
 * @returns null where the signal came before the first one had ended
 * @throws TargetFailure (rejects) where one cannot be started, or cannot load the model
 */
export async function coldStarts(
  order: ColdOrder,
  count: number,
  signal: AbortSignal,
  onRun: (run: ColdRun) => void,
): Promise<ColdStart | null> {
  const runs: ColdRun[] = [];
  while (runs.length < count && !signal.aborted) {
    const run = await coldRun(order, signal);
    if (run === null) break;
    runs.push(run);
    onRun(run);
  }
  if (runs.length === 0) return null;
  const names = [...coldPhases, "totalMs"] as const;
  const phases = names.map((name) => [name, interval(runs.map((run) => run[name]))]);
  return { runs, phases: Object.fromEntries(phases) as ColdStart["phases"] };
}

async function coldRun(order: ColdOrder, signal: AbortSignal): Promise<ColdRun | null> {
  const beginMs = performance.timeOrigin + performance.now();
  const child = fork(join(packageRoot(), "dist/bench-cold.js"), [], { stdio: "ignore" });
  const kill = () => void child.kill("SIGKILL");
  signal.addEventListener("abort", kill, { once: true });
  try {
    const said = await answerOf(child, order);
    if (signal.aborted) return null;
    if (said === null || said.times === undefined)
      throw new TargetFailure(`a cold start failed: ${said?.problem ?? "its process ended"}`);
    const { startedMs, ...times } = said.times;
    const run = { processMs: startedMs - beginMs, ...times };
    return { ...run, totalMs: Object.values(run).reduce((sum, each) => sum + each, 0) };
  } finally {
    signal.removeEventListener("abort", kill);
    kill();
  }
}

interface Answer {
  readonly times?: ColdTimes;
  readonly problem?: string;
}

/** @returns null where the process ended without one */
async function answerOf(child: ReturnType<typeof fork>, order: ColdOrder): Promise<Answer | null> {
  const ended = once(child, "exit").then(() => null);
  if ((await Promise.race([once(child, "message"), ended])) === null) return null;
  const answer = once(child, "message").then(([said]) => said as Answer);
  child.send(order, () => {}); // a process that has ended is heard of
  return Promise.race([answer, ended]);
}
