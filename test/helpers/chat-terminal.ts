// A chat in a pseudo-terminal for the tests of a file: each has a folder, fresh histories,
// and terminals that are ended after each test.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, expect } from "vitest";
import type { ChatMessage } from "../../src/index.js";
import { noTerminals, Terminal, withoutEscapes } from "./terminal.js";

export { noTerminals };

if (noTerminals !== undefined) console.warn(noTerminals);

/** Of a test with terminals, in milliseconds. */
export const timeout = 120_000;

/** Of this test file's own. */
export const folder = mkdtempSync(join(tmpdir(), "infernode-chat-"));
afterAll(() => rmSync(folder, { recursive: true }));

export const greedy = ["chat", "--threads", "1", "-t", "0"];
export const enter = "\r";
export const ctrlD = "\x04";
/** readline clears what was below before it shows a prompt. */
export const shownPrompt = "\x1b[0J> ";

let folders = 0;

/** A state folder that is not there yet, so that tests share no history. */
export function stateFolder(): string {
  folders += 1;
  return join(folder, `state-${folders}`);
}

const open: Terminal[] = [];
afterEach(async () => {
  for (const each of open.splice(0)) await each.kill();
});

/** Has a terminal ended after the test. */
export function opened(terminal: Terminal): Terminal {
  open.push(terminal);
  return terminal;
}

/** A chat at its first prompt. */
export async function start(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Terminal> {
  const terminal = opened(new Terminal(args, { XDG_STATE_HOME: stateFolder(), NO_COLOR: "", ...env }));
  await terminal.until(shownPrompt);
  return terminal;
}

/** Types a line and waits for the prompt after it. @returns what was shown between */
export async function say(terminal: Terminal, line: string): Promise<string> {
  terminal.type(`${line}${enter}`);
  await terminal.until("\n"); // the echo
  return withoutEscapes(await terminal.until(shownPrompt))
    .replace(/> $/, "")
    .replaceAll("\r", "");
}

/** The messages so far, by way of /save. */
export async function messagesOf(terminal: Terminal): Promise<readonly ChatMessage[]> {
  const path = join(folder, `saved-${Math.floor(performance.now() * 1000)}.json`);
  expect(await say(terminal, `/save ${path}`)).toContain("saved");
  return JSON.parse(readFileSync(path, "utf8")).messages;
}

/** Leaves by Ctrl-D. */
export async function leave(terminal: Terminal): Promise<void> {
  terminal.type(ctrlD);
  expect(await terminal.end()).toEqual({ code: 0, modeKept: true });
}
