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

writeFileSync(
  join(folder, "poison.mjs"),
  `const handler = async ({ input }) => {
  await new Promise((resolve) => setTimeout(resolve, input === "poison" ? 100 : 500));
  if (input === "poison") process.kill(process.pid, "SIGKILL");
  return input;
};
export default { handler, concurrencyModifier: () => 4 };`,
);

interface Ended {
  readonly status: string;
  readonly output?: unknown;
  readonly error?: string;
  readonly retries?: number;
}

describe("a job that kills its process", () => {
  const data = (name: string, ...more: string[]) => [command, "serve", "poison.mjs", "--data", name, ...more];
  async function submitted(address: string, input: string): Promise<string> {
    const response = await fetch(`${address}/run`, { method: "POST", body: JSON.stringify({ input }) });
    return ((await response.json()) as { readonly id: string }).id;
  }
  async function endOf(address: string, id: string): Promise<Ended> {
    return (await (await fetch(`${address}/status-sync/${id}`)).json()) as Ended;
  }

  it("is given up after three starts, and those that ran beside it are not", async () => {
    const args = data("poisoned");
    const first = start(process.execPath, args);
    const address = await addressOf(first);
    const others = await Promise.all(["a", "b", "c"].map((input) => submitted(address, input)));
    const poison = await submitted(address, "poison");
    await first.ended;
    for (const _ of [2, 3]) {
      const { child, ended } = start(process.execPath, args);
      await ended;
      expect(child.signalCode).toBe("SIGKILL");
    }
    const last = start(process.execPath, args);
    try {
      const now = await addressOf(last);
      const ends = await Promise.all(others.map((id) => endOf(now, id)));
      expect(ends.map(({ status, output, retries }) => [status, output, retries])).toEqual([
        ["COMPLETED", "a", 2],
        ["COMPLETED", "b", 2],
        ["COMPLETED", "c", 2],
      ]);
      const { status, error, retries } = await endOf(now, poison);
      expect([status, retries]).toEqual(["FAILED", 3]);
      expect(error).toBe(
        "the server's process ended 3 times while it ran this job, which is not begun again by itself; " +
          `if the job was not the cause, POST /retry/${poison} runs it once more`,
      );
      expect((await fetch(`${now}/retry/${poison}`, { method: "POST" })).status).toBe(200);
      await last.ended;
      expect(last.child.signalCode).toBe("SIGKILL");
    } finally {
      last.child.kill("SIGKILL");
    }
  }, 60_000);

  it("is not begun again where --max-job-starts is 1, which needs --data", async () => {
    const args = data("once", "--max-job-starts", "1");
    const first = start(process.execPath, args);
    const poison = await submitted(await addressOf(first), "poison");
    await first.ended;
    const second = start(process.execPath, args);
    try {
      const end = await endOf(await addressOf(second), poison);
      expect([end.status, end.error]).toEqual(["FAILED", expect.stringContaining("ended once while")]);
    } finally {
      second.child.kill("SIGKILL");
      await second.ended;
    }
    const refused = start(process.execPath, [command, "serve", "poison.mjs", "--max-job-starts", "2"]);
    expect(await refused.ended).toBe(2);
    expect(refused.said.text).toContain(
      "--max-job-starts counts over starts of the server, which needs --data",
    );
  }, 60_000);
});

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
