// How a document's blocks are run: what fails is told of the block that fails, servers run
// beside the block that asks them, and types are judged.
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { blocksOf } from "../../tools/documents/blocks.mjs";
import { blocksForClone, cloneProject } from "../../tools/documents/project.mjs";
import { Report } from "../../tools/documents/report.mjs";
import { runBlocks } from "../../tools/documents/runner.mjs";
import { judgeTypes } from "../../tools/documents/types.mjs";

let folder;
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), "infernode-runner-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const block = (label, code, comment) =>
  [comment && `<!-- ${comment} -->`, `\`\`\`${label}`, code, "```\n"].filter(Boolean).join("\n");
const server = "stays running while the next block runs";

/** The problems of a document's blocks, in order; undefined: none. */
async function problemsOf(...written) {
  const problems = [];
  const blocks = blocksOf(written.join("\n"), "guide.md");
  const project = { folder, env: process.env };
  await runBlocks(project, blocks, process.execPath, (_, problem) => problems.push(problem));
  return problems;
}

async function freePort() {
  const probe = createServer().listen(0);
  const { port } = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

it("runs each block in a process of its own, after its code before", async () => {
  const [first, ...others] = await problemsOf(
    block("js", "globalThis.x = 1; console.log(x); // prints 1"),
    block("js", "console.log(typeof x); // prints undefined"),
    block("js", "console.log(y); // prints 2", "run after: const y = 2;"),
    block("sh", "echo a; exit 0; echo b # prints a"),
  );
  expect([first, ...others]).toEqual([undefined, undefined, undefined, undefined]);
});

it("tells what fails: an exit, a name that nothing defines, a claim, a step of a shell", async () => {
  expect(
    await problemsOf(
      block("js", "process.exit(3);"),
      block("js", "await model.close();"),
      block("js", "console.log(1); // prints 2"),
      block("sh", "false\necho after"),
      block("js", "process.kill(process.pid);"),
    ),
  ).toEqual([
    expect.stringMatching(/^it ends with 3/),
    expect.stringMatching(/model is not defined/),
    expect.stringMatching(/^it does not print "2" in its place: 1/),
    expect.stringMatching(/^it ends with 1/),
    expect.stringMatching(/^it ends with SIGTERM/),
  ]);
});

it("writes a block that the next one runs to the file it names", async () => {
  const program = block("js", '// program.mjs\nconsole.log("run");', "run by the next block");
  expect(await problemsOf(program, block("sh", "node program.mjs # prints run"))).toEqual([
    undefined,
    undefined,
  ]);
});

it("runs a server until the next block has asked it", async () => {
  const port = await freePort();
  const ask = block(
    "js",
    `console.log(await (await fetch("http://localhost:${port}")).text()); // prints hello`,
  );
  const answer = `import { createServer } from "node:http";\ncreateServer((_, response) => response.end("hello"))`;
  expect(await problemsOf(block("js", `${answer}.listen(${port});`, server), ask)).toEqual([
    undefined,
    undefined,
  ]);
  expect(await problemsOf(block("js", `${answer};`, server), ask)).toEqual([
    `it ended before port ${port} was open`,
    "the block before did not get so far",
  ]);
  const ignores = `process.on("SIGTERM", () => process.exit(4));`;
  const [problem] = await problemsOf(block("js", `${answer}.listen(${port}); ${ignores}`, server), ask);
  expect(problem).toMatch(/^it ends with 4/);
});

it("judges types strictly", async () => {
  const project = cloneProject();
  try {
    const wrong = 'import { loadModel } from "infernode";\nconst model: string = await loadModel("a.gguf");';
    const right = wrong.replace("const model: string", "await using model");
    const blocks = blocksOf(`${block("ts", wrong)}${block("ts", right)}`, "guide.md");
    const problems = [];
    await judgeTypes(project, blocks, (_, problem) => problems.push(problem));
    expect(problems).toEqual([expect.stringMatching(/TS2322/), undefined]);
  } finally {
    rmSync(project.folder, { recursive: true, force: true });
  }
}, 120_000);

it("leaves to the packages what a clone cannot run, with what belongs to it", () => {
  const blocks = blocksForClone(
    blocksOf(
      [
        block("js", '// s.mjs\nimport fastify from "fastify";', "run by the next block"),
        block("sh", "node s.mjs", server),
        block("sh", "curl localhost:1"),
        block("sh", "npm install infernode"),
        block("js", "1;"),
      ].join("\n"),
      "guide.md",
    ),
    ["fastify"],
  );
  expect(blocks.map(({ notRun = "" }) => notRun.split(":")[0])).toEqual([
    "it imports fastify",
    "it imports fastify",
    "it imports fastify",
    "it installs packages",
    "",
  ]);
});

it("counts every block once, or throws", () => {
  const blocks = blocksOf(
    `${block("js", "1;")}${block("text", "x")}${block("sh", "x", "not run: why")}`,
    "g.md",
  );
  const report = new Report(() => {});
  report.addIdle(blocks);
  expect(() => report.close(blocks, "documents")).toThrow("3 blocks were read and 2 counted");
  report.add(blocks[0], undefined);
  expect(report.close(blocks, "documents")).toMatch(
    /1 blocks run, 0 type-checked, 0 failed, 1 not run .*, 1 only/,
  );
});
