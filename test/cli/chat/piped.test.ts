// `infernode chat` without a terminal: lines in, answers out.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ChatMessage, Model } from "../../../src/index.js";
import { embeddedModelPath } from "../../../src/index.js";
import { loadEmbedded, withEngine } from "../../helpers/embedded.js";
import { runCommand } from "../../helpers/programs.js";

const timeout = 60_000;
const greedy = ["chat", "--threads", "1", "-t", "0"];
const news = "infernode: no model given, using the embedded story model\n";
const main = fileURLToPath(new URL("../../../dist/cli/main.js", import.meta.url));

const folder = mkdtempSync(join(tmpdir(), "infernode-piped-"));
let model: Model;
beforeAll(async () => {
  model = await loadEmbedded();
});
afterAll(async () => {
  rmSync(folder, { recursive: true });
  await model.close();
});

/** What the engine answers to each of these, one conversation. */
async function answersTo(lines: readonly string[], system?: string): Promise<string[]> {
  const messages: ChatMessage[] = system === undefined ? [] : [{ role: "system", content: system }];
  return withEngine(model, { slots: 1 }, async (engine) => {
    const answers: string[] = [];
    for (const content of lines) {
      messages.push({ role: "user", content });
      const { text } = await engine.generate({ messages, temperature: 0 });
      messages.push({ role: "assistant", content: text });
      answers.push(text);
    }
    return answers;
  });
}

describe("infernode chat on a pipe", () => {
  it("answers each line, and nothing else is on stdout", { timeout }, async () => {
    const lines = ["Who is Mia?", "Tell me a story about 猫 and 👍.", "/exit", '"""', "The end\\"];
    const { code, stdout, stderr } = await runCommand(greedy, `${lines.join("\n\n")}\r\n`);
    expect(stderr).toBe(news);
    expect(code).toBe(0);
    const answers = await answersTo(lines);
    expect(stdout).toBe(answers.map((text) => (text.endsWith("\n") ? text : `${text}\n`)).join(""));
  });

  it("has the system prompt and the model of its flags", { timeout }, async () => {
    const system = "You tell stories.";
    const { stdout, stderr } = await runCommand(
      [...greedy, "-m", embeddedModelPath(), "--system", system],
      "Who is Mia?",
    );
    expect(stderr).toBe("");
    expect(stdout).toBe(`${(await answersTo(["Who is Mia?"], system))[0]}\n`);
  });

  it("runs no command of a line", { timeout }, async () => {
    const path = join(folder, "chat.json");
    const { code, stdout } = await runCommand(greedy, `Who is Mia?\n/save ${path}\n/exit\n`);
    expect(code).toBe(0);
    expect(stdout.trimEnd().split("\n").length).toBeGreaterThanOrEqual(3);
    expect(existsSync(path)).toBe(false);
  });

  it("tells of a line without an answer, goes on, and exits 1", { timeout }, async () => {
    const long = "a cat and a dog ".repeat(400);
    const { code, stdout, stderr } = await runCommand(greedy, `Who is Mia?\n${long}\nWho is Leo?\n`);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^infernode: no model.*\ninfernode: .*\[CONTEXT_OVERFLOW\]\n$/);
    expect(stdout).toBe(`${(await answersTo(["Who is Mia?", "Who is Leo?"])).join("\n")}\n`);
  });

  it("goes on after a message that the template refuses", { timeout }, async () => {
    const refusing = join(folder, "refusing.jinja");
    const refusal = "{%- if messages[-1].content == 'bad' -%}{{ raise_exception('not that') }}{%- endif -%}";
    writeFileSync(refusing, refusal + model.info.chatTemplate);
    const args = [...greedy, "--chat-template", refusing];
    const { code, stdout, stderr } = await runCommand(args, "Who is Mia?\nbad\nWho is Leo?\n");
    expect(code).toBe(1);
    expect(stderr).toMatch(/^infernode: no model.*\ninfernode: .*not that.*\[CHAT_TEMPLATE_FAILED\]\n$/);
    expect(stdout).toBe(`${(await answersTo(["Who is Mia?", "Who is Leo?"])).join("\n")}\n`);
  });

  it("ends before the first message where the model has no template", { timeout }, async () => {
    const path = join(folder, "bare.gguf");
    const bytes = readFileSync(embeddedModelPath());
    const key = "tokenizer.chat_template";
    bytes.write(key.replace("chat", "none"), bytes.indexOf(key));
    writeFileSync(path, bytes);
    const { code, stdout, stderr } = await runCommand(["chat", path], "Hello\n");
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toMatch(/^infernode: .*--chat-template chatml.*\[CHAT_TEMPLATE_MISSING\]\n$/);
    const named = await runCommand(["chat", path, "--chat-template", "chatml", "-n", "4"], "Hello\n");
    expect(named.code).toBe(0);
  });

  it("says so where nothing comes", { timeout }, async () => {
    const { code, stdout, stderr } = await runCommand(greedy, "");
    expect({ code, stdout }).toEqual({ code: 0, stdout: "" });
    expect(stderr).toBe(`${news}infernode: no message came on stdin; in a terminal, chat asks for them\n`);
  });

  it.each([
    [["chat", "-t", "-1"], 2, "--temperature must be a number from 0 to 100, got -1"],
    [["chat", "a.gguf", "-m", "b.gguf"], 2, "give the model as an argument or as --model, not both"],
    [["chat", "a.gguf", "b.gguf"], 2, "too many arguments"],
    [["chat", "--chat-template", "chatmll"], 2, "--chat-template must be Jinja text"],
    [["chat", "--load", "no-such.json"], 2, "the conversation cannot be loaded: ENOENT"],
    [["chat", "no-such-file.gguf"], 1, "[MODEL_NOT_FOUND]"],
  ])("%j ends with one sentence", { timeout }, async (args, code, sentence) => {
    const ending = await runCommand(args, "Hello\n");
    expect(ending.stderr).toContain(sentence);
    expect(ending.stderr).not.toContain("    at ");
    expect({ code: ending.code, stdout: ending.stdout }).toEqual({ code, stdout: "" });
  });

  it("ends quietly when the reader of its output leaves, with 130 at Ctrl-C", { timeout }, async () => {
    const args = [main, "chat", "--threads", "1", "--ignore-eos", "-c", "1024"];
    const leaving = spawn(process.execPath, args);
    leaving.stdin.write("Tell me a story.\nAnd another one.\n");
    await once(leaving.stdout, "data");
    leaving.stdout.destroy();
    expect(await once(leaving, "close")).toEqual([0, null]);
    const interrupted = spawn(process.execPath, args);
    interrupted.stdin.write("Tell me a story.\n");
    await once(interrupted.stdout, "data");
    interrupted.kill("SIGINT");
    expect(await once(interrupted, "close")).toEqual([130, null]);
  });
});
