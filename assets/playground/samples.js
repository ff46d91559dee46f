// A request as programs that send it: curl, and OpenAI's own packages for JavaScript and Python.
// They name the variable that holds the key, never the key.

/** @typedef {import("./request.js").ApiRequest} ApiRequest */
/** @typedef {"curl" | "javascript" | "python"} Language */

/** Fields that OpenAI's package for Python takes in extra_body alone. */
const beyondOpenai = ["top_k", "min_p", "repetition_penalty"];

/**
 * @param {Language} language @param {ApiRequest} request
 * @param {string} base the server's address, with a slash at its end @param {boolean} hasKey
 */
export function sampleOf(language, request, base, hasKey) {
  if (language === "curl") return curl(request, base, hasKey);
  return language === "python" ? python(request, base, hasKey) : javascript(request, base, hasKey);
}

/** @param {Language} language @param {boolean} hasKey */
export function noteOf(language, hasKey) {
  const needs = {
    curl: "",
    javascript: "npm install openai, and save this as a file whose name ends in .mjs. ",
    python: "pip install openai. ",
  }[language];
  return hasKey ? `${needs}The key comes from the variable INFERNODE_API_KEY.` : needs.trim();
}

/** @param {ApiRequest} request @param {string} base @param {boolean} hasKey */
function curl({ path, body }, base, hasKey) {
  const quoted = JSON.stringify(body, null, 2).replaceAll("'", "'\\''");
  const lines = [
    `curl -N ${base}${path}`,
    '-H "Content-Type: application/json"',
    ...(hasKey ? ['-H "Authorization: Bearer $INFERNODE_API_KEY"'] : []),
    `-d '${quoted}'`,
  ];
  return lines.join(" \\\n  ");
}

/** @param {ApiRequest} request @param {string} base @param {boolean} hasKey */
function javascript({ path, body }, base, hasKey) {
  const key = hasKey ? "process.env.INFERNODE_API_KEY" : '"none"';
  const [call, part] = path.endsWith("chat/completions")
    ? ["chat.completions", "delta.content"]
    : ["completions", "text"];
  return `import OpenAI from "openai";

const client = new OpenAI({ baseURL: ${JSON.stringify(`${base}v1`)}, apiKey: ${key} });
const stream = await client.${call}.create(${JSON.stringify(body, null, 2)});
for await (const chunk of stream) {
  process.stdout.write(chunk.choices[0]?.${part} ?? "");
}
`;
}

/** @param {ApiRequest} request @param {string} base @param {boolean} hasKey */
function python({ path, body }, base, hasKey) {
  const key = hasKey ? 'os.environ["INFERNODE_API_KEY"]' : '"none"';
  const [call, part] = path.endsWith("chat/completions")
    ? ["chat.completions", "delta.content"]
    : ["completions", "text"];
  const isExtra = (/** @type {[string, unknown]} */ [name]) => beyondOpenai.includes(name);
  const extra = Object.entries(body).filter(isExtra);
  const fields = Object.entries(body).filter((field) => !isExtra(field));
  if (extra.length > 0) fields.push(["extra_body", Object.fromEntries(extra)]);
  const given = fields.map(([name, value]) => `    ${name}=${literal(value, "    ")},\n`).join("");
  return `${hasKey ? "import os\n\n" : ""}from openai import OpenAI

client = OpenAI(base_url=${JSON.stringify(`${base}v1`)}, api_key=${key})
stream = client.${call}.create(
${given})
for chunk in stream:
    if chunk.choices:
        print(chunk.choices[0].${part} or "", end="", flush=True)
`;
}

/** A value in Python's spelling. @param {unknown} value @param {string} indent @returns {string} */
function literal(value, indent) {
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value !== "object") return JSON.stringify(value);
  const deeper = `${indent}    `;
  const [open, items, close] = Array.isArray(value)
    ? ["[", value.map((item) => literal(item, deeper)), "]"]
    : [
        "{",
        Object.entries(value).map(([name, item]) => `${JSON.stringify(name)}: ${literal(item, deeper)}`),
        "}",
      ];
  return `${open}\n${items.map((item) => `${deeper}${item},\n`).join("")}${indent}${close}`;
}
