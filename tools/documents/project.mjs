// The project of somebody who reads the documents, in this clone: an empty folder with the
// package (a link to the clone), the packages that examples import, and the model files.
// tools/package makes the same from the tarballs.
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { paths, root } from "../setup/paths.mjs";
import { modelFiles } from "./models.mjs";

/** What examples import beside infernode, at the versions that they are tested with. */
export const kExamplePackages = {
  zod: "^4",
  openai: "^6",
  "@anthropic-ai/sdk": "^1",
  "runpod-sdk": "^1",
  fastify: "^5",
  valibot: "^1",
};

export function cloneProject() {
  const folder = mkdtempSync(path.join(tmpdir(), "infernode-documents-"));
  const modules = path.join(folder, "node_modules");
  mkdirSync(path.join(modules, ".bin"), { recursive: true });
  writeFileSync(path.join(folder, "package.json"), '{ "name": "reader", "private": true }\n');
  symlinkSync(root, path.join(modules, "infernode"));
  const program = `#!/bin/sh\nexec node '${path.join(paths.dist, "cli/main.js")}' "$@"\n`;
  writeFileSync(path.join(modules, ".bin/infernode"), program, { mode: 0o755 });
  for (const name of [...Object.keys(kExamplePackages), "@types"]) {
    const place = path.join(paths.nodeModules, name);
    const link = path.join(modules, name);
    mkdirSync(path.dirname(link), { recursive: true }); // of a scope
    if (existsSync(place)) symlinkSync(place, link);
  }
  placeModels(folder);
  return { folder, env: environment(process.env, folder) };
}

// What only a project with a registry can run.
const kInstalls = /\bnpm (?:install|i|ci)\b/;

/**
 * The blocks as a clone's project can run them: what needs other packages than the clone has
 * is left to `npm run test:packages`, and says so, with the blocks that belong to it.
 */
export function blocksForClone(blocks, missing = missingPackages()) {
  const needs = ({ label, code }) => {
    if (label === "sh" && kInstalls.test(code)) return "it installs packages";
    const name = missing.find((each) => code.includes(`from "${each}"`));
    return name && `it imports ${name}`;
  };
  return groupsOf(blocks).flatMap((group) => {
    const reason = group.map(needs).find(Boolean);
    if (reason === undefined) return group;
    const notRun = `${reason}: left to \`npm run test:packages\``;
    return group.map((block) => (block.kind === "shown" || block.notRun ? block : { ...block, notRun }));
  });
}

function missingPackages() {
  const isMissing = (name) => !existsSync(path.join(paths.nodeModules, name));
  return Object.keys(kExamplePackages).filter(isMissing);
}

/** Blocks that run together: a file or a server, and what runs or asks it. */
function groupsOf(blocks) {
  const groups = [];
  let open = false;
  for (const block of blocks) {
    if (open) groups.at(-1).push(block);
    else groups.push([block]);
    open = block.isFile === true || block.staysRunning === true;
  }
  return groups;
}

/** Puts the model files that documents speak of into a project. */
export function placeModels(folder) {
  for (const file of modelFiles(path.join(paths.state, "document-models"))) {
    copyFileSync(file, path.join(folder, path.basename(file)));
  }
}

/**
 * A reader's environment: nothing of this set-up and of npm, which may have started it, and an
 * empty cache of models instead of this machine's, which may be large.
 */
function environment(from, folder) {
  const own = /^(npm_|INFERNODE_|RUNPOD_|VITEST|NODE_OPTIONS|HF_|HUGGING)/i;
  const kept = Object.entries(from).filter(([name]) => !own.test(name));
  return { ...Object.fromEntries(kept), HF_HOME: path.join(folder, ".huggingface") };
}
