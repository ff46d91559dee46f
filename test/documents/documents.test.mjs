// The documents do what they say: each code block runs as it stands with this clone's
// build. The packages and the other Node versions are `npm run test:packages`'s.
import { rmSync } from "node:fs";
import { afterAll, beforeAll, expect, it } from "vitest";
import { blocksForClone, cloneProject } from "../../tools/documents/project.mjs";
import { documents, Report, read } from "../../tools/documents/report.mjs";
import { runBlocks } from "../../tools/documents/runner.mjs";
import { judgeTypes } from "../../tools/documents/types.mjs";

let project;
beforeAll(() => {
  project = cloneProject();
});
afterAll(() => rmSync(project.folder, { recursive: true, force: true }));

it.each(documents())(
  "%s: each block runs and prints what it says",
  async (file) => {
    const blocks = blocksForClone(read(file));
    const report = new Report(() => {});
    report.addIdle(blocks);
    const problems = [];
    const tell = (block, problem) => {
      report.add(block, problem);
      if (problem !== undefined) problems.push(`${file}:${block.line}: ${problem}`);
    };
    await runBlocks(project, blocks, process.execPath, tell);
    await judgeTypes(project, blocks, tell);
    expect(problems).toEqual([]);
    report.close(blocks, file); // throws where a block was left out
  },
  300_000,
);

it("README.md has blocks", () => {
  expect(read("README.md").filter(({ kind, notRun }) => kind === "run" && !notRun).length).toBeGreaterThan(5);
});
