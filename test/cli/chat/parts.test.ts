// The pure parts of a chat: messages out of lines, the history's file, near words, and text
// that is safe to show.

import { once } from "node:events";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ReadStream } from "node:tty";
import { afterAll, describe, expect, it } from "vitest";
import { InputHistory, mostEntries } from "../../../src/cli/chat/input-history.js";
import { MessageBlock } from "../../../src/cli/chat/message-input.js";
import { visible } from "../../../src/cli/chat/screen.js";
import { completions, isCommand } from "../../../src/cli/chat/slash-commands.js";
import { TypedInput } from "../../../src/cli/chat/typed-input.js";
import { nearest } from "../../../src/cli/nearest.js";

const folder = mkdtempSync(join(tmpdir(), "infernode-chat-parts-"));
afterAll(() => rmSync(folder, { recursive: true }));

describe("a message", () => {
  it.each([
    [["a line"], "a line"],
    [["one\\", "two\\", "three"], "one\ntwo\nthree"],
    [['"""one"""'], "one"],
    [['"""', "one", "", "two", '"""'], "one\n\ntwo"],
    [['  """one', 'two"""  '], "one\ntwo"],
    [['say """ twice'], 'say """ twice'],
    [['""""""'], ""],
  ])("of the lines %j is %j", (lines, expected) => {
    const block = new MessageBlock();
    lines.forEach((line, index) => {
      expect(block.isComplete).toBe(false);
      block.add(line);
      expect(block.isEmpty && index < lines.length - 1).toBe(false);
    });
    expect(block.isComplete).toBe(true);
    expect(block.text).toBe(expected);
  });
});

describe("a command", () => {
  it("is a slash and one word", () => {
    for (const line of ["/help", "/?", "/", "/set a b", " /exit "]) expect(isCommand(line)).toBe(true);
    for (const line of ["help", "//help", "/usr/bin", "a /help", "/2"]) expect(isCommand(line)).toBe(false);
  });

  it("is completed, and so are the options of /set", () => {
    const options = ["temperature", "top-k", "top-p"];
    expect(completions("/s", options)).toEqual(["/system ", "/save ", "/set ", "/stats "]);
    expect(completions("/set to", options)).toEqual(["/set top-k ", "/set top-p "]);
    expect(completions("s", options)).toEqual([]);
  });
});

describe("nearest", () => {
  const known = ["help", "exit", "clear", "temperature", "top-k", "top-p"];

  it.each([
    ["hepl", "help"],
    ["hlp", "help"],
    ["temprature", "temperature"],
    ["temp", "temperature"],
    ["cleer", "clear"],
    ["xyz", undefined],
    ["", undefined],
    ["top", undefined],
  ])("of %j is %j", (word, expected) => {
    expect(nearest(word, known)).toBe(expected);
  });
});

describe("the history's file", () => {
  const noFailure = (error: Error) => {
    throw error;
  };

  it("is made for its owner alone and read newest first", () => {
    const path = join(folder, "made/history");
    const history = new InputHistory(path, noFailure);
    expect(history.read()).toEqual([]);
    history.add("one");
    history.add("two\nlines");
    history.add("x".repeat(10_000)); // too long to be kept
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(new InputHistory(path, noFailure).read()).toEqual(["two␊lines", "one"]);
  });

  it("is cut to its limit, and closed to others where it was open", () => {
    const path = join(folder, "long-history");
    writeFileSync(path, Array.from({ length: mostEntries + 5 }, (_, line) => `line ${line}\n`).join(""));
    chmodSync(path, 0o644);
    const entries = new InputHistory(path, noFailure).read();
    expect(entries).toHaveLength(mostEntries);
    expect(entries[0]).toBe(`line ${mostEntries + 4}`);
    expect(readFileSync(path, "utf8").split("\n")).toHaveLength(mostEntries + 1);
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it("tells once why it cannot be used", () => {
    const path = join(folder, "a-folder");
    mkdirSync(path);
    const told: string[] = [];
    const history = new InputHistory(path, ({ message }) => void told.push(message));
    expect(history.read()).toEqual([]);
    history.add("one");
    expect(told).toHaveLength(1);
    expect(told[0]).toContain("EISDIR");
  });
});

describe("text that is shown", () => {
  it("keeps line breaks and tabs, and has pictures for other control characters", () => {
    expect(visible("a\tb\r\nc\n")).toBe("a\tb\nc\n");
    expect(visible("\x1b[2J\x07\r\x7f\x9b")).toBe("␛[2J␇␍␡\ufffd");
    expect(visible("é日👍\u202f")).toBe("é日👍\u202f");
  });
});

describe("typed keys", () => {
  /** All that reaches readline of these pieces, one line being open at a time. */
  async function delivered(pieces: readonly Buffer[], lines: number): Promise<string[]> {
    const input = new TypedInput({ isTTY: false } as ReadStream);
    const got: string[] = [];
    for (const piece of pieces) input.write(piece);
    for (let line = 0; line < lines; line += 1) {
      input.openLine();
      got.push(input.expand(pressed(input)));
    }
    input.end();
    await once(input, "readable");
    return [...got, pressed(input)];
  }

  function pressed(input: TypedInput): string {
    let keys = "";
    for (let key = input.read(); key !== null; key = input.read()) keys += key;
    return keys;
  }

  const keys = Buffer.from("é\x1b[200~日\n👍\x1b[201~ end\rnext\x1b[D\r");
  const expected = ["é日\n👍 end\r", "next\x1b[D\r", ""];

  it("come a line at a time, whole at every split point", async () => {
    for (let at = 0; at <= keys.length; at += 1) {
      const pieces = [keys.subarray(0, at), keys.subarray(at)];
      expect(await delivered(pieces, 2)).toEqual(expected);
    }
  });

  it("lose nothing where they come byte by byte", async () => {
    const pieces = Array.from(keys, (byte) => Buffer.of(byte));
    expect(await delivered(pieces, 2)).toEqual(expected);
  });
});
