#!/usr/bin/env node
// The `infernode` command as a process: runs it, and turns every failure into one sentence
// on stderr and an exit code: 0 success, 1 failure, 2 wrong usage, 130 interrupted.
import { CommanderError } from "commander";
import { hearOwnLines } from "../log.js";
import { versionIn } from "../package-root.js";
import { misuseHint } from "./misuse.js";
import { program } from "./program.js";
import { exitCodes, failWithOutput, guardOutput, notice, reportFailure } from "./terminal.js";
import { welcomeText } from "./welcome.js";

/** Where a person's arguments begin in process.argv. */
const argumentsStart = 2;

/** "0.1.0 (llama.cpp v0.5.0)"; the pin is what this package was built with. */
function versions(): string {
  return `${versionIn("package.json")} (llama.cpp ${versionIn("third_party/llama.cpp.json")})`;
}

async function main(): Promise<void> {
  guardOutput();
  hearOwnLines(({ level, text }) => {
    if (level === "warn") notice(text);
  });
  try {
    if (process.argv.length === argumentsStart) process.stdout.write(welcomeText(commandName()));
    else await program(versions()).parseAsync(process.argv);
  } catch (thrown) {
    process.exitCode = thrown instanceof CommanderError ? commanderCode(thrown) : reportFailure(thrown);
  }
  failWithOutput();
}

/** How the person called this program: npx says so. */
function commandName(): string {
  return process.env.npm_command === "exec" ? "npx infernode" : "infernode";
}

/** Commander has printed its sentence; help and version are no failures. */
function commanderCode(error: CommanderError): number {
  if (error.exitCode === exitCodes.ok) return exitCodes.ok;
  const hint = misuseHint(process.argv.slice(argumentsStart));
  if (hint !== undefined) process.stderr.write(`${hint}\n`);
  return exitCodes.usage;
}

void main();
