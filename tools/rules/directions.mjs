// Who may import whom in src, by dependency-cruiser. ARCHITECTURE.md's tree is the list: what
// stands right of a line's arrow is a group of src's own files, a folder (without the folders in
// it), a file as folder/name, a package of package.json, or "sockets". Files of one line may
// import each other. Every file may import Node's modules, but for those that open sockets.
import { readFileSync } from "node:fs";
import path from "node:path";
import { cruise } from "dependency-cruiser";
import { kDocument, kSocketsWord, packagesOf, parseTree, readDocument } from "./document.mjs";

const kSocketModules = "^(?:node:)?(?:http|http2|https|net|tls|dgram)$";
const kSource = "^src/";
const literal = (name) => name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

/** Sentences; `files` are the repository's. Throws where a source cannot be parsed. */
export async function directionFindings(folder, files) {
  const sources = files.filter((file) => /^src\/.*\.ts$/.test(file));
  if (sources.length === 0) return [];
  await requireParser();
  const findings = [];
  const { output } = await cruise(["src"], {
    baseDir: folder,
    parser: "swc", // its other parsers need TypeScript below 7 (decision 0053)
    tsPreCompilationDeps: true,
    doNotFollow: { path: "node_modules" },
    enhancedResolveOptions: {
      extensions: [".ts"],
      exportsFields: ["exports"],
      conditionNames: ["import", "node"],
    },
    validate: true,
    ruleSet: { forbidden: allowedImports(folder).flatMap(rulesOf) },
  });
  const read = new Set(output.modules.map(({ source }) => source));
  const unread = sources.filter((file) => !read.has(file));
  if (unread.length > 0) findings.push(`${unread[0]}: dependency-cruiser did not read it`);
  for (const { from, to, rule } of output.summary.violations)
    findings.push(`${from}: imports ${to}: ${kDocument} does not let ${rule.name} import it`);
  for (const module of output.modules) findings.push(...unseenImports(folder, module));
  return findings;
}

// Without its parser dependency-cruiser takes another in silence, which misses imports.
async function requireParser() {
  try {
    await import("@swc/core");
  } catch (cause) {
    const advice = "run `npm ci`, which must not leave out optional packages";
    throw new Error(`@swc/core, which parses src for the rules, cannot be loaded: ${advice}`, { cause });
  }
}

// dependency-cruiser does not see types that are written as import("./a.js").A.
function unseenImports(folder, { source, dependencies }) {
  if (!source.startsWith("src/")) return [];
  const seen = new Set(dependencies.map(({ module }) => module));
  const text = readFileSync(path.join(folder, source), "utf8").replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, "");
  const written = [...text.matchAll(/\bimport\s*\(\s*["'](?:node:)?([^"']+)["']/g)].map(
    ([, module]) => module,
  );
  return written
    .filter((module) => !seen.has(module))
    .map((module) => `${source}: imports ${module} within a type: write an \`import type\` line instead`);
}

// The tree's lines of src: { name, own, files, packages, sockets }, patterns but for the name.
// That the words right of the arrow are names of something, tree.mjs sees to.
function allowedImports(folder) {
  const lines = parseTree(readDocument(folder)).find((one) => one.folder === "src")?.lines ?? [];
  const groups = new Map(lines.filter(({ names }) => names.length > 0).map((one) => [one.name, group(one)]));
  const folders = new Set(lines.map(({ name }) => name.replace(/\/$/, "")));
  const dependencies = packagesOf(folder);
  const isPackage = (word) => dependencies.has(word) && !folders.has(word); // as openai is both
  return lines.map(({ name, imports }) => {
    const own = groups.get(name) ?? `^src/${literal(name)}[^/]+$`;
    const others = imports.filter((word) => !isPackage(word) && word !== kSocketsWord);
    return {
      name: `src's ${name}`,
      own,
      files: [own, ...others.map((word) => groups.get(word) ?? `^src/${literal(word)}(?:/[^/]+|\\.ts)$`)],
      packages: imports.filter(isPackage).map((word) => `(?:^|node_modules/)${literal(word)}(?:/|$)`),
      sockets: imports.includes(kSocketsWord),
    };
  });
}

const group = ({ names }) => `^src/(?:${names.map(literal).join("|")})\\.ts$`;

function rulesOf({ name, own, files, packages, sockets }) {
  const rule = (to) => ({ name, severity: "error", from: { path: own }, to });
  const rules = [
    rule({ path: kSource, pathNot: files }),
    rule({ pathNot: [kSource, ...packages], dependencyTypesNot: ["core"] }),
  ];
  if (!sockets) rules.push(rule({ path: kSocketModules, dependencyTypes: ["core"] }));
  return rules;
}
