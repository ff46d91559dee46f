// An empty project of somebody who installs infernode: its files, its environment without
// a compiler on the PATH, and the programs it runs.
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

export const kProgram = `
  const model = await loadModel(embeddedModelPath());
  const engine = await model.createEngine({ slots: 1, threads: 1 });
  const story = await engine.generate({ prompt: "Once upon a time", maxTokens: 12, temperature: 0 });
  const messages = [{ role: "user", content: "Who is Mia?" }];
  const chat = await engine.generate({ messages, maxTokens: 8, temperature: 0 });
  await engine.close();
  await model.close();
  console.log(JSON.stringify({ story: story.text, chat: chat.text }));`;

const kMounted = `
  const model = await loadModel(embeddedModelPath());
  const engine = await model.createEngine({ slots: 1, threads: 1 });
  const openai = createOpenaiApi({ engine, model });
  const body = { prompt: "Once upon a time", max_tokens: 4 };
  const { status } = await openai.answer({ path: "/v1/completions", method: "POST", body });
  await engine.close();
  await model.close();
  console.log(status);`;

const kPrograms = {
  "run.mjs": `import { embeddedModelPath, loadModel } from "infernode";${kProgram}\n`,
  "run.cjs": `const { embeddedModelPath, loadModel } = require("infernode");\n(async () => {${kProgram}\n})();\n`,
  "openai.mjs": `import { embeddedModelPath, loadModel } from "infernode";\nimport { createOpenaiApi } from "infernode/openai";${kMounted}\n`,
  "openai.cjs": `const { embeddedModelPath, loadModel } = require("infernode");\nconst { createOpenaiApi } = require("infernode/openai");\n(async () => {${kMounted}\n})();\n`,
};

// `registry` is the URL of the scope's registry; `manifest` is added to package.json.
export function makeConsumer(registry, manifest = {}) {
  const folder = mkdtempSync(path.join(tmpdir(), "infernode-consumer-"));
  const programs = path.join(folder, ".programs");
  mkdirSync(programs);
  for (const name of ["sh", "uname"]) symlinkSync(`/bin/${name}`, path.join(programs, name));
  symlinkSync(process.execPath, path.join(programs, "node"));
  const write = (name, text) => writeFileSync(path.join(folder, name), text);
  write("package.json", `${JSON.stringify({ name: "consumer", private: true, ...manifest }, null, 2)}\n`);
  write(".npmrc", `@infernode:registry=${registry}\n`);
  write(
    ".yarnrc.yml",
    [
      `npmScopes: { infernode: { npmRegistryServer: "${registry}" } }`,
      "unsafeHttpWhitelist: [127.0.0.1]",
      'npmPreapprovedPackages: ["@infernode/*"]',
      "enableTelemetry: false",
      "enableGlobalCache: false",
      "globalFolder: .yarn-own", // yarn keeps packages by name and version, which an earlier build had too
      "checksumBehavior: ignore",
      "",
    ].join("\n"),
  );
  for (const [name, text] of Object.entries(kPrograms)) write(name, text);
  const env = { ...process.env, PATH: programs, CI: "1" };
  for (const name of Object.keys(env)) if (/^(npm_|INFERNODE_|HF_|HUGGING)/i.test(name)) delete env[name];
  env.HF_HOME = path.join(folder, ".huggingface"); // empty, instead of this machine's models
  return { folder, env, write };
}

// Runs a program there. Resolves to { code, stdout, stderr }.
export function runThere({ folder, env }, command, args, extra = {}) {
  return new Promise((resolve) => {
    execFile(command, args, { cwd: folder, env: { ...env, ...extra } }, (error, stdout, stderr) =>
      resolve({ code: error ? (error.code ?? 1) : 0, stdout, stderr }),
    );
  });
}
