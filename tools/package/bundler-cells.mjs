// Cells of bundlers: a program and infernode in one bundle, as ES module and as CommonJS,
// run where node_modules lies above it and in a folder of its own; and the same with
// infernode left out of the bundle. A bundle works or says to mark infernode as external.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { createPlatform } from "../platform-emulator/index.mjs";
import { cell, demand, kStory, succeeds } from "./cells.mjs";
import { kProgram, makeConsumer, runThere } from "./consumer.mjs";
import { kQuiet } from "./npm-cells.mjs";

const kSource = `import { embeddedModelPath, loadModel, serverless } from "infernode";
const jobs = {
  generate: async () => {${kProgram}
  },
  work: () => serverless.start({ handler: async (job) => job.input }),
  nothing: async () => console.log("imported"),
};
jobs[process.argv[2]]();
`;

const kSentence = /mark infernode as external, and install it where the program runs \(esbuild: /;

// How each bundler writes out/app.mjs or out/app.cjs from app.mjs.
const kBundlers = {
  esbuild: (format, external) => [
    "app.mjs",
    "--bundle",
    "--platform=node",
    "--log-level=error",
    `--format=${format}`,
    `--outfile=out/app${endings[format]}`,
    ...(external ? ["--external:infernode"] : []),
  ],
  rolldown: (format, external) => [
    "app.mjs",
    "--dir=out",
    "--platform=node",
    `--format=${format}`,
    `--entry-file-names=[name]${endings[format]}`,
    `--chunk-file-names=[name]${endings[format]}`,
    ...(external ? ["--external=infernode"] : []),
  ],
};
const endings = { esm: ".mjs", cjs: ".cjs" };

export async function byBundlers(dependencies, url) {
  const consumer = makeConsumer(url, { dependencies });
  consumer.write("app.mjs", kSource);
  await cell("bundlers: installed", ["npm11"], async (found) => {
    await succeeds(consumer, process.execPath, [found.npm11, "install", ...kQuiet]);
  });
  for (const [name, argumentsFor] of Object.entries(kBundlers)) {
    for (const format of Object.keys(endings)) {
      const bundle = (found, external) =>
        succeeds(consumer, process.execPath, [found[name], ...argumentsFor(format, external)]);
      const program = `app${endings[format]}`;
      const inPlace = { ...consumer, folder: path.join(consumer.folder, "out") };
      await cell(`${name}, ${format}: bundled`, [name], async (found) => {
        await bundle(found, false);
        await generates(inPlace, program);
        await works(inPlace, program);
        await saysExternal(moved(inPlace), program);
      });
      await cell(`${name}, ${format}: infernode external`, [name], async (found) => {
        await bundle(found, true);
        await generates(inPlace, program);
        const { code, stderr } = await runThere(moved(inPlace), process.execPath, [program, "generate"]);
        demand(code === 1 && /Cannot find (module|package) 'infernode'/.test(stderr), `it says ${stderr}`);
      });
    }
  }
}

// The bundle in a folder of its own, without a node_modules above it.
function moved(consumer) {
  const folder = mkdtempSync(path.join(tmpdir(), "infernode-moved-"));
  cpSync(consumer.folder, folder, { recursive: true });
  return { ...consumer, folder };
}

async function generates(consumer, program) {
  const { story, chat } = JSON.parse(await succeeds(consumer, process.execPath, [program, "generate"]));
  demand(kStory.test(story) && chat.length > 0, `${program} says ${JSON.stringify({ story, chat })}`);
}

// The heartbeat thread pings, and a job is done.
async function works(consumer, program) {
  const platform = await createPlatform();
  const { folder: cwd, env } = consumer;
  const child = spawn(process.execPath, [program, "work"], {
    cwd,
    env: { ...env, ...platform.env() },
    stdio: "ignore",
  });
  const ended = once(child, "exit");
  try {
    const id = platform.enqueue({ id: "bundled", input: { echo: 1 } });
    const done = () => platform.job(id).status === "COMPLETED" && platform.calls("ping").length > 0;
    await platform.until(done, "a job done by the bundle");
  } finally {
    child.kill("SIGTERM");
    await ended;
    await platform.close();
  }
}

async function saysExternal(consumer, program) {
  const run = (job, env) => runThere(consumer, process.execPath, [program, job], env);
  const imported = await run("nothing");
  demand(imported.code === 0, `importing exits ${imported.code}: ${imported.stderr}`);
  const generated = await run("generate");
  demand(generated.code === 1 && kSentence.test(generated.stderr), `generating says ${generated.stderr}`);
  const platform = await createPlatform();
  try {
    const worked = await run("work", platform.env());
    demand(
      worked.code === 1 && kSentence.test(worked.stdout + worked.stderr),
      `working says ${worked.stderr}`,
    );
  } finally {
    await platform.close();
  }
}
