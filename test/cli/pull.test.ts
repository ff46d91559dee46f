// `infernode pull` as a person calls it: in a narrow terminal, with many connections at once,
// and offline.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Hub, startHub } from "../../tools/hub-emulator/index.mjs";
import { run } from "../helpers/programs.js";
import { noTerminals, Terminal, withoutEscapes } from "../helpers/terminal.js";

const mebi = 1024 * 1024;
const repository = "acme/A-Tale-of-Two-Foxes-and-One-Hedgehog-Instruct-GGUF";
const reference = `hf:${repository}:Q8_0`;
let hub: Hub;
let home: string;
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "infernode-cli-pull-"));
  const weights = Buffer.alloc(96 * mebi, "many parts ");
  hub = await startHub(
    { [repository]: { files: { "Tale-Q8_0.gguf": weights } } },
    { bytesPerSecond: 40 * mebi },
  );
});
afterAll(async () => {
  await hub.close();
  await rm(home, { recursive: true });
});

const environment = (cache: string, more: Readonly<Record<string, string>> = {}) => ({
  ...{ HF_ENDPOINT: hub.endpoint, HF_HUB_CACHE: join(home, cache), HF_TOKEN: "", HF_HOME: home },
  ...more,
});
const pull = (cache: string, args: readonly string[], more: Readonly<Record<string, string>> = {}) =>
  run("dist/cli/main.js", { args: ["pull", ...args], env: environment(cache, more) });

describe("infernode pull", { timeout: 120_000 }, () => {
  it("says its progress and nothing else where many connections are open", async () => {
    const { code, stdout, stderr } = await pull("connections", [reference]);
    expect([code, stdout]).toEqual([0, expect.stringMatching(/Tale-Q8_0\.gguf\n$/)]);
    const others = stderr
      .split("\n")
      .filter((line) => !/^infernode: downloading hf:.* % of 96\.0 MiB/.test(line));
    expect(others).toEqual([""]);
  });

  const terminals = noTerminals === undefined ? it : it.skip;
  terminals(noTerminals ?? "keeps its line in one row of a terminal of 60 columns", async () => {
    const terminal = new Terminal(["pull", reference], environment("terminal"), { rows: 24, columns: 60 });
    await terminal.until(" left");
    expect((await terminal.end()).code).toBe(0);
    const lines = terminal.shown.split(/\r?\n|\r/).map(withoutEscapes);
    const progress = lines.filter((line) => line.startsWith("downloading hf:"));
    expect(progress.some((line) => / % of 96\.0 MiB, .*\/s, \d+ s left$/.test(line))).toBe(true);
    expect(Math.max(...progress.map((line) => line.length))).toBeLessThan(60);
  });

  it("finds offline what is in the cache, and says where it looked for what is not", async () => {
    const { stdout } = await pull("offline", [reference]);
    const asked = hub.requests.length;
    const offline = { HF_HUB_OFFLINE: "1" };
    for (const args of [[reference], [repository], [reference, "--revision", "main"]]) {
      const again = await pull("offline", args, offline);
      expect([again.code, again.stdout, again.stderr]).toEqual([
        0,
        stdout,
        "infernode: it was there already\n",
      ]);
    }
    const advice = "HF_HUB_OFFLINE is set, so that nothing is downloaded: unset it to fetch the model";
    const cache = join(home, "offline");
    const rows = [
      ["hf:acme/other", `the model hf:acme/other is not in ${cache}; ${advice}`],
      [
        `hf:${repository}:Q4_0`,
        `the model hf:${repository}:Q4_0 is not in ${cache} (${repository} has no GGUF file of type Q4_0; it has Tale-Q8_0.gguf); ${advice}`,
      ],
      [`${reference}@v2`, `the model ${reference}@v2 is not in ${cache}; ${advice}`],
      [
        "https://example.org/fox.gguf?key=secret",
        `the model https://example.org/fox.gguf is not in ${cache}; ${advice}`,
      ],
    ] as const;
    for (const [missing, sentence] of rows) {
      const refused = await pull("offline", [missing], offline);
      expect([refused.code, refused.stderr]).toEqual([1, `infernode: ${sentence} [MODEL_NOT_FOUND]\n`]);
    }
    expect(hub.requests).toHaveLength(asked);
  });
});
