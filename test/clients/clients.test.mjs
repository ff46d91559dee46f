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
  const url = `http://127.0.0.1:${await portOf(started.server)}`;
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

const failed = new Set();
const keyOf = (client, use) => `${client.name}: ${use}`;

describe.each(clients)("$name", (client) => {
  const reason = programClients.find((each) => each === client)?.reason;
  const checks = Object.entries(client.checks);
  it.skipIf(reason !== undefined).each(checks)(
    `%s${reason === undefined ? "" : ` (skipped: ${reason})`}`,
    async (use, check) => {
      failed.add(keyOf(client, use));
      await check.run(place);
      failed.delete(keyOf(client, use));
    },
  );
});

it("docs/clients.md says what works", async () => {
  const works = (client, use) => !failed.has(keyOf(client, use));
  const file = join(import.meta.dirname, "../../docs/clients.md");
  await expect(page(clients, works)).toMatchFileSnapshot(file);
});
