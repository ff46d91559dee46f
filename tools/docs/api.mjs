// `npm run docs:api [-- --check]`: docs/api/ out of the docstrings, by TypeDoc in
// its own packages (tools/docs/package.json). An export without a docstring, a type that is
// named and not exported, and a link that leads nowhere are errors. --check writes nothing
// and fails where a committed page is another one.
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { run } from "../setup/command.mjs";
import { runMain, SetupFailure } from "../setup/failure.mjs";
import { runNpm } from "../setup/packages.mjs";
import { paths, root } from "../setup/paths.mjs";
import { anchorsOf, headingsOf } from "./links.mjs";

const folder = path.join(root, "tools/docs");
const each = (flag, values) => values.flatMap((value) => [flag, value]);

/** The pages, each of one entry of the package, and what its check of the docstrings passes over. */
const kPages = {
  "README.md": [
    "--intentionallyNotExported",
    "registry",
    ...each("--intentionallyNotDocumented", [
      "ObjectOf.__type.~standard",
      "ObjectOf.__type.~standard.__type.types",
      "ObjectOf.__type.output",
    ]),
  ],
  "openai.md": [
    ...["--entryPoints", "../../src/mount/openai-api.ts", "--name", "API reference: infernode/openai"],
    ...each("--intentionallyNotExported", ["Engine", "Model"]), // they are on the other page
  ],
};

const kOpening = `Made by \`npm run docs:api\` from the docstrings. Every option with its range and default: [options](../options.md);
every error code: [errors](../errors.md); how to do things: [guides](../README.md).`;

await runMain(async () => {
  const { values } = parseArgs({ options: { check: { type: "boolean" } } });
  if (!(await installed())) return 0;
  for (const [name, flags] of Object.entries(kPages)) {
    const page = path.join(root, "docs/api", name);
    const made = withIndex(mendedAnchors(await makePage(flags)));
    if (values.check) demandCurrent(page, made);
    else {
      mkdirSync(path.dirname(page), { recursive: true });
      writeFileSync(page, made);
    }
  }
  return 0;
});

function demandCurrent(page, made) {
  if (existsSync(page) && readFileSync(page, "utf8") === made) return;
  const name = path.relative(root, page);
  throw new SetupFailure(`${name} is not what the docstrings make now; run npm run docs:api.`);
}

// Whether TypeDoc is there; where its packages cannot be fetched that is said and no failure.
async function installed() {
  const manifest = JSON.parse(readFileSync(path.join(folder, "package.json"), "utf8"));
  const isCurrent = ([name, version]) => {
    const file = path.join(folder, "node_modules", name, "package.json");
    return existsSync(file) && JSON.parse(readFileSync(file, "utf8")).version === version;
  };
  if (Object.entries(manifest.devDependencies).every(isCurrent)) return true;
  try {
    await runNpm(["ci", "--no-audit", "--no-fund"], { cwd: folder, what: "npm ci in tools/docs" });
    return true;
  } catch (error) {
    process.stderr.write(`SKIPPED: the API reference: ${error.message}\n`);
    return false;
  }
}

async function makePage(flags) {
  const out = path.join(paths.state, "api-reference");
  rmSync(out, { recursive: true, force: true });
  const program = fileURLToPath(new URL("node_modules/typedoc/bin/typedoc", import.meta.url));
  await run(process.execPath, [program, ...flags, "--out", out], { cwd: folder, what: "TypeDoc" });
  return readFileSync(path.join(out, "README.md"), "utf8");
}

// The plugin numbers an interface's heading where a method of the same letters exists
// (Engine.stats and EngineStats), which GitHub does not.
function mendedAnchors(markdown) {
  const anchors = anchorsOf(markdown);
  const mended = (link, name) => (!anchors.has(link) && anchors.has(name) ? `(#${name})` : `(#${link})`);
  return markdown.replace(/\(#(([\w-]+?)-\d+)\)/g, (_, link, name) => mended(link, name));
}

// The page with the exports of each kind named at its top.
function withIndex(markdown) {
  const lists = [];
  for (const { level, text, anchor } of headingsOf(markdown)) {
    if (level === 2) lists.push({ kind: text, links: [] });
    if (level === 3) lists.at(-1).links.push(`[${text}](#${anchor})`);
  }
  const index = lists.map(({ kind, links }) => `${kind}: ${links.join(" · ")}`);
  return markdown.replace("\n\n", `\n\n${[kOpening, ...index].join("\n\n")}\n\n`);
}
