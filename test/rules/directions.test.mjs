// Each direction between src's folders that ARCHITECTURE.md states is checked: a project with
// that document and imports that it forbids, judged at once by dependency-cruiser.
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { directionFindings } from "../../tools/rules/directions.mjs";
import { kDocument, parseTree, readDocument } from "../../tools/rules/document.mjs";
import { trackedFiles } from "../../tools/rules/files.mjs";

const root = path.resolve(import.meta.dirname, "../..");
const document = readDocument(root);
const packages = ["zod", "commander", "prom-client", "eventsource-parser", "@huggingface/hub"];
const others = ["http-proxy-agent", "https-proxy-agent", "openai"];

const folder = mkdtempSync(path.join(os.tmpdir(), "infernode-directions-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function write(files, below = folder) {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(below, name)), { recursive: true });
    writeFileSync(path.join(below, name), text);
  }
  return Object.keys(files);
}

const devDependencies = Object.fromEntries([...packages, ...others].map((name) => [name, "1"]));
const project = { [kDocument]: document, "package.json": JSON.stringify({ devDependencies }) };

// Who, and what it must not import: a file of src, a package or a module of Node's.
const forbidden = [
  ["openai", "serverless/worker", "knows no job"],
  ["openai", "node:http", "opens no socket"],
  ["openai", "node:net", "opens no socket"],
  ["openai", "engine/submissions", "knows an engine by its public calls"],
  ["openai", "native-addon", "knows the engine's types only"],
  ["openai", "text-generation/worker", "is below the worker"],
  ["serverless", "engine/engine", "never sees the engine"],
  ["serverless", "native-addon", "never sees the engine"],
  ["serverless", "index", "never sees the engine"],
  ["serverless", "openai/routes", "knows no API"],
  ["serverless", "text-generation/worker", "is below the worker's handler"],
  ["serverless", "models/obtain", "knows no models"],
  ["text-generation", "cli/main", "is run by the command line"],
  ["text-generation", "index", "knows the parts"],
  ["text-generation", "node:http", "leaves sockets to serverless"],
  ["bench", "engine/submissions", "measures from outside"],
  ["bench", "serverless/wire-client", "measures from outside"],
  ["bench", "native-addon", "measures from outside"],
  ["bench", "cli/main", "is run by the command line"],
  ["engine", "bench/load", "is not run by what it measures"],
  ["serverless", "bench/load", "is not run by what it measures"],
  ["index", "bench/load", "is the command line's alone"],
  ["engine", "cli/main", "knows no command line"],
  ["index", "cli/main", "knows no command line"],
  ["engine", "serverless/worker", "knows no jobs"],
  ["engine", "openai/routes", "knows no API"],
  ["engine", "index", "is below the public interface"],
  ["engine", "models/plan/plan", "is below the plans"],
  ["chat", "engine/engine", "is below the engine"],
  ["chat", "models/obtain", "knows no models"],
  ["constraints", "engine/engine", "is below the engine"],
  ["constraints", "chat/tools", "is below the chat"],
  ["models", "engine/engine", "is below the engine"],
  ["models", "models/plan/plan", "is below its own folder's plans"],
  ["models", "node:https", "leaves sockets to the hub's client"],
  ["models/hub", "engine/engine", "knows no engine"],
  ["models/hub", "native-addon", "knows no addon"],
  ["models/plan", "serverless/worker", "knows no jobs"],
  ["cli/chat", "engine/engine", "uses the public interface"],
  ["cli/doctor", "engine/engine", "knows installations only"],
  ["thrown", "native-addon", "is at the bottom"],
  ["errors", "engine/engine", "is at the bottom"],
  ["log", "engine/engine", "is below the engine"],
  ["engine", "commander", "parses no command line"],
  ["engine", "prom-client", "keeps no metrics"],
  ["serverless", "@huggingface/hub", "downloads nothing"],
  ["openai", "zod", "judges by tables"],
  ["engine", "left-pad", "has no package that is not listed"],
];

const allowed = [
  ["openai", "engine/events"],
  ["bench", "index"],
  ["bench", "engine/judge"],
  ["bench", "node:http"],
  ["bench", "eventsource-parser"],
  ["cli", "bench/load"],
  ["cli", "text-generation/worker"],
  ["serverless", "node:http"],
  ["models/hub", "@huggingface/hub"],
  ["text-generation", "serverless/worker"],
  ["text-generation", "openai/routes"],
  ["engine", "node:fs"],
];

const isFile = (to) => !to.startsWith("node:") && ![...packages, "left-pad"].includes(to);
const specifier = (from, to) =>
  isFile(to) ? `./${path.relative(path.dirname(`src/${from}`), `src/${to}.js`)}` : to;
const shown = (to) => (isFile(to) ? `src/${to}.ts` : to.replace("node:", ""));

// A file of src itself is what the document names; a folder's is new and numbered.
const groups = parseTree(document).find((one) => one.folder === "src").lines;
const isOwnFile = (name) => groups.some(({ names }) => names.includes(name));
const place = (from, kind, at) => (isOwnFile(from) ? from : `${from}/${kind}${at}`);

let findings;
beforeAll(async () => {
  const files = {};
  const add = (name, line) => {
    files[`src/${name}.ts`] = `${files[`src/${name}.ts`] ?? "// a\n"}${line}`;
  };
  for (const [kind, cases] of Object.entries({ forbidden, allowed })) {
    for (const [at, [from, to]] of cases.entries()) {
      const name = place(from, kind, at);
      add(name, `import type { A } from "${specifier(name, to)}";\n`);
      if (isFile(to)) add(to, "");
    }
  }
  findings = await directionFindings(folder, write({ ...project, ...files }));
}, 30_000);

it.each(forbidden.map((one, at) => [...one, at]))("%s → %s is refused: it %s", (from, to, _, at) => {
  const start = `src/${place(from, "forbidden", at)}.ts: imports ${shown(to)}: `;
  expect(findings.filter((finding) => finding.startsWith(start))).toHaveLength(1);
});

it("refuses nothing else", () => {
  expect(findings.filter((finding) => finding.includes("/allowed"))).toEqual([]);
  expect(findings).toHaveLength(forbidden.length);
});

it("this repository keeps the directions", async () => {
  expect(await directionFindings(root, trackedFiles(root))).toEqual([]);
});

// A project of its own for each test below.
async function judge(files) {
  const below = mkdtempSync(path.join(folder, "project-"));
  return (await directionFindings(below, write({ ...project, ...files }, below))).join("\n");
}

it.each([
  ["a type", 'import type { A } from "../cli/f.js";'],
  ["an import for its effects", 'import "../cli/f.js";'],
  ["an export", 'export { a } from "../cli/f.js";'],
  ["an export of everything", 'export * from "../cli/f.js";'],
  ["import()", 'const a = await import("../cli/f.js");'],
  ["import() that is a type", 'type A = readonly import("../cli/f.js").A[];'],
  ["what does not exist", 'import { a } from "../cli/gone.js";'],
  ["the package from outside of src", 'import a from "../../tools/a.js";'],
])("sees every way to import: %s", async (_, line) => {
  const found = await judge({ "src/engine/a.ts": `// a\n${line}\n`, "src/cli/f.ts": "// f\n" });
  expect(found).toMatch(/^src\/engine\/a\.ts: imports /);
});

it("does not take comments and strings for imports", async () => {
  const text = '// import "../cli/f.js"\n/* import("../cli/f.js") */\nconst a = \'import "../cli/f.js"\';\n';
  expect(await judge({ "src/engine/a.ts": text, "src/cli/f.ts": "// f\n" })).toBe("");
});

it("says so where a source was not read", async () => {
  write({ "src/engine/a.ts": "// a\n" });
  const found = await directionFindings(folder, ["src/engine/a.ts", "src/engine/unread.ts"]);
  expect(found.join("\n")).toContain("src/engine/unread.ts: dependency-cruiser did not read it");
});

it("names a source that cannot be parsed", async () => {
  await expect(judge({ "src/engine/a.ts": "// a\nimport {\n" })).rejects.toThrow("src/engine/a.ts");
});

// dependency-cruiser finds its parser beside itself; the rules do not, where they were copied to.
it("refuses to judge without the parser", async () => {
  const below = mkdtempSync(path.join(folder, "copy-"));
  write({ ...project, "src/engine/a.ts": "// a\n" }, below);
  cpSync(path.join(root, "tools/rules"), path.join(below, "tools/rules"), { recursive: true });
  mkdirSync(path.join(below, "node_modules"));
  symlinkSync(
    path.join(root, "node_modules/dependency-cruiser"),
    path.join(below, "node_modules/dependency-cruiser"),
  );
  spawnSync("git", ["init", "--quiet", below]);
  const main = path.join(below, "tools/rules/main.mjs");
  const { status, stdout } = spawnSync(process.execPath, [main, below], { encoding: "utf8" });
  expect(stdout).toContain("@swc/core, which parses src for the rules, cannot be loaded: run `npm ci`");
  expect(status).toBe(1);
});
