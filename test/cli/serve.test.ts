// `infernode serve` as a process: where it listens, what it refuses, how it leaves.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";

const timeout = 60_000;
const command = join(import.meta.dirname, "../../dist/cli/main.js");
const folder = mkdtempSync(join(tmpdir(), "infernode-serve-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function start(args: readonly string[], environment: Readonly<Record<string, string>> = {}) {
  const env = { PATH: process.env.PATH, ...environment };
  const child = spawn(process.execPath, [command, "serve", ...args], { cwd: folder, env });
  const said = { text: "" };
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (said.text += chunk));
  const ended = once(child, "close").then(([code]) => code as number | null);
  return { child, said, ended };
}

describe("infernode serve", { timeout }, () => {
  it("serves where PORT says, by the keys of a file and the environment, until Ctrl-C", async () => {
    writeFileSync(join(folder, "keys"), "# ours\nfrom-the-file\n");
    const keys = { PORT: "0", INFERNODE_API_KEY: "from-the-environment, another" };
    const { child, said, ended } = start(["--api-key-file", "keys", "--served-model-name", "fox"], keys);
    try {
      const address = () => /Serving on (\S+) \(a key is needed\)/.exec(said.text)?.[1];
      while (address() === undefined) await Promise.race([once(child.stdout, "data"), ended]);
      const get = async (key: string) => {
        const headers = { Authorization: `Bearer ${key}` };
        const response = await fetch(`${address()}/v1/models`, { headers });
        return [response.status, JSON.stringify(await response.json())] as const;
      };
      expect((await get("none"))[0]).toBe(401);
      for (const key of ["from-the-file", "from-the-environment", "another"])
        expect(await get(key)).toEqual([200, expect.stringContaining('"id":"fox"')]);
      expect(said.text).not.toContain("from-the-");
      child.kill("SIGINT");
      expect(await ended).toBe(0);
    } finally {
      child.kill("SIGKILL");
    }
  });

  it("answers probes, and nothing else, where PORT_HEALTH says, from before its model is there", async () => {
    const free = createServer().listen(0, "127.0.0.1");
    await once(free, "listening");
    const { port } = free.address() as AddressInfo;
    free.close();
    await once(free, "close");
    const { child, said, ended } = start([], { PORT: "0", PORT_HEALTH: String(port) });
    try {
      const probe = (path: string) =>
        fetch(`http://127.0.0.1:${port}${path}`).then(
          ({ status }) => status,
          () => 0,
        );
      const seen = new Set<number>();
      while (!said.text.includes("Serving on")) seen.add(await probe("/ping"));
      expect([...seen].filter((status) => ![0, 200, 204].includes(status))).toEqual([]);
      expect([await probe("/ping"), await probe("/health"), await probe("/v1/models")]).toEqual([
        200, 200, 404,
      ]);
      child.kill("SIGTERM");
      expect(await ended).toBe(0);
      expect(await probe("/ping")).toBe(0);
    } finally {
      child.kill("SIGKILL");
    }
  });

  it.each<[readonly string[], Readonly<Record<string, string>>, string]>([
    [["--host", "0.0.0.0"], {}, "--host 0.0.0.0 is reached by other machines"],
    [["--port", "70000"], {}, "Expected an integer from 0 to 65535"],
    [[], { PORT_HEALTH: "70000" }, 'PORT_HEALTH must be an integer from 0 to 65535, got "70000"'],
    [[], { PORT: "http" }, 'PORT must be an integer from 0 to 65535, got "http"'],
    [["--api-key", ""], {}, "--api-key has a key that no header can carry; a key is 1 to 512 visible ASCII"],
    [
      [],
      { INFERNODE_API_KEY: "one,two words" },
      "INFERNODE_API_KEY has as number 2 a key that no header can carry",
    ],
    [["--api-key-file", "nowhere"], {}, "--api-key-file cannot be read: ENOENT"],
    [["--cors", "app.example"], {}, "--cors must be an origin such as https://app.example"],
    [["--max-queue-tokens", "0"], {}, "Expected an integer from 1 to 2147483647"],
    [["--max-que", "5"], {}, "unknown option '--max-que'\n(Did you mean --max-queue?)"],
  ])("refuses %j with %j by 2 and one sentence", async (args, environment, sentence) => {
    const { said, ended } = start(args, environment);
    expect(await ended).toBe(2);
    expect(said.text).toContain(sentence);
    expect(said.text).not.toContain("    at ");
  });

  it("ends with 1 where its model cannot be had", async () => {
    const { said, ended } = start(["/nowhere.gguf", "--port", "0"]);
    expect(await ended).toBe(1);
    expect(said.text).toContain("/nowhere.gguf");
  });
});
