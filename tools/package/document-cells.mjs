// The code blocks of the documents, run by somebody who has installed the packages: on each
// Node version, with the packages that examples import. Types are judged once.
import { symlinkSync, unlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { kExamplePackages, placeModels } from "../documents/project.mjs";
import { documents, Report, read } from "../documents/report.mjs";
import { runBlocks } from "../documents/runner.mjs";
import { judgeTypes } from "../documents/types.mjs";
import { findProgram } from "../setup/command.mjs";
import { say } from "../setup/steps.mjs";
import { cell, demand, succeeds } from "./cells.mjs";
import { makeConsumer } from "./consumer.mjs";

// What the shell blocks of documents call, beside node, npm and npx.
const kShell = ["cat", "curl", "env"];

export async function byReaders(dependencies, url) {
  const blocks = new Map(documents().map((file) => [file, read(file)]));
  const consumer = makeConsumer(url, {
    dependencies: { ...dependencies, ...kExamplePackages },
    devDependencies: { "@types/node": "^20.0.0" },
  });
  placeModels(consumer.folder);
  await cell("documents: the packages that examples import", ["npm11"], async ({ npm11 }) => {
    addPrograms(consumer, npm11, url);
    await succeeds(consumer, process.execPath, [npm11, "install", "--no-audit", "--no-fund"]);
  });
  for (const name of ["node20", "node22", "node24"]) {
    await cell(`documents on ${name}`, [name], async ({ [name]: node }) => {
      replaceNode(consumer, node);
      const started = performance.now();
      const report = new Report();
      for (const [file, found] of blocks) {
        report.addIdle(found);
        await runBlocks(consumer, found, node, (block, problem) => report.add(block, problem));
        if (file === "README.md") say(`README.md on ${name}: ${seconds(started)}`);
      }
      const all = [...blocks.values()].flat();
      await judgeTypes(consumer, all, (block, problem) => report.add(block, problem));
      say(report.close(all, `documents on ${name}, ${seconds(started)}`));
      demand(report.failed === 0, `${report.failed} blocks failed`);
    });
  }
}

function seconds(since) {
  return `${((performance.now() - since) / 1000).toFixed(1)} s`;
}

/** npm and npx by the Node that is in the folder, and what shell blocks call. */
function addPrograms({ folder, env }, npm, registry) {
  for (const [name, script] of [
    ["npm", npm],
    ["npx", npm.replace(/npm-cli\.js$/, "npx-cli.js")],
  ]) {
    // The registry of this test has infernode too: what readers install by its bare name.
    const text = `#!/bin/sh\nnpm_config_registry=${registry} exec node '${script}' "$@"\n`;
    writeFileSync(path.join(env.PATH, name), text, { mode: 0o755 });
  }
  for (const name of kShell) {
    const program = findProgram(name);
    demand(program !== null, `${name} is not on the PATH`);
    symlinkSync(program, path.join(env.PATH, name));
  }
  writeFileSync(path.join(folder, ".npmrc"), `@infernode:registry=${registry}\naudit=false\nfund=false\n`);
}

function replaceNode({ env }, node) {
  const place = path.join(env.PATH, "node");
  unlinkSync(place);
  symlinkSync(node, place);
}
