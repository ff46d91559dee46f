// llama.cpp's log: to the listener while there is one, never to the streams.
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { type LogLine, setLogListener } from "../src/index.js";
import { loadEmbedded } from "./helpers/embedded.js";

test("a listener hears llama.cpp load a model, and nothing after it is removed", async () => {
  const lines: LogLine[] = [];
  setLogListener((line) => lines.push(line));
  const model = await loadEmbedded();
  await new Promise((resolve) => setImmediate(resolve));
  setLogListener(null);
  const heard = lines.length;
  expect(heard).toBeGreaterThan(10);
  expect(lines.every((line) => !line.text.includes("\n"))).toBe(true);
  expect(lines.some((line) => line.level === "info")).toBe(true);
  await model.close();
  (await loadEmbedded()).close();
  await new Promise((resolve) => setImmediate(resolve));
  expect(lines.length).toBe(heard);
});

test("a listener that is no function is refused by name", () => {
  expect(() => setLogListener(3 as never)).toThrow(/listener must be a function or null/);
});

test("a process that ends with a listener set, or whose worker had one, exits 0", () => {
  const program = fileURLToPath(new URL("fixtures/programs/log-listener.mjs", import.meta.url));
  const output = execFileSync(process.execPath, [program], { encoding: "utf8" });
  expect(output).toBe("");
});
