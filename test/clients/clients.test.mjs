// The clients that people use against one server, use by use; and the page that tells of it, which
// `npx vitest run test/clients --update` writes.
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { modelFiles } from "../../tools/documents/models.mjs";
import { paths } from "../../tools/setup/paths.mjs";
import { call, portOf, startServer } from "../http/scene.js";
import { page } from "./matrix.js";
import { chatCompletions, completions, responses } from "./openai.js";
import { aiSdk, anthropic, langChain, runpod } from "./others.js";
import { programClients } from "./programs.js";
import { recordsFile, updatedRecords } from "./records.js";

const clients = [
  ...[chatCompletions, completions, responses, anthropic, aiSdk, langChain, runpod],
  ...programClients,
];

const kPatience = 120_000; // ms: on a machine that does other things too

let started;
let place;
beforeAll(async () => {
  const [model = ""] = modelFiles(join(paths.state, "document-models"));
  started = startServer({ environment: { MODEL_NAME: model } });
  const url = `http://127.0.0.1:${await portOf(started)}`;
  while ((await call(`${url}/ping`)).status !== 200);
  const stats = () => {
    const served = started.served.text;
    if (served === undefined) throw new Error("text generation is served");
    return served.stats();
  };
  place = { url, stats };
}, kPatience);
afterAll(async () => {
  started.signal("SIGTERM");
  started.signal("SIGTERM");
  await started.ended;
}, kPatience);

const passed = new Map();
const keyOf = (client, use) => `${client.name}: ${use}`;

describe.each(clients)("$name", (client) => {
  const { reason, patience } = programClients.find((each) => each === client) ?? {};
  const checks = Object.entries(client.checks);
  it.skipIf(reason !== undefined).each(checks)(
    `%s${reason === undefined ? "" : ` (skipped: ${reason})`}`,
    { timeout: patience ?? kPatience },
    async (use, check) => {
      const figure = await check.run(place);
      passed.set(keyOf(client, use), typeof figure === "string" ? figure : true);
    },
  );
});

describe("docs/clients.md", () => {
  const works = (client, use) => passed.get(keyOf(client, use)) ?? false;
  const records = () => updatedRecords(programClients, works, new Date().toISOString().slice(0, 10));

  it("has a record of what programs showed when they were last run", async () => {
    await expect(`${JSON.stringify(records(), null, 2)}\n`).toMatchFileSnapshot(recordsFile);
  });

  it("says what works, of a program that is not here what was recorded of it", async () => {
    const recorded = records();
    const isProgram = (client) => programClients.includes(client);
    const shown = (client, use) =>
      isProgram(client) ? recorded[client.name]?.works[use] : works(client, use);
    const title = (client) => {
      const record = recorded[client.name];
      if (record !== undefined) return `${record.ran} (${record.date})`;
      return isProgram(client) ? `${client.name}, not run` : client.name;
    };
    const file = join(import.meta.dirname, "../../docs/clients.md");
    await expect(page(clients, shown, title)).toMatchFileSnapshot(file);
  });

  it("has no mark for what was never run", () => {
    const never = { name: "a client", checks: { whole: { calls: "ask", run: async () => {} } } };
    const text = page(
      [never],
      () => undefined,
      ({ name }) => name,
    );
    expect(text).toContain("| a client | not run | – |");
    expect(text).not.toContain("✓");
  });
});
