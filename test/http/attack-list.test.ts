// The list of attacks that any server of models must survive, against `infernode serve` in processes of its
// own: each entry that a request can make is a row of attacks-*.ts with the answer that must come; the others
// are named below with where they are tested. Afterwards the servers are the same, and whole.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ServeProcess, serveInProcess } from "../helpers/serve-process.js";
import { templateText } from "../helpers/templates.js";
import type { Attack } from "./attack.js";
import { elsewhere } from "./attacks-elsewhere.js";
import { fieldAttacks, toolAttacks } from "./attacks-fields.js";
import { keyAttacks, requestAttacks } from "./attacks-requests.js";
import { call, json } from "./scene.js";

const patience = 120_000;
const key = "a-key-of-my-own";

interface Kind {
  readonly name: string;
  readonly attacks: readonly Attack[];
  readonly args?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}
const kinds: readonly Kind[] = [
  { name: "bodies, headers and sockets", attacks: requestAttacks, args: ["--max-body", "2000000"] },
  { name: "keys and addresses", attacks: keyAttacks, args: ["--api-key", key] },
  { name: "fields", attacks: fieldAttacks, args: ["--max-body", "4000000"] },
  { name: "tools", attacks: toolAttacks, environment: { CHAT_TEMPLATE: templateText("Qwen-Qwen3-0.6B") } },
];

describe.each(kinds)("attacks by $name", { timeout: patience }, ({ attacks, args, environment }) => {
  let server: ServeProcess;
  beforeAll(async () => {
    server = await serveInProcess(args, environment);
  }, patience);
  afterAll(async () => {
    await server.stop();
  }, patience);

  it.each(attacks.map((attack) => [attack.entry, attack.name, attack] as const))("%i: %s", async (...row) => {
    const [, , { work, status, says }] = row;
    const reply = await work(server);
    expect([reply.status, reply.text]).toEqual([status, expect.stringMatching(asPattern(says))]);
  });

  it("leave the server as it was, and nothing of them in its log", async () => {
    expect(server.exitCode()).toBe(null);
    const headers = { ...json, Authorization: `Bearer ${key}` };
    const body = '{"prompt":"Once","max_tokens":4}';
    expect((await call(`${server.url}/v1/completions`, "POST", body, headers)).status).toBe(200);
    expect((await call(`${server.url}/health`)).json).toMatchObject({
      status: "ready",
      requests: { under_way: 0 },
      engine: { running: 0, waiting: 0 },
    });
    for (const secret of [key, "169.254", "etc/passwd", "robot"]) expect(server.said()).not.toContain(secret);
    expect(server.said()).not.toMatch(/unhandled|TypeError|RangeError| at .*\.js:/i);
  });
});

it("has each of the list's 80 entries, or says where it is tested", () => {
  const here = kinds.flatMap(({ attacks }) => attacks.map(({ entry }) => entry));
  const entries = new Set([...here, ...elsewhere.map(([entry]) => entry)]);
  const numbers = Array.from({ length: 80 }, (_, index) => index + 1);
  expect(numbers.filter((entry) => !entries.has(entry))).toEqual([]);
  const missing = elsewhere.filter(([, file, name]) => {
    const text = readFileSync(join(import.meta.dirname, "../..", file), "utf8");
    if (name === undefined) return !text.includes("int main(");
    return !titlesOf(text).some((title) => title.includes(name));
  });
  expect(missing).toEqual([]);
});

/** What a file of tests calls them. */
function titlesOf(text: string): readonly string[] {
  const opening = /\b(?:it|describe|TEST)\b[\s\S]*?\(\s*"((?:[^"\\]|\\.)*)"/g;
  return [...text.matchAll(opening)].map(([, title]) => title ?? "");
}

function asPattern(says: Attack["says"]): RegExp {
  if (says instanceof RegExp) return says;
  return new RegExp((says ?? "").replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
}
