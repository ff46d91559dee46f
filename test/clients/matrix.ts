// What is tried of which client, and the page that says so: docs/clients.md.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { EngineStats } from "../../src/index.js";

/** Where a client finds the server, and what it can see of the engine. */
export interface Place {
  readonly url: string;
  readonly stats: () => EngineStats;
}

/** The columns of the page. */
export const uses = [
  "whole",
  "stream",
  "left midway",
  "tools",
  "JSON by a schema",
  "embeddings",
  "more",
] as const;
export type Use = (typeof uses)[number];

/** A use of a client, which rejects where it does not work. */
export interface Check {
  /** What of the client is called; several where "more" names them. */
  readonly calls: string;
  /** @returns text is a figure for the page */
  readonly run: (place: Place) => Promise<unknown>;
}

/** A client and what is tried of it; a use that is not named does not exist there. */
export interface Client {
  readonly name: string;
  readonly checks: Partial<Readonly<Record<Use, Check>>>;
}

export const messages = [{ role: "user" as const, content: "Tell me a story about a fox." }];

/** A function as JSON schema, and what its call must have. */
export const weather = {
  name: "weather",
  description: "The weather of a city",
  parameters: {
    type: "object",
    properties: { city: { type: "string", enum: ["Rome", "Oslo"] } },
    required: ["city"],
    additionalProperties: false,
  },
};

/** A package's version as its row tells it, such as "openai 6.49". */
export function versioned(name: string): string {
  const file = join(import.meta.dirname, "../../node_modules", name, "package.json");
  const { version } = JSON.parse(readFileSync(file, "utf8")) as { version: string };
  return `${name} ${version.split(".").slice(0, 2).join(".")}`;
}

const opening = `# Clients

Packages that people call a model with, unchanged, against \`infernode serve\`: what was tried of each, and works. "–": the client has no
such call. "Left midway": the client aborts, and the generation ends on the server. Written by test/clients, which runs all of it. Programs
of other languages and versions are run where they are installed, by \`npm run clients:python\` and \`npm run clients:node22\`; their
rows name the version and the day of the last run that showed what they say.
`;

const closing = `
Base URLs: OpenAI's clients take \`http://HOST:PORT/v1\`, Anthropic's \`http://HOST:PORT\`, RunPod's \`http://HOST:PORT/v2\` (in Python by
\`RUNPOD_ENDPOINT_BASE_URL\`). An API key has to be given, any where the server has none. In the AI SDK set
\`supportsStructuredOutputs: true\`. Whole programs: [examples](../examples/README.md). Fields and differences:
[OpenAI's API](openai.md).
`;

/** Of a use, whether its check passed, and its figure where it has one; undefined: it was never run. */
export type Works = (client: Client, use: Use) => boolean | string | undefined;

/** @param title a client's first cell */
export function page(clients: readonly Client[], works: Works, title: (client: Client) => string): string {
  const cell = (client: Client, use: Use) => {
    const check = client.checks[use];
    if (check === undefined) return "–";
    const passed = works(client, use);
    if (passed === undefined) return "not run";
    const figure = typeof passed === "string" ? `: ${passed}` : "";
    return `${passed === false ? "**fails**" : "✓"} \`${check.calls}\`${figure}`;
  };
  const row = (client: Client) =>
    `| ${[title(client), ...uses.map((use) => cell(client, use))].join(" | ")} |`;
  const head = [`| client | ${uses.join(" | ")} |`, `|${"---|".repeat(uses.length + 1)}`];
  return [opening, ...head, ...clients.map(row), closing].join("\n");
}
