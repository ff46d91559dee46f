// What the helper process says is judged: a reply that is not of its protocol fails its
// request as the template's fault, and is nobody's prompt, answer or grammar. The
// programs here are stand-ins for one that aborts into a debugger.
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import type { Conversation } from "../../src/chat/messages.js";
import { ChatRenderer } from "../../src/chat/renderer.js";
import { embeddedModelPath, loadModel } from "../../src/index.js";
import { chatProgram } from "../../src/native-addon.js";
import { caught } from "../helpers/caught.js";
import { withEngine } from "../helpers/embedded.js";

const folder = mkdtempSync(join(tmpdir(), "infernode-replies-"));
afterAll(() => rmSync(folder, { recursive: true }));

const hello: Conversation = {
  messages: [{ role: "user", content: "Hello" }],
  variables: {},
  addGenerationPrompt: true,
  splitReasoning: true,
};

let programs = 0;

/** A renderer whose process answers each line with this shell command. */
function answering(command: string): ChatRenderer {
  const program = join(folder, `helper-${programs++}`);
  writeFileSync(program, `#!/bin/sh\nwhile read -r line; do ${command}; done\n`);
  chmodSync(program, 0o755);
  return new ChatRenderer(program, { template: "{{ 1 }}", bos: "", eos: "", addBos: false });
}

describe("a reply that is not of the protocol", () => {
  it("in what is opaque fails a conversation with tools too", async () => {
    const words = { ends: [], words: [], visible: [], grammar: "", lazy: false, triggers: [] };
    const thoughts = { thinkingStart: "", thinkingEnds: [], thinking: false };
    const answer = { format: 0, parser: "[New LWP 1]", generationPrompt: "", ...words, ...thoughts };
    const chat = answering(`echo '${JSON.stringify({ prompt: "x", stops: [], answer })}'`);
    const tools = { tools: [{ name: "clock" }], choice: "auto", parallel: false } as const;
    expect((await caught(() => chat.render({ ...hello, tools }))).code).toBe("CHAT_TEMPLATE_FAILED");
    chat.release();
  });

  it.each([
    "echo '[New LWP 1]'",
    'echo \'warning: no symbols\'; echo \'{"prompt":"x","stops":[],"answer":null}\'',
    "echo 1",
    "echo null",
    "echo '[]'",
    "echo '{}'",
    'echo \'{"prompt":1,"stops":[],"answer":null}\'',
    'echo \'{"prompt":"x","stops":null,"answer":null}\'',
    'echo \'{"prompt":"x","stops":[],"answer":{}}\'',
    "echo '{\"error\":1}'",
    "echo '\\xff\\xfe'",
    "echo; exit 0",
  ])("%s: fails what was asked", async (command) => {
    const chat = answering(command);
    const asked = [
      () => chat.render(hello),
      () => chat.parse({ format: 0, parser: "", generationPrompt: "" }, "x", false),
    ];
    for (const ask of asked) expect((await caught(ask)).code).toBe("CHAT_TEMPLATE_FAILED");
    chat.release();
  });

  it("does not pass as the reply to the next request", async () => {
    // Two lines for a process's second request.
    const chat = answering(
      'n=$((n+1)); line="{\\"prompt\\":\\"$n\\",\\"stops\\":[],\\"answer\\":null}"; ' +
        '[ $n = 2 ] && line="$line\\n$line"; printf "$line\\n"',
    );
    expect((await chat.render(hello)).prompt).toBe("1");
    expect((await caught(() => chat.render(hello))).code).toBe("CHAT_TEMPLATE_FAILED");
    expect((await chat.render(hello)).prompt).toBe("1"); // of another process
    chat.release();
  });
});

/** The embedded model's file with an empty chat template: another key holds the rest of its bytes. */
function withoutTemplate(): string {
  const file = readFileSync(embeddedModelPath());
  const key = Buffer.from("tokenizer.chat_template");
  const length = file.indexOf(key) + key.length + 4;
  const bytes = Number(file.readBigUInt64LE(length));
  file.writeBigUInt64LE(file.readBigUInt64LE(16) + 1n, 16); // one more key
  file.writeBigUInt64LE(0n, length);
  const filler = Buffer.alloc(8 + 4 + 4 + 8);
  filler.writeBigUInt64LE(4n, 0);
  filler.write("rest", 8);
  filler.writeUInt32LE(8, 12); // a string
  filler.writeBigUInt64LE(BigInt(bytes - filler.length), 16);
  filler.copy(file, length + 8);
  const path = join(folder, "no-template.gguf");
  writeFileSync(path, file);
  return path;
}

describe("an empty template", () => {
  it("in the model's file is none", async () => {
    const model = await loadModel(withoutTemplate());
    expect(model.metadata["tokenizer.chat_template"]).toBe("");
    await withEngine(model, { slots: 1, contextLength: 64 }, async (engine) => {
      const { messages } = hello;
      for (const ask of [() => model.renderChat(messages), async () => engine.generate({ messages })]) {
        const error = await caught(ask);
        expect(error.code).toBe("CHAT_TEMPLATE_MISSING");
        expect(error.message).toContain("loadModel's chatTemplate");
      }
    });
    await model.close();
  });

  it("of space alone is none", async () => {
    const chat = new ChatRenderer(chatProgram(), { template: " \n", bos: "", eos: "", addBos: false });
    expect((await caught(() => chat.render(hello))).code).toBe("CHAT_TEMPLATE_MISSING");
  });
});
