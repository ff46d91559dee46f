// `npm run rules`: the architecture as an executable check. Prints one line per broken rule and
// exits 1, or says what it has looked at. Sizes of TypeScript are Biome's (`npm run lint`).
//   node tools/rules/main.mjs [folder]
import { readFileSync } from "node:fs";
import path from "node:path";
import { checkArchitecture } from "./architecture.mjs";
import { citationFindings } from "./citations.mjs";
import { classFindings } from "./classes.mjs";
import { decisionFindings } from "./decisions.mjs";
import { directionFindings } from "./directions.mjs";
import { packagesOf, readDocument } from "./document.mjs";
import { textFiles, trackedFiles } from "./files.mjs";
import { treeFindings } from "./tree.mjs";
import { clockFindings, environmentFindings, waitingFindings } from "./waiting.mjs";
import { wordFindings } from "./words.mjs";

const folder = path.resolve(process.argv[2] ?? ".");
const files = trackedFiles(folder);
const findings = [];
try {
  findings.push(...checkArchitecture(folder, files).findings);
  findings.push(...classFindings(textsOf(textFiles(folder, files))));
  findings.push(...citationFindings(folder, files));
  findings.push(...decisionFindings(folder, files));
  findings.push(...waitingFindings(folder, files));
  findings.push(...wordFindings(folder, files));
  findings.push(...clockFindings(folder, files));
  findings.push(...environmentFindings(folder, files));
  findings.push(...treeFindings(readDocument(folder), files, packagesOf(folder)));
  findings.push(...(await directionFindings(folder, files)));
} catch (error) {
  findings.push(error.message); // a file that cannot be read or parsed, which the message names
}
function textsOf(names) {
  return new Map(names.map((name) => [name, readFileSync(path.join(folder, name), "utf8")]));
}

for (const finding of findings) console.log(finding);
console.log(
  findings.length === 0
    ? `architecture: ${files.length} files keep the rules`
    : `architecture: ${findings.length} broken`,
);
process.exitCode = findings.length === 0 ? 0 : 1;
