// The processes behind conversations and schemas: one for ordinary work, and others
// only where somebody would wait for a slow request. The program here is a stand-in
// that replies with its process's number, and to "hold" with nothing.
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { HelperPool } from "../../src/chat/helper-pool.js";
import { InferenceError } from "../../src/errors.js";
import { caught } from "../helpers/caught.js";

const folder = mkdtempSync(join(tmpdir(), "infernode-pool-"));
const program = join(folder, "helper");
writeFileSync(program, '#!/bin/sh\nwhile read -r line; do [ "$line" = hold ] || echo $$; done\n');
chmodSync(program, 0o755);
afterAll(() => rmSync(folder, { recursive: true }));

const failed = (what: string) => new InferenceError("INVALID_OPTION", what);

/** Works with a pool whose requests may take `limitMs`; its held requests are over when it returns. */
async function withPool(limitMs: number, work: (pool: HelperPool, hold: Hold) => Promise<void>) {
  const pool = new HelperPool(program, limitMs);
  const held: Promise<InferenceError>[] = [];
  const hold: Hold = (kind) => {
    held.push(caught(() => pool.ask(kind, "hold", failed)) as Promise<InferenceError>);
    return held.at(-1) as Promise<InferenceError>;
  };
  await work(pool, hold);
  await Promise.all(held);
  pool.close();
}
type Hold = (kind: "schema" | "chat") => Promise<InferenceError>;

describe("helper processes", () => {
  it("are one for ordinary work, one request after the other", async () => {
    await withPool(20_000, async (pool) => {
      await pool.ask("chat", "warm", failed);
      const kinds = ["schema", "chat", "schema", "chat", "chat"] as const;
      const replies = await Promise.all(kinds.map((kind) => pool.ask(kind, "x", failed)));
      expect(new Set(replies).size).toBe(1);
    });
  });

  it("are two where one is slow: what came after it is answered before it is refused", async () => {
    await withPool(2000, async (pool, hold) => {
      const order: string[] = [];
      const slow = hold("chat").then(() => order.push("slow"));
      await Promise.all([pool.ask("chat", "x", failed), pool.ask("schema", "x", failed)]);
      order.push("others");
      await slow;
      expect(order).toEqual(["others", "slow"]);
    });
  });

  it("are three at most, the last of them for the other kind of request", async () => {
    await withPool(2000, async (pool, hold) => {
      const order: string[] = [];
      const slow = [hold("schema"), hold("schema")].map((each) => each.then(() => order.push("slow")));
      const waiting = pool.ask("schema", "x", failed).then(() => order.push("schema"));
      const replies = await Promise.all(["a", "b"].map((line) => pool.ask("chat", line, failed)));
      order.push("chat");
      expect(new Set(replies).size).toBe(1);
      await Promise.all([...slow, waiting]);
      expect(order.slice(0, 2)).toEqual(["chat", "slow"]);
    });
  });

  it("fail their own request only, and are replaced", async () => {
    await withPool(300, async (pool, hold) => {
      const first = await pool.ask("chat", "x", failed);
      expect((await hold("chat")).message).toBe("took longer than 300 ms");
      expect(await pool.ask("chat", "x", failed)).not.toBe(first);
    });
    const nowhere = new HelperPool(join(folder, "none"), 1000);
    const error = await caught(() => nowhere.ask("chat", "x", failed));
    expect(error.code).toBe("NATIVE_MISSING"); // no template is at fault
    expect(error.message).toContain(`${join(folder, "none")} cannot be run: `);
    await caught(() => nowhere.ask("schema", "x", failed)); // and none that failed is in the way
  });
});
