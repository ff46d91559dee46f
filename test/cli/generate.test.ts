// `infernode generate` as a process: what is on stdout, on stderr, and the code.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { embeddedModelPath } from "../../src/index.js";
import { runCommand } from "../helpers/programs.js";

const fast = ["--threads", "1", "-n", "24", "-t", "0"];
const timeout = 60_000;

describe("infernode generate", () => {
  it("streams the text to stdout, and a line of figures to stderr", { timeout }, async () => {
    const [plain, json] = await Promise.all([
      runCommand(["generate", ...fast]),
      runCommand(["generate", ...fast, "--json"]),
    ]);
    expect(plain.code).toBe(0);
    expect(plain.stdout).toBe(`${JSON.parse(json.stdout).text}\n`);
    const [notice, figures, ...more] = plain.stderr.split("\n");
    expect(notice).toBe("infernode: no --model given, using the embedded story model");
    expect(figures).toMatch(
      /^\[\d+ prompt tokens \(\d+ cached\) · \d+ tokens generated · [\d.]+ tokens\/s · first token after [\d.]+ ms · finished: \w+\]$/,
    );
    expect(more).toEqual([""]);
    expect(json.stderr).toBe(`${notice}\n`);
  });

  it("with --echo begins with the prompt, which --json never prints", { timeout }, async () => {
    const flags = ["generate", ...fast, "--echo", "The old cat"];
    const [plain, json] = await Promise.all([runCommand(flags), runCommand([...flags, "--json"])]);
    expect(plain.stdout).toMatch(/^The old cat/);
    expect(JSON.parse(json.stdout).text).not.toContain("The old cat");
  });

  it("with --json prints one line and nothing else", { timeout }, async () => {
    const { code, stdout } = await runCommand(["generate", ...fast, "--json", "The", "old", "cat"]);
    expect(code).toBe(0);
    expect(stdout.trimEnd().split("\n")).toHaveLength(1);
    const result = JSON.parse(stdout);
    expect(Object.keys(result)).toEqual(["text", "finishReason", "usage", "timings"]);
    expect(result.usage.completionTokens).toBeGreaterThan(0);
  });

  it("takes the same prompt as words, as a flag, from a pipe and from a file", { timeout }, async () => {
    const json = ["generate", ...fast, "--json"];
    const endings = await Promise.all([
      runCommand([...json, "The", "old", "cat"]),
      runCommand([...json, "--prompt", "The old cat"]),
      runCommand([...json, "--prompt", "-"], "The old cat"),
      runCommand(json, "The old cat"),
      runFromFile(json, "The old cat"),
      runCommand([...json, "The old cat"], "a pipe beside words is not read"),
    ]);
    const texts = endings.map((ending) => JSON.parse(ending.stdout).text);
    expect(new Set(texts).size).toBe(1);
  });

  it("says what it waits for where a pipe is open and silent", { timeout }, async () => {
    const child = spawn(process.execPath, [main, "generate", ...fast, "--json"]);
    const [news] = await once(child.stderr, "data");
    expect(String(news)).toBe("infernode: waiting for the prompt on stdin\n");
    child.stdin.end("The old cat");
    const said = text(child.stdout);
    const { stdout } = await runCommand(["generate", ...fast, "--json", "The old cat"]);
    expect(JSON.parse(await said).text).toBe(JSON.parse(stdout).text);
  });

  it("takes its own prompt where stdin is empty", { timeout }, async () => {
    const flags = ["generate", ...fast, "--json"];
    const [empty, named] = await Promise.all([
      runCommand(flags, ""),
      runCommand([...flags, "Once upon a time"]),
    ]);
    expect(JSON.parse(empty.stdout).text).toBe(JSON.parse(named.stdout).text);
  });

  it("says the same with a draft model, and refuses one of another vocabulary", { timeout }, async () => {
    const flags = ["generate", ...fast, "--json", "The old cat"];
    const [plain, drafted, refused] = await Promise.all([
      runCommand(flags),
      runCommand([...flags, "--draft-model", "synthetic:llama?layers=1&dim=64"]),
      runCommand([...flags, "--draft-model", "synthetic:llama?layers=1&dim=64&vocab=2000"]),
    ]);
    expect(drafted.code).toBe(0);
    expect(JSON.parse(drafted.stdout).text).toBe(JSON.parse(plain.stdout).text);
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toContain("speculation.draftModel must have the vocabulary");
  });

  it("repeats itself with the same seed", { timeout }, async () => {
    const drawn = [
      "generate",
      "--threads",
      "1",
      "-n",
      "24",
      "-t",
      "1",
      "--json",
      "--seed",
      "18446744073709551615",
    ];
    const [first, second] = await Promise.all([runCommand(drawn), runCommand(drawn)]);
    expect(JSON.parse(first.stdout).text).toBe(JSON.parse(second.stdout).text);
  });

  it.each([
    [["generate", "--max-tokens", "-3"], "--max-tokens must be an integer of at least 1, got -3"],
    [["generate", "--max-tokens", "many"], "argument 'many' is invalid. Expected a number."],
    [["generate", "--temperature", "-1"], "--temperature must be a number from 0 to 100, got -1"],
    [["generate", "--context-length", "4"], "--context-length must be an integer from 16 to"],
    [["generate", "--gpu-layers", "-1"], "--gpu-layers must be an integer from 0 to 100000"],
    [["generate", "--seed", "1.5"], "--seed must be an integer from 0 to 2^64-1"],
    [["generate", "--stop", ""], "--stop must be a non-empty string"],
    [["generate", "--no-such-flag"], "unknown option '--no-such-flag'"],
    [["generate", "--prompt", "a", "words"], "give the prompt as words or as --prompt, not both"],
    [["no-such-command"], "unknown command 'no-such-command'"],
    [["run", "model.gguf"], "unknown command 'run'\n(Did you mean infernode chat?)"],
    [["download", "acme/fox"], "unknown command 'download'\n(Did you mean infernode pull acme/fox?)"],
    [["cache", "prune", "--older-than", "soon"], "Expected a time such as 12h, 30d or 8w."],
    [["cache", "prune", "--max-size", "small"], "Expected a size such as 50GB or 20GiB."],
    [["inspect", "hf:acme"], "the model must be hf:owner/name[:file-or-quantization][@revision]"],
    [["inspect"], "missing required argument 'model'\n(Such as infernode inspect my-model.gguf.)"],
    [["server"], "unknown command 'server'\n(Did you mean serve?)"],
    [["-m", "model.gguf"], "unknown option '-m'\n(Did you mean infernode chat model.gguf?)"],
    [[embeddedModelPath()], `(Did you mean infernode chat ${embeddedModelPath()}?)`],
    [["genrate"], "unknown command 'genrate'\n(Did you mean generate?)"],
    [["generate", "--temprature", "1"], "unknown option '--temprature'\n(Did you mean --temperature?)"],
    [["generate", embeddedModelPath()], `the model is given as -m ${embeddedModelPath()}`],
  ])("%j is used wrongly: code 2, one sentence, stdout clean", { timeout }, async (args, sentence) => {
    const { code, stdout, stderr } = await runCommand(args);
    expect(stderr).toContain(sentence);
    expect(stderr).not.toContain("    at ");
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  });

  it("fails with code 1 and the error's code when the model is missing", { timeout }, async () => {
    const { code, stdout, stderr } = await runCommand(["generate", "--model", "no-such-file.gguf"]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toMatch(/^infernode: .*no-such-file\.gguf.* \[MODEL_NOT_FOUND\]\n$/);
  });

  it("at Ctrl-C ends the text, prints its figures and exits 130", { timeout }, async () => {
    const child = start(["generate", "--threads", "1", "-n", "100000", "--ignore-eos"]);
    let news = "";
    child.stderr.on("data", (chunk) => (news += String(chunk)));
    await once(child.stdout, "data");
    child.kill("SIGINT");
    expect(await once(child, "close")).toEqual([130, null]);
    expect(news.trimEnd().split("\n").at(-1)).toMatch(/finished: (cancelled|length)\]$/);
  });

  it("at Ctrl-C while it loads exits 130", { timeout }, async () => {
    const slow = "synthetic:llama?layers=64&dim=1024";
    const child = start(["generate", "--threads", "1", "--draft-model", slow]);
    let news = "";
    child.stderr.on("data", (chunk) => (news += String(chunk)));
    await once(child.stderr, "data"); // it listens, and the second model takes seconds
    child.kill("SIGINT");
    expect(await once(child, "close")).toEqual([130, null]);
    expect(news).toBe("infernode: no --model given, using the embedded story model\n");
  });

  it.skipIf(!existsSync("/dev/full")).each([
    ["generate", ["generate", ...fast, "The old cat"]],
    ["generate --json", ["generate", ...fast, "--json", "The old cat"]],
    ["inspect", ["inspect", embeddedModelPath()]],
    ["--help", ["--help"]],
    ["--version", ["--version"]],
  ])("%s tells of a full disk in one sentence and exits 1", { timeout }, async (_name, args) => {
    const child = startInto(args, "/dev/full");
    let news = "";
    child.stderr.on("data", (chunk) => (news += String(chunk)));
    expect(await once(child, "close")).toEqual([1, null]);
    const lines = news.split("\n").filter((line) => !line.includes("no --model given"));
    expect(lines).toEqual([expect.stringMatching(/^infernode: the output cannot be written: .*ENOSPC/), ""]);
  });

  it("ends with its text when the reader of its news has left", { timeout }, async () => {
    const child = start(["generate", ...fast, "The old cat"]);
    child.stderr.destroy();
    const said = text(child.stdout);
    expect(await once(child, "close")).toEqual([0, null]);
    expect(await said).not.toBe("");
  });

  it("ends quietly when the reader of its output leaves", { timeout }, async () => {
    const child = start(["generate", "--threads", "1", "-n", "100000", "--ignore-eos"]);
    let complaints = "";
    child.stderr.on("data", (chunk) => (complaints += String(chunk)));
    await once(child.stdout, "data");
    child.stdout.destroy();
    expect(await once(child, "close")).toEqual([0, null]);
    expect(complaints).toBe("infernode: no --model given, using the embedded story model\n");
  });
});

describe("infernode --help", () => {
  it("names the commands and shows examples, on stdout with code 0", { timeout }, async () => {
    const { code, stdout, stderr } = await runCommand(["--help"]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    for (const word of ["generate", "inspect", "Examples:"]) expect(stdout).toContain(word);
    const help = await runCommand(["generate", "--help"]);
    for (const flag of ["--model", "--prompt", "--max-tokens", "--temperature", "--json"]) {
      expect(help.stdout).toContain(flag);
    }
  });

  it("tells the versions of the package and of llama.cpp", { timeout }, async () => {
    const { code, stdout } = await runCommand(["--version"]);
    const versionIn = (file: string) => JSON.parse(readFileSync(file, "utf8")).version;
    const pin = versionIn("third_party/llama.cpp.json");
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: `${versionIn("package.json")} (llama.cpp ${pin})\n`,
    });
  });

  it("is not needed for the first four things to do", { timeout }, async () => {
    const { code, stdout, stderr } = await runCommand([]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout.split("\n").length).toBeLessThan(20);
    const commands = [...stdout.matchAll(/infernode (\w+)/g)].map(([, command]) => command);
    const help = await runCommand(["--help"]);
    for (const command of ["generate", "chat", "serve", "worker"]) {
      expect(commands).toContain(command);
      expect(help.stdout).toMatch(new RegExp(`^  ${command} `, "m"));
    }
  });
});

const main = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

function start(args: readonly string[]) {
  return spawn(process.execPath, [main, ...args], { stdio: ["ignore", "pipe", "pipe"] });
}

/** Runs it with stdout into a file, here one without room. */
function startInto(args: readonly string[], output: string) {
  const file = openSync(output, "w");
  const child = spawn(process.execPath, [main, ...args], { stdio: ["ignore", file, "pipe"] });
  closeSync(file);
  return child as typeof child & { readonly stderr: Readable };
}

async function runFromFile(args: readonly string[], input: string): Promise<{ stdout: string }> {
  const folder = mkdtempSync(join(tmpdir(), "infernode-prompt-"));
  const path = join(folder, "prompt.txt");
  writeFileSync(path, input);
  const file = openSync(path, "r");
  const child = spawn(process.execPath, [main, ...args], { stdio: [file, "pipe", "ignore"] });
  closeSync(file);
  try {
    return { stdout: await text(child.stdout as Readable) };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
