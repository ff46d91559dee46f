// `infernode serve FILE.js`: programs with a handler in all the forms they may have, as processes.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";

const timeout = 60_000;
const root = join(import.meta.dirname, "../..");
const command = join(root, "dist/cli/main.js");
const folder = mkdtempSync(join(tmpdir(), "infernode-serve-handler-"));
mkdirSync(join(folder, "node_modules"));
symlinkSync(root, join(folder, "node_modules/infernode"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function start(file: string, text: string, args: readonly string[] = []) {
  writeFileSync(join(folder, file), text);
  const env = { PATH: process.env.PATH, PORT: "0" };
  const child = spawn(process.execPath, [command, "serve", file, ...args], { cwd: folder, env });
  const said = { text: "" };
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (said.text += chunk));
  const ended = once(child, "close").then(([code]) => code as number | null);
  return { child, said, ended };
}

type Started = ReturnType<typeof start>;

/** Once it listens. */
async function addressOf({ child, said, ended }: Started): Promise<string> {
  for (;;) {
    const address = /Serving on (\S+) /.exec(said.text)?.[1];
    if (address !== undefined) return address;
    await Promise.race([once(child.stdout, "data"), ended]);
    if (child.exitCode !== null) throw new Error(said.text);
  }
}

const handler = "async ({ input }) => ({ hello: input.name })";
const worker = 'import { serverless } from "infernode";\n';

const programs: readonly (readonly [string, string, string])[] = [
  ["that awaits serverless.start()", "a.mjs", `${worker}await serverless.start({ handler: ${handler} });`],
  ["that only calls it", "b.mjs", `${worker}serverless.start({ handler: ${handler} });`],
  [
    "that calls it later",
    "c.mjs",
    `${worker}setTimeout(() => serverless.start({ handler: ${handler} }), 50);\nexport const other = 1;`,
  ],
  ["whose default is the handler", "d.mjs", `export default ${handler};`],
  [
    "whose default are options",
    "e.mjs",
    `export default { handler: ${handler}, concurrencyModifier: () => 2 };`,
  ],
  ["that exports its handler by name", "f.mjs", `export const handler = ${handler}; export const other = 1;`],
  ["of CommonJS", "g.cjs", `module.exports = { handler: ${handler} };`],
  [
    "of CommonJS that calls serverless.start()",
    "h.cjs",
    `const { serverless } = require("infernode"); serverless.start({ handler: ${handler} });`,
  ],
];

describe("infernode serve", { timeout }, () => {
  it.each(programs)("serves a program %s", async (_name, file, text) => {
    const { child, said, ended } = start(file, text);
    try {
      const address = await addressOf({ child, said, ended });
      const body = JSON.stringify({ input: { name: "Mia" } });
      const response = await fetch(`${address}/v2/any/runsync`, { method: "POST", body });
      expect(await response.json()).toMatchObject({ status: "COMPLETED", output: { hello: "Mia" } });
      const chat = await fetch(`${address}/v1/chat/completions`, { method: "POST", body: "{}" });
      expect([chat.status, await chat.text()]).toEqual([404, expect.stringContaining("runs a handler")]);
      child.kill("SIGTERM");
      expect(await ended).toBe(0);
      expect(said.text).not.toContain("Starting Serverless Worker");
    } finally {
      child.kill("SIGKILL");
    }
  });

  it("lets a program that is served start no worker beside the server", async () => {
    const body = "{ void serverless.start({ handler }); return 1; }";
    const started = start("late.mjs", `${worker}export async function handler() ${body}`);
    const { child, said, ended } = started;
    try {
      const address = await addressOf(started);
      for (const input of [1, 2]) {
        const asked = { method: "POST", body: JSON.stringify({ input }) };
        const response = await fetch(`${address}/v2/any/runsync`, asked);
        expect(await response.json()).toMatchObject({ status: "COMPLETED", output: 1 });
      }
      child.kill("SIGTERM");
      expect(await ended).toBe(0);
      expect(said.text).not.toContain("Starting Serverless Worker");
      const warning =
        "late.mjs calls serverless.start() though its handler is served; the call has no effect";
      expect(said.text.split(warning)).toHaveLength(2);
    } finally {
      child.kill("SIGKILL");
    }
  });

  it.each<[string, string, readonly string[], number, string]>([
    [
      "none.mjs",
      "export const other = 1;",
      [],
      2,
      "none.mjs has no handler; call serverless.start({ handler })",
    ],
    ["half.mjs", "export default { handler: 5 };", [], 2, "handler must be a function, got 5"],
    ["strange.mjs", `export default { handler: ${handler}, retries: 1 };`, [], 2, 'unknown option "retries"'],
    [
      "throws.mjs",
      'throw new Error("no licence");',
      [],
      1,
      "throws.mjs cannot be imported: Error: no licence",
    ],
    ["syntax.mjs", "const = 1;", [], 1, "syntax.mjs cannot be imported: SyntaxError"],
    [
      "lost.mjs",
      'import "./nowhere.mjs";',
      [],
      1,
      "lost.mjs cannot be imported: Error [ERR_MODULE_NOT_FOUND]",
    ],
    [
      "fine.mjs",
      `export default ${handler};`,
      ["--slots", "4"],
      2,
      "--slots is a model's, and fine.mjs is a program; leave it out",
    ],
    [
      "unprepared.mjs",
      `export default { handler: ${handler}, prepare: () => { throw new Error("no model") } };`,
      [],
      1,
      "The worker cannot be prepared: Error: no model",
    ],
  ])("ends with a program %s: %s", async (file, text, args, code, sentence) => {
    const { said, ended } = start(file, text, args);
    expect([await ended, said.text]).toEqual([code, expect.stringContaining(sentence)]);
  });

  it("ends with 2 where there is no such program", async () => {
    const child = spawn(process.execPath, [command, "serve", "nowhere.js"], { cwd: folder });
    let said = "";
    child.stderr.on("data", (chunk) => (said += chunk));
    expect((await once(child, "close"))[0]).toBe(2);
    expect(said).toContain("there is no file nowhere.js");
  });
});
