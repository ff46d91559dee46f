// Cells of `infernode build`, run by somebody who has installed the main package alone:
// what it says where something is missing, and a build that is interrupted, resumed, found
// current, and generates. llama.cpp's sources are the checkout's; the headers are fetched.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, mkdirSync, rmSync } from "node:fs";
import path from "node:path";
import { ensureLlamaSource } from "../setup/llama-source.mjs";
import { cell, demand, generates, succeeds } from "./cells.mjs";
import { makeConsumer, runThere } from "./consumer.mjs";
import { kQuiet } from "./npm-cells.mjs";

const kProgram = "node_modules/infernode/dist/cli/main.js";

export async function byBuilding(dependencies, url) {
  const consumer = makeConsumer(url, { dependencies });
  const build = [kProgram, "build"];
  await cell("build: installed without the platform's package", ["npm11"], async ({ npm11 }) => {
    await succeeds(consumer, process.execPath, [npm11, "install", "--omit=optional", ...kQuiet]);
  });
  await cell("build: without a compiler", [], async () => {
    await refuses(
      consumer,
      build,
      "git and tar and cmake and a C++ compiler and ninja or make and npm are missing",
    );
  });
  await cell("build: with a cache folder that cannot be written", [], async () => {
    const cache = path.join(consumer.folder, "package.json");
    await refuses(consumer, build, "cannot be written (ENOTDIR); set XDG_CACHE_HOME", {
      XDG_CACHE_HOME: cache,
    });
  });
  await cell("build: into node_modules", [], async () => {
    const { code, stderr } = await runThere(consumer, process.execPath, [
      ...build,
      "--out",
      "node_modules/x",
    ]);
    demand(code === 2 && stderr.includes("Expected a folder outside node_modules"), `it says ${stderr}`);
  });
  await cell("build: interrupted, resumed, current; generates", [], async () => {
    const cache = path.join(consumer.folder, "a cache");
    const env = { XDG_CACHE_HOME: cache, PATH: process.env.PATH };
    await placeLlamaSource(path.join(cache, "infernode/build/sources/llama.cpp"));
    const code = await interrupted(consumer, build, env);
    demand(code === 130, `interrupted, it exits ${code}`);
    const line = await succeeds(consumer, process.execPath, build, env);
    const native = /^INFERNODE_NATIVE='(.*)'\n$/.exec(line)?.[1] ?? "";
    demand(path.dirname(native) === path.join(cache, "infernode"), `it ends with ${line}`);
    const again = await runThere(consumer, process.execPath, build, env);
    demand(again.stdout === line && again.stderr === kCurrent, `the second time it says ${again.stderr}`);
    await generates(consumer, process.execPath, [], { INFERNODE_NATIVE: native });
    demand(
      !existsSync(path.join(consumer.folder, "node_modules/infernode/.build")),
      "it wrote into node_modules",
    );
  });
  rmSync(path.join(consumer.folder, "a cache"), { recursive: true, force: true });
}

const kCurrent = "infernode: the native files are current\n";

async function refuses(consumer, build, sentence, env) {
  const { code, stderr } = await runThere(consumer, process.execPath, build, env);
  demand(code === 1 && stderr.includes(sentence), `it exits ${code} and says ${stderr}`);
}

async function placeLlamaSource(folder) {
  const source = await ensureLlamaSource();
  mkdirSync(path.dirname(folder), { recursive: true });
  cpSync(source.folder, folder, { recursive: true, verbatimSymlinks: true });
}

// Ctrl-C as soon as it compiles. Resolves to the exit code.
async function interrupted({ folder, env }, args, more) {
  const child = spawn(process.execPath, args, {
    cwd: folder,
    env: { ...env, ...more },
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text) => {
    said += text;
    if (said.includes("compiling llama.cpp")) child.kill("SIGINT");
  });
  const [code] = await once(child, "exit");
  child.stderr.destroy(); // a compiler that outlives it may hold the other end
  return code;
}
