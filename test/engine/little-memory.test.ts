// Where the kernel grants no more memory, whatever llama.cpp says then is OUT_OF_MEMORY.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const program = fileURLToPath(new URL("little-memory.mjs", import.meta.url));
const flags = ["--expose-gc", "--min-semi-space-size=16"];

interface Outcome {
  readonly code?: string;
  readonly message?: string;
  readonly retryable?: boolean;
}

async function outcomesOf(sweep: string): Promise<Outcome[]> {
  const child = spawn(process.execPath, [...flags, program, sweep], { stdio: ["ignore", "pipe", "ignore"] });
  const ended = once(child, "close");
  const outcomes: Outcome[] = [];
  for await (const line of createInterface({ input: child.stdout })) outcomes.push(JSON.parse(line));
  await ended;
  return outcomes;
}

describe.runIf(process.platform === "linux")("too little memory", () => {
  it.each([
    ["an engine", "engine", "ower slots or contextLength."],
    ["an engine with a draft model", "draft", "ower slots or contextLength."],
    ["a model that is copied", "copied", "use a smaller quantization or a host with more memory."],
  ])("for %s is never the caller's mistake", { timeout: 60_000 }, async (_, sweep, advice) => {
    const outcomes = await outcomesOf(sweep);
    const failures = outcomes.filter(({ code }) => code !== undefined);
    expect(failures.filter(({ code, retryable }) => code !== "OUT_OF_MEMORY" || !retryable)).toEqual([]);
    expect(outcomes.length).toBeGreaterThan(failures.length);
    expect(failures.map(({ message }) => message)).toContainEqual(expect.stringContaining(advice));
  });
});
