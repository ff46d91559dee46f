// Child processes of the set-up. Each runs as its own process group, so that
// an interrupted set-up takes its compilers with it instead of leaving them
// writing into the build folder behind the next set-up's back.
import { spawn } from "node:child_process";
import { accessSync, constants } from "node:fs";
import path from "node:path";
import { SetupFailure } from "./failure.mjs";
import { root } from "./paths.mjs";

// Of a failed command's output: where it begins to complain, and its end.
const kFirstLines = 12;
const kLastLines = 48;
const kProgressLine = /^\[[\d/ %]+\] (Building|Linking|Generating|Re-checking)/;
const live = new Set();

for (const [signal, code] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
  ["SIGHUP", 129],
]) {
  process.on(signal, () => {
    // A child in the foreground (see runForeground) decides for itself. A terminal tells it of Ctrl-C
    // as it told this process; a program that signals this process alone does not.
    if ([...live].some((child) => child.foreground)) {
      const isTold = signal === "SIGINT" && process.stdin.isTTY === true;
      if (!isTold) for (const child of live) child.kill(signal);
      return;
    }
    for (const child of live) killGroup(child);
    process.stderr.write("\ninfernode: interrupted; the same command goes on from here.\n");
    process.exit(code);
  });
}

function killGroup(child) {
  try {
    process.kill(-child.pid, "SIGTERM");
  } catch {
    // Already gone.
  }
}

// Runs a command to its end, handing each line of its output to `onLine`.
// Resolves to all of stdout; a failure carries the last lines of both streams.
export function run(command, args, options = {}) {
  const { cwd = root, env = process.env, onLine = () => {}, what = command } = options;
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd,
      env,
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
    });
    live.add(child);
    let stdout = "";
    const tail = [];
    const keep = (line) => {
      onLine(line);
      if (kProgressLine.test(line)) return;
      tail.push(line);
      if (tail.length > kFirstLines + kLastLines) tail.splice(kFirstLines, 1);
    };
    child.stdout.setEncoding("utf8").on("data", (text) => {
      stdout += text;
    });
    splitLines(child.stdout, keep);
    splitLines(child.stderr.setEncoding("utf8"), keep);
    child.on("error", (error) => {
      live.delete(child);
      reject(new SetupFailure(`${what} could not be started (${error.code}).`));
    });
    child.on("close", (code, signal) => {
      live.delete(child);
      if (code === 0) resolve(stdout);
      else reject(new SetupFailure(`${what} failed (${signal ?? `exit ${code}`}).`, tail));
    });
  });
}

// Runs a command in the user's terminal and resolves to its exit code. `until` ends it when it
// aborts.
export function runForeground(command, args, options = {}) {
  const { cwd = root, env = process.env, stdin = "inherit", until } = options;
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, env, stdio: [stdin, "inherit", "inherit"] });
    child.foreground = true;
    live.add(child);
    const end = () => child.kill("SIGTERM");
    until?.addEventListener("abort", end);
    child.on("error", reject);
    child.on("close", (code, signal) => {
      live.delete(child);
      until?.removeEventListener("abort", end);
      resolve(signal ? 128 + (signal === "SIGINT" ? 2 : 15) : code);
    });
  });
}

function splitLines(stream, onLine) {
  let rest = "";
  stream.on("data", (text) => {
    const lines = (rest + text).split(/\r?\n|\r/);
    rest = lines.pop();
    for (const line of lines) if (line !== "") onLine(line);
  });
  stream.on("end", () => {
    if (rest !== "") onLine(rest);
  });
}

// The full path of a program on the PATH, or null.
export function findProgram(name) {
  for (const folder of (process.env.PATH ?? "").split(path.delimiter)) {
    const file = path.resolve(folder, name);
    try {
      accessSync(file, constants.X_OK);
      return file;
    } catch {
      // Not in this folder.
    }
  }
  return null;
}
