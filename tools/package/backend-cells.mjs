// Cells of a backend in a package of its own, installed beside infernode by each package
// manager. No CUDA is built here: the library is the CPU backend under CUDA's name, which
// ggml loads as any other.
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { run } from "../setup/command.mjs";
import { cell, demand, skip, succeeds } from "./cells.mjs";
import { makeConsumer, runThere } from "./consumer.mjs";
import { packageName } from "./manifests.mjs";
import { kQuiet } from "./npm-cells.mjs";
import { kThisPlatform } from "./platforms.mjs";

const kBackend = packageName("linux-x64", "cuda-sm90");

const kProgram = `import { embeddedModelPath, loadModel, setLogListener } from "infernode";
const lines = [];
setLogListener(({ text }) => lines.push(text));
const model = await loadModel(embeddedModelPath());
const engine = await model.createEngine({ slots: 1, threads: 1 });
const { text } = await engine.generate({ prompt: "Once upon a time", maxTokens: 12, temperature: 0 });
await engine.close();
await model.close();
console.log(JSON.stringify({ text, loaded: lines.filter((line) => line.includes("backend from")) }));
`;

// Packs the backend, with the CPU backend of the platform package `tarball`.
export async function makeBackendTarball(tarball) {
  const folder = mkdtempSync(path.join(tmpdir(), "infernode-backend-"));
  await run("tar", ["xzf", tarball, "-C", folder, "--strip-components=1"], { what: "tar" });
  const cpu = readdirSync(folder).find((name) => /-ggml-cpu-/.test(name));
  copyFileSync(path.join(folder, cpu), path.join(folder, cpu.replace(/-cpu-(.*-)?(?=\w+\.so$)/, "-cuda-")));
  const args = ["tools/package/main.mjs", "--backend", `cuda-sm90=${folder}`];
  return (await run(process.execPath, args, { what: "npm run package" })).trim();
}

async function loadsBackend(consumer, args = []) {
  consumer.write("backend.mjs", kProgram);
  const printed = await succeeds(consumer, process.execPath, [...args, "backend.mjs"]);
  const { text, loaded } = JSON.parse(printed);
  demand(text.startsWith(", a little boy "), `it says ${text}`);
  const found = loaded.filter((line) => line.includes("linux-x64-cuda-sm90"));
  demand(loaded.length === 2 && found.length === 1, `it loaded ${JSON.stringify(loaded)}`);
}

export async function backends(dependencies, url) {
  if (kThisPlatform !== "linux-x64") return skip("a package with a backend", "they are for linux-x64");
  const all = { ...dependencies, [kBackend]: "*" };
  for (const name of ["npm10", "npm11"]) {
    await cell(`${name}, a package with a backend`, [name], async (found) => {
      const consumer = makeConsumer(url, { dependencies: all });
      for (const command of ["install", "ci"])
        await succeeds(consumer, process.execPath, [found[name], command, ...kQuiet]);
      await loadsBackend(consumer);
    });
  }
  await cell("pnpm, a package with a backend", ["pnpm"], async ({ pnpm }) => {
    const consumer = makeConsumer(url, { dependencies: all });
    await succeeds(consumer, process.execPath, [pnpm, "install", "--store-dir", ".store"]);
    await loadsBackend(consumer);
  });
  for (const linker of ["node-modules", "pnp"]) {
    await cell(`yarn, ${linker}, a package with a backend`, ["yarn"], async ({ yarn }) => {
      const consumer = makeConsumer(url, { dependencies: all });
      consumer.write("yarn.lock", "");
      const env = { YARN_NODE_LINKER: linker, YARN_ENABLE_IMMUTABLE_INSTALLS: "false" };
      await succeeds(consumer, process.execPath, [yarn, "install"], env);
      const pnp = ["--require", "./.pnp.cjs", "--loader", "./.pnp.loader.mjs", "--no-warnings"];
      await loadsBackend(consumer, linker === "pnp" ? pnp : []);
    });
  }
  await cell("npm refuses a backend of another version", ["npm11"], async ({ npm11 }) => {
    const consumer = makeConsumer(url, { dependencies: { ...dependencies, [kBackend]: "file:other.tgz" } });
    mkdirSync(path.join(consumer.folder, "package"));
    consumer.write("package/package.json", JSON.stringify({ name: kBackend, version: "99.0.0" }));
    await run("tar", ["czf", "other.tgz", "package"], { cwd: consumer.folder, what: "tar" });
    const { code, stderr } = await runThere(consumer, process.execPath, [npm11, "install", ...kQuiet]);
    demand(code !== 0 && stderr.includes("ERESOLVE"), `npm exits ${code} and says ${stderr}`);
  });
}
