// Cells of npm: install, ci, without scripts, without the platform's package; Node's versions.
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { cell, demand, generates, succeeds } from "./cells.mjs";
import { makeConsumer, runThere } from "./consumer.mjs";

export const kQuiet = ["--no-audit", "--no-fund"];

// A shell that leaves a trace, where npm starts a package's script.
function traced({ folder }) {
  const trace = path.join(folder, "trace");
  const shell = path.join(folder, "shell.cjs");
  const leave = `require("node:fs").writeFileSync(${JSON.stringify(trace)}, "ran");`;
  writeFileSync(shell, `#!${process.execPath}\n${leave}\n`, { mode: 0o755 });
  return { trace, env: { npm_config_script_shell: shell } };
}

export async function byNpm(dependencies, url) {
  const npm = (consumer, script, args, env) =>
    succeeds(consumer, process.execPath, [script, ...args, ...kQuiet], env);
  await cell("npm 10 starts the install script of a package that has one", ["npm10"], async ({ npm10 }) => {
    const consumer = makeConsumer(url, { scripts: { install: "true" } });
    const { trace, env } = traced(consumer);
    await npm(consumer, npm10, ["install"], env);
    demand(existsSync(trace), "the shell left no trace: the cells below would not see one either");
  });
  for (const name of ["npm10", "npm11"]) {
    await cell(`${name} install, then ci, no process started`, [name], async (found) => {
      const consumer = makeConsumer(url, { dependencies });
      const { trace, env } = traced(consumer);
      await npm(consumer, found[name], ["install"], env);
      const lock = readFileSync(path.join(consumer.folder, "package-lock.json"), "utf8");
      demand(!lock.includes("hasInstallScript"), "npm sees an install script");
      await generates(consumer, process.execPath);
      rmSync(path.join(consumer.folder, "node_modules"), { recursive: true });
      await npm(consumer, found[name], ["ci"], env);
      demand(!existsSync(trace), "a process was started at install");
      await generates(consumer, process.execPath);
    });
  }
  const nodes = ["node20", "node22", "node24"];
  await cell("npm install --ignore-scripts; Node 20, 22, 24", ["npm11", ...nodes], async (found) => {
    const consumer = makeConsumer(url, { dependencies });
    await npm(consumer, found.npm11, ["install", "--ignore-scripts"]);
    for (const node of nodes) await generates(consumer, found[node], ["--no-warnings"]);
  });
  await cell("without the platform's package", ["npm11"], async ({ npm11 }) => {
    const consumer = makeConsumer(url, { dependencies });
    await npm(consumer, npm11, ["install", "--omit=optional"]);
    const { code, stderr } = await runThere(consumer, process.execPath, ["run.mjs"]);
    demand(code !== 0 && stderr.includes("npm install @infernode/linux-x64"), `run.mjs says ${stderr}`);
  });
}
