// Under Node's permission model, and with --no-addons, what fails says which flag is missing.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { runFixture } from "./helpers/programs.js";

const root = fileURLToPath(new URL("..", import.meta.url));
const timeout = 60_000;
const model = process.allowedNodeEnvironmentFlags.has("--permission")
  ? "--permission"
  : "--experimental-permission";
const reads = [model, "--no-warnings", "--allow-fs-read=*"];
const addon = [...reads, "--allow-addons"];

const cases: readonly [work: string, nodeFlags: readonly string[], code: string, sentence: string][] = [
  ["generates", reads, "NATIVE_MISSING", "start Node with --allow-addons"],
  ["generates", ["--no-addons"], "NATIVE_MISSING", "start Node without --no-addons"],
  ["converses", addon, "NATIVE_MISSING", "--allow-child-process"],
  ["saves", addon, "STATE_UNREADABLE", "--allow-fs-write"],
];

describe("a process that may not", () => {
  it.each(cases)("%s with %j, says so", { timeout }, async (work, nodeFlags, code, sentence) => {
    const { stdout } = await runFixture("permitted.mjs", { nodeFlags, args: [work] });
    expect(JSON.parse(stdout)).toEqual([
      expect.objectContaining({ code, message: expect.stringContaining(sentence) }),
    ]);
  });

  it("read the package's folder says so", { timeout }, async () => {
    const allowed = ["dist", "node_modules", "package.json", "test"].map(
      (part) => `--allow-fs-read=${root}${part}*`,
    );
    const nodeFlags = [model, "--no-warnings", "--allow-addons", ...allowed];
    const { stdout } = await runFixture("permitted.mjs", { nodeFlags, args: ["generates"] });
    expect(JSON.parse(stdout)).toMatchObject([
      { code: "NATIVE_MISSING", message: expect.stringContaining("--allow-fs-read=") },
    ]);
  });

  it("read the package's description ends the command with one sentence", { timeout }, () => {
    const nodeFlags = [model, "--no-warnings", `--allow-fs-read=${root}dist*`];
    const { status, stderr } = spawnSync(process.execPath, [...nodeFlags, `${root}dist/cli/main.js`, "-v"], {
      encoding: "utf8",
    });
    expect(status).toBe(1);
    expect(stderr).toMatch(/^infernode: .*--allow-fs-read.*package\.json\n$/);
  });

  it("with everything allowed, works", { timeout }, async () => {
    const nodeFlags = [...addon, "--allow-child-process"];
    const { stdout } = await runFixture("permitted.mjs", {
      nodeFlags,
      args: ["generates", "converses", "binds"],
    });
    expect(JSON.parse(stdout)).toEqual(["done", "done", "done"]);
  });
});
