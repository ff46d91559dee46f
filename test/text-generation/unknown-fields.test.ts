// Fields that nobody defines, in the worker's log: their names are the callers' own.
import { expect, it } from "vitest";
import { unknownFields } from "../../src/text-generation/unknown-fields.js";
import { withTextWorker } from "./scene.js";

it("each is named once, whichever message holds it, and in a line of its own", () => {
  const lines: string[] = [];
  const onUnknown = unknownFields(false, (line) => lines.push(line));
  for (const path of ["mood", "mood", "messages[0].mood", "messages[7].mood", 'a\n"b"\u001b[31m'])
    onUnknown(path);
  expect(lines.map((line) => /^Ignored the unknown field (".*") of a request/.exec(line)?.[1])).toEqual([
    '"mood"',
    '"messages[].mood"',
    JSON.stringify('a\n"b"\u001b[31m'),
  ]);
});

it("a client that makes up names fills neither the log nor memory", () => {
  const lines: string[] = [];
  const onUnknown = unknownFields(false, (line) => lines.push(line));
  for (let index = 0; index < 10_000; index += 1) onUnknown(`${"x".repeat(70)}${index}`.repeat(2));
  expect(lines.length).toBe(101);
  expect(lines.at(-1)).toMatch(/^Ignored further unknown fields/);
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThan(200);
});

it("each is refused where that is wanted", () => {
  const onUnknown = unknownFields(true, () => {});
  expect(() => onUnknown("messages[0].mood")).toThrow("messages[0].mood is not supported");
});

it("a prompt's parameter that stands beside params, or is misspelt, is told its place", async () => {
  await withTextWorker({}, async ({ run }) => {
    for (const [input, param, message] of [
      [
        { max_tokens: 5 },
        "max_tokens",
        'put it into params: {"prompt": "...", "params": {"max_tokens": ...}}',
      ],
      [{ user: "u" }, "user", "put it into params"],
      [{ sytem_prompt: "x" }, "sytem_prompt", "did you mean system_prompt?"],
      [{ params: { max_token: 5 } }, "params.max_token", "did you mean max_tokens?"],
      [{ mood: "glad" }, "mood", "mood is not supported"],
    ] as const) {
      const { error } = await run({ prompt: "Once", ...input });
      expect(error).toMatchObject({ param, message: expect.stringContaining(message) });
    }
  });
});
