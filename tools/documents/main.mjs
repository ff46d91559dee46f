// `npm run test:documents [-- FILE...]`: runs the code blocks of the documents, or of those
// named, in an empty project with this clone's package. `npm run test:packages` runs them
// from the tarballs on each Node version.
import { rmSync } from "node:fs";
import path from "node:path";
import { parseArgs } from "node:util";
import { runMain } from "../setup/failure.mjs";
import { root } from "../setup/paths.mjs";
import { blocksForClone, cloneProject } from "./project.mjs";
import { documents, Report, read } from "./report.mjs";
import { runBlocks } from "./runner.mjs";
import { judgeTypes } from "./types.mjs";

await runMain(async () => {
  const { positionals } = parseArgs({ allowPositionals: true });
  const files = positionals.length > 0 ? positionals.map((file) => path.relative(root, file)) : documents();
  const report = new Report();
  const project = cloneProject();
  const all = [];
  try {
    for (const file of files) {
      const blocks = blocksForClone(read(file));
      all.push(...blocks);
      report.addIdle(blocks);
      await runBlocks(project, blocks, process.execPath, (block, problem) => report.add(block, problem));
    }
    await judgeTypes(project, all, (block, problem) => report.add(block, problem));
  } finally {
    rmSync(project.folder, { recursive: true, force: true });
  }
  process.stdout.write(`${report.close(all, "documents")}\n`);
  return report.failed > 0 ? 1 : 0;
});
