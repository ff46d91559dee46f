// `infernode chat` in a real pseudo-terminal: keys in, what the terminal shows out.
import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  enter,
  folder,
  greedy,
  leave,
  messagesOf,
  noTerminals,
  opened,
  say,
  shownPrompt,
  start,
  stateFolder,
  timeout,
} from "../../helpers/chat-terminal.js";
import { until } from "../../helpers/embedded.js";
import { Terminal } from "../../helpers/terminal.js";

/** Answers that never end by themselves within a test. */
const endless = ["chat", "synthetic:llama?layers=24&dim=512", "--chat-template", "chatml", "--ignore-eos"];
const prompt = "> ";
const ctrlC = "\x03";
const up = "\x1b[A";
const left = "\x1b[D";

describe.skipIf(noTerminals !== undefined)("infernode chat in a terminal", () => {
  it("answers, remembers what was said, and computes it once", { timeout }, async () => {
    const terminal = await start(greedy);
    const first = await say(terminal, "Please tell me a story about a cat and a dog.");
    expect(first.trim().length).toBeGreaterThan(10);
    expect(await say(terminal, "Who is the cat?")).toMatch(/\S/);
    const messages = await messagesOf(terminal);
    expect(messages.map(({ role }) => role)).toEqual(["user", "assistant", "user", "assistant"]);
    expect(String(messages[1]?.content).trim()).toBe(first.trim());
    const stats = await say(terminal, "/stats");
    expect(Number(/last answer .*\((\d+) cached\)/.exec(stats)?.[1])).toBeGreaterThan(15);
    expect(stats).toMatch(/^messages +4$/m);
    await leave(terminal);
  });

  it("stops an answer at Ctrl-C and keeps its text", { timeout }, async () => {
    const terminal = await start(endless);
    terminal.type(`Go on.${enter}`);
    await terminal.until("\n");
    await terminal.until(/[a-z]{3}/i);
    terminal.type(ctrlC);
    await terminal.until("(stopped; Ctrl-C again leaves)");
    await terminal.until(prompt);
    const [asked, answered, ...more] = await messagesOf(terminal);
    expect(asked).toEqual({ role: "user", content: "Go on." });
    expect(String(answered?.content).length).toBeGreaterThan(3);
    expect(more).toEqual([]);
    await leave(terminal);
  });

  it("leaves at a second Ctrl-C with 130", { timeout }, async () => {
    const terminal = await start(endless);
    terminal.type(`Go on.${enter}`);
    await terminal.until("\n");
    await terminal.until(/[a-z]{3}/i);
    terminal.type(ctrlC);
    await terminal.until("(stopped;");
    await terminal.until(prompt);
    terminal.type(ctrlC);
    expect(await terminal.end()).toEqual({ code: 130, modeKept: true });
  });

  it("says how to leave at an empty prompt, and clears a line that is not", { timeout }, async () => {
    const terminal = await start(greedy);
    terminal.type(`half a line${ctrlC}`);
    await terminal.until("^C");
    await terminal.until(prompt);
    expect(await say(terminal, "Who is Mia?")).toMatch(/\S/);
    expect((await messagesOf(terminal))[0]?.content).toBe("Who is Mia?");
    terminal.type(ctrlC);
    await terminal.until("(Ctrl-C again or Ctrl-D leaves)");
    await terminal.until(prompt);
    terminal.type(ctrlC);
    expect(await terminal.end()).toEqual({ code: 130, modeKept: true });
  });

  it("is interrupted while it loads", { timeout }, async () => {
    const slow = "synthetic:llama?layers=64&dim=1024";
    const terminal = new Terminal(["chat", "--draft-model", slow, "--no-history"]);
    opened(terminal);
    await terminal.until("loading");
    terminal.type(ctrlC);
    expect((await terminal.end()).code).toBe(130);
  });

  it("goes on after Ctrl-Z where it was, and leaves the terminal as it was at SIGTERM", {
    timeout,
  }, async () => {
    const terminal = await start(greedy);
    terminal.type("Who is\x1a");
    await terminal.until("Who is");
    const before = terminal.shown.length;
    // Until the program has stopped itself, SIGCONT is nothing to it.
    await until(() => {
      terminal.signal("SIGCONT");
      return terminal.shown.slice(before).includes(`${shownPrompt}Who is`);
    });
    expect(await say(terminal, " Mia?")).toMatch(/\S/);
    expect((await messagesOf(terminal))[0]?.content).toBe("Who is Mia?");
    terminal.type("half");
    await terminal.until("half");
    terminal.signal("SIGTERM");
    expect(await terminal.end()).toEqual({ code: 128 + 15, modeKept: true });
  });

  it("recalls messages by the arrow keys, those of earlier chats too", { timeout }, async () => {
    const state = stateFolder();
    const before = await start(greedy, { XDG_STATE_HOME: state });
    await say(before, "Who is Mia?");
    before.type(`"""one${enter}`);
    await before.until("… ");
    await say(before, 'two"""');
    await leave(before);
    const file = join(state, "infernode/chat-history");
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(statSync(join(state, "infernode")).mode & 0o777).toBe(0o700);
    const terminal = await start(greedy, { XDG_STATE_HOME: state });
    await say(terminal, up);
    await say(terminal, `${up}${up}`);
    const said = (await messagesOf(terminal)).filter(({ role }) => role === "user");
    expect(said.map(({ content }) => content)).toEqual(["one\ntwo", "Who is Mia?"]);
    await leave(terminal);
  });

  it("writes no file with --no-history", { timeout }, async () => {
    const state = stateFolder();
    const terminal = await start([...greedy, "--no-history"], { XDG_STATE_HOME: state });
    await say(terminal, "Who is Mia?");
    await say(terminal, up);
    expect((await messagesOf(terminal)).filter(({ role }) => role === "user")).toHaveLength(2);
    await leave(terminal);
    expect(existsSync(state)).toBe(false);
  });

  it("takes characters of any width, split and edited anywhere", { timeout }, async () => {
    const terminal = await start(greedy);
    for (const byte of Buffer.from("é日👍")) terminal.type(Uint8Array.of(byte));
    await terminal.until("👍");
    terminal.type(`👎\x7f${left}${left}x`);
    terminal.resize({ rows: 10, columns: 12 });
    terminal.type(`\x05 end.${enter}`);
    const path = join(folder, "wide.json");
    terminal.type(`/save ${path}${enter}`);
    await terminal.until("(saved 2 messages");
    await terminal.until(shownPrompt); // before, Ctrl-D would come to a terminal that is not yet in raw mode, and be lost
    expect(JSON.parse(readFileSync(path, "utf8")).messages[0].content).toBe("éx日👍 end.");
    await leave(terminal);
  });

  it("takes a paste of several lines as one message", { timeout }, async () => {
    const terminal = await start(greedy);
    const long = "All the animals sat down and ate.\n".repeat(40);
    await say(terminal, "\x1b[200~one\r\ntwo\x03\tthree\x1b[201~ four");
    terminal.type("\x1b[20");
    terminal.type(`0~${long}`);
    terminal.type("\x1b[201");
    await say(terminal, "~!");
    const said = (await messagesOf(terminal)).filter(({ role }) => role === "user");
    expect(said.map(({ content }) => content)).toEqual(["one\ntwo\tthree four", `${long}!`]);
    expect(terminal.shown).toContain(`[pasted text 1, ${long.length} characters]`);
    await leave(terminal);
  });

  it("takes several lines between fences or after a backslash", { timeout }, async () => {
    const terminal = await start(greedy);
    for (const line of ['"""', "/help", " is a command"]) {
      terminal.type(`${line}${enter}`);
      await terminal.until("… ");
    }
    await say(terminal, '"""');
    terminal.type(`one\\${enter}`);
    await terminal.until("… ");
    await say(terminal, "two");
    await say(terminal, "//two slashes");
    await say(terminal, "/usr/bin is a folder");
    const said = (await messagesOf(terminal)).filter(({ role }) => role === "user");
    expect(said.map(({ content }) => content)).toEqual([
      "/help\n is a command",
      "one\ntwo",
      "/two slashes",
      "/usr/bin is a folder",
    ]);
    await leave(terminal);
  });

  it("answers lines that were typed ahead one after another", { timeout }, async () => {
    const terminal = await start(greedy);
    terminal.type(`Who is Mia?${enter}Who is Leo?${enter}/stats${enter}`);
    expect(await terminal.until(/messages +4/)).toMatch(/Mia.*Leo/s);
    await terminal.until(prompt);
    await leave(terminal);
  });
});
