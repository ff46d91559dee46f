// `infernode serve --data` as a process: without the package that it needs, and on a full disk.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";

const root = join(import.meta.dirname, "../..");
const command = join(root, "dist/cli/main.js");
const folder = mkdtempSync(join(tmpdir(), "infernode-serve-data-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
writeFileSync(join(folder, "echo.mjs"), "export const handler = async ({ input }) => input.length;");

function start(program: string, args: readonly string[]) {
  const child = spawn(program, args, { cwd: folder, env: { PATH: process.env.PATH, PORT: "0" } });
  const said = { text: "" };
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (said.text += chunk));
  const ended = once(child, "close").then(([code]) => code as number | null);
  return { child, said, ended };
}

async function addressOf({ child, said, ended }: ReturnType<typeof start>): Promise<string> {
  for (;;) {
    const address = /Serving on (\S+) /.exec(said.text)?.[1];
    if (address !== undefined) return `${address}/v2/any`;
    await Promise.race([once(child.stdout, "data"), ended]);
    if (child.exitCode !== null) throw new Error(said.text);
  }
}

describe("infernode serve --data", () => {
  it("says in one sentence which package is missing", async () => {
    // The program as it is installed, away from this clone's packages.
    const installed = join(folder, "installed");
    mkdirSync(installed);
    for (const name of ["dist", "third_party"]) symlinkSync(join(root, name), join(installed, name));
    cpSync(join(root, "package.json"), join(installed, "package.json"));
    const links = ["--preserve-symlinks", "--preserve-symlinks-main"];
    const program = join(installed, "dist/cli/main.js");
    const started = start(process.execPath, [...links, program, "serve", "echo.mjs", "--data", "none"]);
    expect(await started.ended).toBe(1);
    const sentence =
      "--data none: it needs the package libsql, which is not installed: npm install libsql@0.5";
    expect(started.said.text.trim().split("\n")).toEqual([expect.stringContaining(sentence)]);
  });

  it("accepts nothing by halves on a disk that is full, and keeps what it accepted", async () => {
    const data = ["serve", "echo.mjs", "--data", "jobs"];
    // No file may grow beyond 1 MB.
    const limited = `ulimit -f 1024; exec "$0" "$@"`;
    const full = start("bash", ["-c", limited, process.execPath, command, ...data]);
    const accepted = new Map<string, number>();
    try {
      const address = await addressOf(full);
      const send = async (bytes: number) => {
        const body = JSON.stringify({ input: "a".repeat(bytes) });
        const response = await fetch(`${address}/run`, { method: "POST", body });
        const said = (await response.json()) as { readonly id: string; readonly error: string };
        return [response.status, said] as const;
      };
      let refused = 0;
      for (const bytes of [10, 300_000, 5_000_000, 20, 300_000, 5_000_000, 30]) {
        const [status, said] = await send(bytes);
        if (status === 200) accepted.set(said.id, bytes);
        else {
          refused += 1;
          expect(status).toBe(503);
          expect(said.error).toMatch(
            /^the server cannot store jobs now, and nothing was accepted; send this request again later \(--data jobs: the disk /,
          );
        }
      }
      expect(refused).toBeGreaterThanOrEqual(2);
      expect(accepted.size).toBeGreaterThanOrEqual(2);
      for (const [id, bytes] of accepted) {
        const response = await fetch(`${address}/status-sync/${id}`);
        expect(await response.json()).toMatchObject({ status: "COMPLETED", output: bytes });
      }
    } finally {
      full.child.kill("SIGKILL");
      await full.ended;
    }
    const roomy = start(process.execPath, [command, ...data]);
    try {
      const address = await addressOf(roomy);
      for (const [id, bytes] of accepted) {
        const response = await fetch(`${address}/status-sync/${id}`);
        expect(await response.json()).toMatchObject({ status: "COMPLETED", output: bytes });
      }
    } finally {
      roomy.child.kill("SIGKILL");
      await roomy.ended;
    }
  });
});
