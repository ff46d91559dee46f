// The Dockerfiles without a container runtime: what a linter says, that the Hub's is the
// same but for its arguments, and that what they name is there. `npm run test:image`
// carries the final stage out.
import { readdirSync, readFileSync, statSync } from "node:fs";
import path from "node:path";
import { validate } from "dockerfile-utils";
import { describe, expect, it } from "vitest";
import { expand, parseDockerfile } from "../../tools/image/dockerfile.mjs";

const root = path.resolve(import.meta.dirname, "../..");
const read = (name) => readFileSync(path.join(root, name), "utf8");
const dockerfile = read("Dockerfile");
const { args, stages } = parseDockerfile(dockerfile);
const instructions = stages.flatMap((stage) => stage.instructions);

describe("the Dockerfile", () => {
  it.each(["Dockerfile", ".runpod/Dockerfile"])("%s passes the linter", (name) => {
    expect(validate(read(name))).toEqual([]);
  });

  it("would not pass it with a wrong instruction", () => {
    expect(validate(`${dockerfile}COPY nowhere\n`)).not.toEqual([]);
  });

  it("has three stages on bases that are arguments with pinned tags", () => {
    expect(stages.map(({ name }) => name)).toEqual(["node", "packages", "image"]);
    for (const { base } of stages) expect(base).toMatch(/^\$\{\w+\}$/);
    for (const tag of Object.values(args)) expect(tag).toMatch(/:[\w.]*\d+\.\d+[\w.-]*$/);
  });

  it("labels the image with the package's version", () => {
    const version = instructions.find(
      ({ keyword, text }) => keyword === "ARG" && text.startsWith("VERSION="),
    );
    expect(version.text).toBe(`VERSION=${JSON.parse(read("package.json")).version}`);
  });

  it("runs nothing but scripts that can be run, and npm ci", () => {
    const scripts = readdirSync(path.join(root, "docker")).filter((name) => name.endsWith(".sh"));
    const commands = instructions.filter(({ keyword }) => keyword === "RUN").map(({ text }) => text);
    const run = commands.flatMap((text) => /docker\/(\w+\.sh)/.exec(text)?.[1] ?? []);
    expect(commands.length - run.length).toBe(1);
    expect([...run, "cuda-libraries.sh"].sort()).toEqual(scripts.sort());
    for (const script of [...scripts, "infernode"])
      expect(statSync(path.join(root, "docker", script)).mode & 0o111).not.toBe(0);
  });

  it("copies files that are there and that .dockerignore lets through", () => {
    const ignored = read(".dockerignore")
      .split("\n")
      .filter((line) => line && !line.startsWith("#"));
    const copies = instructions.filter(({ keyword, flags }) => keyword === "COPY" && flags.length === 0);
    const sources = copies.flatMap(({ text }) => text.split(" ").slice(0, -1));
    expect(sources.length).toBeGreaterThan(10);
    for (const source of sources.filter((each) => !each.includes("*"))) {
      expect(statSync(path.join(root, source))).toBeDefined();
      expect(ignored).not.toContain(source.replace(/\/$/, ""));
    }
  });
});

describe("the Hub's Dockerfile", () => {
  it("is the same but for the arguments that build for GPUs and for root", () => {
    const without = (text) => text.replace(/^ARG (BUILD_BASE|CUDA_ARCHITECTURES|USER)=.*\n/gm, "");
    const opening = /^(?:#.*\n)+/;
    const own = read(".runpod/Dockerfile");
    expect(without(own).replace(opening, "")).toBe(without(dockerfile).replace(opening, ""));
    expect(/^ARG BUILD_BASE=nvidia\/cuda:12\.8\.\d+-devel-ubuntu22\.04$/m.test(own)).toBe(true);
    // A10/3090/A40: 8.6; A100: 8.0; Ada: 8.9; Hopper: 9.0; Blackwell: 10.0 and 12.0.
    expect(own).toMatch(/^ARG USER=root$/m);
    expect(own).toMatch(/^ARG CUDA_ARCHITECTURES=runpod$/m);
  });
});

const argument = (name) => `$\{${name}}`;

describe("reading a Dockerfile", () => {
  it("takes flags, continued lines and comments apart", () => {
    const text = [
      "ARG A=1",
      `FROM ${argument("A")} AS x`,
      "# a note",
      "RUN --mount=type=bind,target=/t \\",
      "  # in between",
      "  /t/run.sh",
      "",
    ].join("\n");
    expect(parseDockerfile(text)).toEqual({
      args: { A: "1" },
      stages: [
        {
          name: "x",
          base: argument("A"),
          instructions: [
            { keyword: "RUN", flags: [["mount", "type=bind,target=/t"]], text: "/t/run.sh", line: 4 },
          ],
        },
      ],
    });
  });

  it("refuses what it cannot read, by its line or its name", () => {
    expect(() => parseDockerfile("FROM debian\n")).toThrow("Dockerfile:1: FROM must read");
    expect(() => parseDockerfile("copy a b\n")).toThrow("Dockerfile:1: no instruction");
    expect(() => expand(argument("USER"), {})).toThrow("uses USER before it is set");
  });
});
