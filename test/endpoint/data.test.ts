// Jobs of a server with a data folder, over ends and starts of the server.
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Sqlite from "libsql";
import { afterAll, describe, expect, it } from "vitest";
import { DataFolder } from "../../src/endpoint/data-folder.js";
import type { StartOptions } from "../../src/serverless/contract.js";
import { startServer, turn } from "../http/scene.js";
import { gate, judged } from "../serverless/harness.js";
import { type JobScene, obedient, withHandler } from "./scene.js";

const root = mkdtempSync(join(tmpdir(), "infernode-data-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

let folders = 0;
function newFolder(): string {
  folders += 1;
  return join(root, String(folders));
}

/** A server of the handler over the folder; it is told to leave at the end. */
const withData = (
  dataFolder: string,
  handler: StartOptions["handler"],
  work: (scene: JobScene) => Promise<void>,
  lastWebhooksMs = 0,
) => withHandler(handler, work, { options: { dataFolder }, times: { lastWebhooksMs } });

/** Runs the work with a hook that answers once it may, and what it heard. */
async function withHook(
  work: (webhook: string, heard: string[], mayAnswer: ReturnType<typeof gate<void>>) => Promise<void>,
) {
  const heard: string[] = [];
  const mayAnswer = gate<void>();
  const hook = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    heard.push(Buffer.concat(chunks).toString());
    await mayAnswer.opened;
    response.end();
  }).listen(0, "127.0.0.1");
  await once(hook, "listening");
  try {
    await work(`http://127.0.0.1:${(hook.address() as AddressInfo).port}/`, heard, mayAnswer);
  } finally {
    hook.closeAllConnections();
    hook.close();
  }
}

describe("a server that is told to leave", () => {
  it("finishes what runs and leaves what waits to the next one, which begins it once", async () => {
    const folder = newFolder();
    const running = gate();
    const ids: string[] = [];
    const first: StartOptions["handler"] = async ({ input }) => {
      await running.opened;
      return input;
    };
    await withData(folder, first, async ({ send, signal, ended, until }) => {
      for (const input of [0, 1, 2]) ids.push((await send("POST", "run", { input })).json.id);
      await until(ids[0] ?? "", "IN_PROGRESS");
      signal("SIGTERM");
      running.open();
      expect(await ended).toBe(0);
    });
    await withData(
      folder,
      async ({ input }) => input * 10,
      async ({ send }) => {
        const ends = await Promise.all(ids.map((id) => send("GET", `status-sync/${id}`)));
        expect(ends.map(({ json }) => [json.status, json.output, json.retries])).toEqual([
          ["COMPLETED", 0, undefined],
          ["COMPLETED", 10, undefined],
          ["COMPLETED", 20, undefined],
        ]);
      },
    );
  });

  it("at once leaves what runs, too; it runs again, says so, and its first items are gone", async () => {
    const folder = newFolder();
    const body = { input: { stream: true } };
    let id = "";
    await withData(
      folder,
      async function* (_job, { signal: stopped }): AsyncGenerator<string, void> {
        yield "old";
        await once(stopped, "abort");
      },
      async ({ send, signal, ended, until }) => {
        id = (await send("POST", "run", body)).json.id;
        const waiting = send("GET", `status-sync/${id}`);
        await until(id, "IN_PROGRESS");
        expect((await send("GET", `stream/${id}`)).json.stream).toEqual([{ output: "old" }]);
        signal("SIGTERM");
        signal("SIGTERM");
        expect((await waiting).json).toMatchObject({ id, status: "IN_PROGRESS" });
        expect(await ended).toBe(0);
      },
    );
    const handler: StartOptions["handler"] = async function* (): AsyncGenerator<string, void> {
      yield "new";
    };
    await withData(folder, handler, async ({ send }) => {
      const done = (await send("GET", `status-sync/${id}`)).json;
      expect(done).toMatchObject({ id, status: "COMPLETED", retries: 1 });
      const streamed = (await send("GET", `stream/${id}`)).json;
      expect(streamed).toEqual({ id, status: "COMPLETED", retries: 1, stream: [{ output: "new" }] });
      expect((await send("GET", "health")).json.jobs.retried).toBe(1);
    });
  });
});

describe("a job that has ended", () => {
  it("is as it was, is run again, and is deleted at its time, in any later server", async () => {
    const folder = newFolder();
    const ids: string[] = [];
    let before: unknown[] = [];
    const all = async ({ send }: JobScene) =>
      Promise.all(ids.map(async (id) => (await send("GET", `status/${id}`)).json));
    await withData(folder, obedient, async (scene) => {
      const { send } = scene;
      const inputs = [
        { echo: { a: "ü\u0000" } },
        { throws: "too hot" },
        { items: [1, { two: 2 }] },
        { echo: 3 },
      ];
      for (const input of inputs) ids.push((await send("POST", "runsync", { input })).json.id);
      before = await all(scene);
      expect(await send("GET", `status/${ids[3]}?ttl=0`)).toMatchObject({ status: 200 });
      while ((await send("GET", `status/${ids[3]}`)).status !== 404);
    });
    await withData(
      folder,
      async () => "second",
      async (scene) => {
        const { send, until } = scene;
        const after = await all(scene);
        expect(after.slice(0, 3)).toEqual(before.slice(0, 3));
        expect(after[3].error).toContain("there is no job");
        const items = (await send("GET", `stream/${ids[2]}`)).json.stream;
        expect(items).toEqual([{ output: 1 }, { output: { two: 2 } }]);
        expect((await send("POST", `retry/${ids[1]}`)).json).toEqual({ id: ids[1], status: "IN_QUEUE" });
        expect((await until(ids[1] ?? "", "COMPLETED")).json).toMatchObject({ output: "second", retries: 1 });
        expect((await send("POST", `retry/${ids[1]}`)).status).toBe(400);
      },
    );
    await withData(folder, obedient, async ({ send }) => {
      expect((await send("GET", `stream/${ids[2]}`)).json.stream).toEqual([]); // they were given
      expect((await send("GET", `status/${ids[1]}`)).json).toMatchObject({ output: "second", retries: 1 });
    });
  });

  it("stays readable though there are more results than are kept in memory", async () => {
    const big: StartOptions["handler"] = async ({ input }) => String(input).repeat(14_000_000);
    await withData(newFolder(), big, async ({ send }) => {
      const ids: string[] = [];
      for (const input of [1, 2, 3, 4, 5]) ids.push((await send("POST", "runsync", { input })).json.id);
      const told = await send("GET", `status/${ids[0]}`);
      expect([told.json.status, told.json.output.length]).toEqual(["COMPLETED", 14_000_000]);
    });
  });

  it("has its webhook told by a later server where the first one could not", async () => {
    await withHook(async (webhook, heard, mayAnswer) => {
      const folder = newFolder();
      await withData(folder, obedient, async ({ send, signal, ended }) => {
        await send("POST", "runsync", { input: { echo: 1 }, webhook });
        while (heard.length === 0) await turn();
        signal("SIGTERM");
        signal("SIGTERM");
        await ended; // the hook has not answered
      });
      mayAnswer.open();
      await withData(folder, obedient, async () => {
        while (heard.length < 2) await turn();
      });
      expect(heard[1]).toBe(heard[0]);
      await withData(folder, obedient, async ({ send }) => void (await send("GET", "health")));
      expect(heard).toHaveLength(2);
    });
  });
});

describe("the queue of a server with a folder", () => {
  it("is cancelled and purged for good", async () => {
    const folder = newFolder();
    const ids: string[] = [];
    await withData(folder, obedient, async ({ send, signal, until }) => {
      for (let job = 0; job < 4; job += 1)
        ids.push((await send("POST", "run", { input: { hangs: true } })).json.id);
      await until(ids[0] ?? "", "IN_PROGRESS");
      expect((await send("POST", `cancel/${ids[1]}`)).json.status).toBe("CANCELLED");
      expect((await send("POST", "purge-queue")).json.removed).toBe(2);
      expect((await send("POST", `cancel/${ids[0]}`)).json.status).toBe("CANCELLED");
      signal("SIGTERM");
    });
    await withData(folder, obedient, async ({ send }) => {
      for (const id of ids) expect((await send("GET", `status/${id}`)).json.status).toBe("CANCELLED");
    });
  });

  it("takes a job of 9 MB while the event loop turns, and answers once it is on the disk", async () => {
    const folder = newFolder();
    const data = new DataFolder(folder);
    await data.open();
    const request = JSON.stringify({ input: "a".repeat(9_000_000) });
    const times = { executionMs: 1e6, ttlMs: 1e6, keptMs: 1e6 };
    const createdAt = Date.now();
    const job = { id: "large", request, bytes: request.length, times, createdAt, ttlAt: createdAt + 1e6 };
    let turns = 0;
    let isWritten = false;
    const written = data.accept(job, undefined).then(() => (isWritten = true));
    for (; !isWritten; turns += 1) await turn();
    await written;
    expect(turns).toBeGreaterThan(1);
    await data.close();
    const again = new DataFolder(folder);
    expect((await again.open()).map((stored) => stored.request === request)).toEqual([true]);
    await again.close();
  });
});

describe("a data folder", () => {
  it("is this user's alone, and so are its files", async () => {
    const folder = newFolder();
    await withData(folder, obedient, async ({ send }) => {
      await send("POST", "runsync", { input: 1 });
      const names = readdirSync(folder);
      expect(names).toContain("jobs.db");
      const modes = [folder, ...names.map((name) => join(folder, name))].map(
        (file) => statSync(file).mode & 0o077,
      );
      expect(modes).toEqual(modes.map(() => 0));
    });
  });

  /** The last line of a server that cannot start over this folder. */
  async function refusalOf(dataFolder: string): Promise<string> {
    const served = { options: judged({ handler: obedient }), text: undefined, close: async () => {} };
    const { ended, lines } = startServer({ served, options: { dataFolder } });
    expect(await ended).toBe(1);
    return lines.at(-1) ?? "";
  }

  it("is one server's", async () => {
    const folder = newFolder();
    await withData(folder, obedient, async ({ send }) => {
      const said = await refusalOf(folder);
      expect(said).toContain(
        `--data ${folder}: another process uses it; each server needs a folder of its own`,
      );
      expect((await send("POST", "runsync", { input: { echo: 1 } })).json.output).toBe(1);
    });
  });

  it("of the first format is read as one of now", async () => {
    const folder = newFolder();
    let id = "";
    await withData(folder, obedient, async ({ send }) => {
      id = (await send("POST", "runsync", { input: { echo: 1 } })).json.id;
    });
    // No statement is prepared: until it is collected as garbage it would keep the file open and locked.
    const database = new Sqlite(join(folder, "jobs.db"));
    database.exec(
      "ALTER TABLE jobs DROP COLUMN deaths; UPDATE jobs SET ended_at = NULL, result = NULL, status = 'IN_QUEUE'",
    );
    database.exec(`UPDATE jobs SET request = '{"input":{"echo":2}}'; PRAGMA user_version = 1`);
    database.close();
    await withData(folder, obedient, async ({ until }) => {
      expect((await until(id, "COMPLETED")).json.output).toBe(2);
    });
  });

  it("that cannot be one, is damaged, or is of another version is refused in a sentence", async () => {
    const [file, damaged, newer] = [newFolder(), newFolder(), newFolder()];
    writeFileSync(file, "");
    await withData(damaged, obedient, async () => {});
    writeFileSync(join(damaged, "jobs.db"), "no database".repeat(1000));
    await withData(newer, obedient, async () => {});
    const database = new Sqlite(join(newer, "jobs.db"));
    database.exec("PRAGMA user_version = 3");
    database.close();
    expect(await refusalOf(file)).toContain(`--data ${file}: it is no folder`);
    expect(await refusalOf("/proc/infernode/data")).toContain(
      "it cannot be made; the folder that it is to be in must be there",
    );
    expect(await refusalOf(damaged)).toContain("jobs.db in it is damaged, or no file of infernode's");
    expect(await refusalOf(newer)).toContain(
      "has jobs in format 3, and this version reads format 2: use the version",
    );
  });
});
