// The commands of `infernode chat`, its context and its thoughts, in a real pseudo-terminal.
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  enter,
  folder,
  greedy,
  leave,
  messagesOf,
  noTerminals,
  say,
  shownPrompt,
  start,
  timeout,
} from "../../helpers/chat-terminal.js";
import { templateText } from "../../helpers/templates.js";
import { withoutEscapes } from "../../helpers/terminal.js";

const dim = "\x1b[2m";
const plain = "\x1b[0m";

describe.skipIf(noTerminals !== undefined)("commands of a chat", () => {
  it("leave by each of their names", { timeout }, async () => {
    for (const line of ["/exit", "/bye", "/QUIT"]) {
      const terminal = await start(greedy);
      terminal.type(`${line}${enter}`);
      expect(await terminal.end()).toEqual({ code: 0, modeKept: true });
    }
  });

  it.each([
    ["/hepl", "there is no command /hepl; did you mean /help?"],
    ["/xyzzy", "there is no command /xyzzy; /help shows the commands"],
    ["/retry", "there is no message to answer again"],
    ["/undo", "there is no message to take back"],
    ["/save", "/save needs the name of a file"],
    ["/save x.json", "there is nothing to save yet"],
    ["/load", "/load needs the name of a file"],
    ["/load /no/such/file", "the conversation cannot be loaded: ENOENT"],
    ["/set temperature", "/set temperature needs a value; default resets it"],
    ["/set temperature -1", "temperature must be a number from 0 to 100, got -1"],
    ["/set temperature hot", "temperature must be a number, got hot"],
    ["/set temprature 1", "there is no option temprature; did you mean temperature?"],
    ["/set ignore-eos perhaps", "ignore-eos must be on or off, got perhaps"],
    ["/set threads 4", "threads is chosen when the chat starts: infernode chat --threads …"],
  ])("%s is refused in one sentence, and the chat goes on", { timeout }, async (line, sentence) => {
    const terminal = await start(greedy);
    const shown = await say(terminal, line);
    expect(shown.trimEnd().split("\n")).toHaveLength(1);
    expect(shown).toContain(sentence);
    expect(await say(terminal, "Who is Mia?")).toMatch(/\S/);
    await leave(terminal);
  });

  it("change the system prompt, options and messages", { timeout }, async () => {
    const terminal = await start([...greedy, "--system", "You tell stories."]);
    expect(await say(terminal, "/system")).toContain("(system: You tell stories.)");
    await say(terminal, "Who is Mia?");
    await say(terminal, "/system You are shy.");
    await say(terminal, "Who is Leo?");
    const [system, ...rest] = await messagesOf(terminal);
    expect(system).toEqual({ role: "system", content: "You are shy." });
    expect(rest).toHaveLength(4);
    expect(await say(terminal, "/undo")).toContain("(taken back: Who is Leo?)");
    await say(terminal, '/system ""');
    expect(await messagesOf(terminal)).toEqual(rest.slice(0, 2));
    await say(terminal, "/clear");
    expect(await say(terminal, "/save x.json")).toContain("there is nothing to save yet");
    await say(terminal, "/set max_tokens 3");
    expect(await say(terminal, "Tell me a story.")).toContain("(cut off at max-tokens 3;");
    expect(await say(terminal, "/set")).toMatch(/^max-tokens +3 /m);
    await say(terminal, "/set max-tokens default");
    expect(await say(terminal, "/retry")).not.toContain("cut off");
    expect(await messagesOf(terminal)).toHaveLength(2);
    await leave(terminal);
  });

  it("answer again by other seeds, where one is fixed", { timeout }, async () => {
    const terminal = await start(["chat", "--threads", "1", "-t", "2", "--seed", "7"]);
    const first = await say(terminal, "Tell me a story.");
    expect(await say(terminal, "/retry")).not.toBe(first);
    await say(terminal, "/clear");
    expect(await say(terminal, "Tell me a story.")).toBe(first);
    await leave(terminal);
  });

  it("save and continue a conversation, and overwrite nothing else", { timeout }, async () => {
    const saved = join(folder, "my chat.json");
    const other = join(folder, "notes.json");
    writeFileSync(other, '{"notes": []}');
    const before = await start(greedy);
    await say(before, "Who is Mia?");
    expect(await say(before, `/save "${saved}"`)).toContain("saved 2 messages");
    expect(await say(before, `/save ${saved}`)).toContain("saved 2 messages");
    expect(await say(before, `/save ${other}`)).toContain("exists and is no saved conversation");
    expect(readFileSync(other, "utf8")).toBe('{"notes": []}');
    expect(statSync(saved).mode & 0o777).toBe(0o600);
    await leave(before);
    const { messages } = JSON.parse(readFileSync(saved, "utf8"));
    const terminal = await start([...greedy, "--load", saved]);
    expect(withoutEscapes(terminal.shown)).toContain("> Who is Mia?");
    expect(withoutEscapes(terminal.shown)).toContain(messages[1].content);
    await say(terminal, "Who is Leo?");
    expect((await messagesOf(terminal)).slice(0, 2)).toEqual(messages);
    expect(await say(terminal, `/load ${other}`)).toContain("is no saved conversation");
    expect(await messagesOf(terminal)).toHaveLength(4);
    await leave(terminal);
  });

  it("never pass control characters of a file on to the terminal", { timeout }, async () => {
    const path = join(folder, "forged.json");
    const forged = "\x1b]0;title\x07 red\x9b31m";
    writeFileSync(
      path,
      JSON.stringify([
        { role: "user", content: forged },
        { role: "assistant", content: forged },
      ]),
    );
    const terminal = await start([...greedy, "--load", path]);
    expect(terminal.shown).not.toContain("\x1b]");
    expect(terminal.shown).not.toContain("\x9b");
    expect(terminal.shown).toContain("␛]0;title␇ red");
    await leave(terminal);
  });
});

describe.skipIf(noTerminals !== undefined)("a conversation that fills the context", () => {
  it("says that the model no longer sees the oldest messages, and keeps them", { timeout }, async () => {
    const terminal = await start([...greedy, "-c", "64", "-n", "12"]);
    let told = "";
    for (let turn = 0; turn < 6; turn += 1)
      told += await say(terminal, `Tell me a story about ${turn} cats.`);
    expect(told).toMatch(
      /\(the context of 64 tokens is full: the model no longer sees the \d+ oldest messages\)/,
    );
    expect(await messagesOf(terminal)).toHaveLength(12);
    expect(await say(terminal, "/stats")).toMatch(/messages +12, the first \d+ not shown to the model/);
    await leave(terminal);
  });

  it("refuses one message that is too long, and forgets nothing for it", { timeout }, async () => {
    const terminal = await start([...greedy, "-c", "64"]);
    await say(terminal, "Who is Mia?");
    expect(await say(terminal, "a cat and a dog ".repeat(40))).toContain("[CONTEXT_OVERFLOW]");
    expect(await messagesOf(terminal)).toHaveLength(2);
    expect(await say(terminal, "/stats")).toMatch(/messages +2$/m);
    await leave(terminal);
  });
});

describe.skipIf(noTerminals !== undefined)("thoughts", () => {
  const template = join(folder, "thinking.jinja");
  writeFileSync(template, templateText("Qwen-QwQ-32B"));
  const thinking = [...greedy, "--chat-template", template, "--ignore-eos", "-n", "24"];

  it("are dim", { timeout }, async () => {
    const terminal = await start(thinking);
    terminal.type(`Is it warm?${enter}`);
    await terminal.until("\n");
    await terminal.until(dim);
    expect((await terminal.until(plain)).length).toBeGreaterThan(10);
    await terminal.until("(cut off");
    await terminal.until(shownPrompt);
    await leave(terminal);
  });

  it("are marked where there are no colors", { timeout }, async () => {
    const terminal = await start(thinking, { NO_COLOR: "1" });
    expect(await say(terminal, "Is it warm?")).toMatch(/^\[thoughts\]\n.{10,}/);
    for (const color of [dim, plain]) expect(terminal.shown).not.toContain(color);
    await leave(terminal);
  });

  it("are left out by --no-reasoning", { timeout }, async () => {
    const terminal = await start([...thinking, "--no-reasoning"]);
    expect((await say(terminal, "Is it warm?")).trim()).toMatch(/^\(cut off/);
    await leave(terminal);
  });
});
