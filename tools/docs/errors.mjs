// docs/errors.md: the registry of src/errors.ts, with what to do about each code.
import { commentText } from "./interfaces.mjs";
import { code, table } from "./tables.mjs";

// What a caller does about an error of this code.
const kRemedies = {
  MODEL_NOT_FOUND: "Check the path; relative paths start at the process's working directory.",
  MODEL_UNREADABLE: "Check permissions, and that the path is a file.",
  MODEL_NOT_GGUF:
    "Use a GGUF file; llama.cpp's `convert_hf_to_gguf.py` makes one of a Hugging Face repository.",
  MODEL_VERSION_UNSUPPORTED: "Convert the model again with a current llama.cpp.",
  MODEL_TRUNCATED: "Download the file again; compare its size with the source's.",
  MODEL_CORRUPT: "Download the file again, or convert the model again.",
  MODEL_ARCHITECTURE_UNSUPPORTED: "Use a newer version of this package, or another model.",
  MODEL_FORMAT_UNSUPPORTED: "Follow the message: it names what is not supported and what to load instead.",
  MODEL_ACCESS_DENIED:
    "Accept the repository's terms on the hub, or set `HF_TOKEN` to a token that may read it.",
  DOWNLOAD_FAILED: "Run the same command again: it continues where it stopped.",
  DISK_FULL: "Free the space that the message names, or set a cache directory on another disk.",
  FILE_NOT_WRITABLE: "Name a folder that exists and that this process may write.",
  MODEL_LOAD_FAILED: "Read the message; `setLogListener()` has llama.cpp's own lines.",
  DEVICE_UNAVAILABLE:
    'Follow the message, which has the reason of the driver or the dynamic linker; `infernode doctor` tells more. Or take `device: "auto"`, which falls back on the CPU.',
  OUT_OF_MEMORY:
    "Lower `slots`, `contextLength` or `gpuLayers`, or take a smaller quantization: [memory and slots](guides/memory-and-slots.md#when-a-model-does-not-fit).",
  INVALID_OPTION: "Correct the option that the message (and `error.path`) names.",
  CHAT_TEMPLATE_MISSING: "Use `prompt`, or pass `chatTemplate` to `loadModel()`.",
  CHAT_TEMPLATE_FAILED:
    "Read the message; some templates refuse a role, or two messages of one role in a row.",
  STATE_UNREADABLE: "Check the path, permissions and free disk space.",
  STATE_INVALID: "Compute the conversation again; save states by the same model file and engine options.",
  STATE_LOST: "Continue without a state file.",
  CONTEXT_OVERFLOW: "Shorten the prompt, or create the engine with a larger `contextLength`.",
  QUEUE_FULL:
    "Send the request again later, answer 429, or raise `queueLimit`: [errors and retries](guides/errors-and-retries.md).",
  OUTPUT_INVALID:
    "Read the message and `error.text`; give `maxTokens` room for the longest answer, or generate again: [structured output](guides/structured-output.md).",
  CANCELLED: "Nothing; `error.cause` is the signal's reason.",
  MODEL_CLOSED: "Load the model again.",
  ENGINE_CLOSED: "Create another engine, or send the request to another process.",
  DECODE_FAILED: "Send the request again; if it fails each time, report it with llama.cpp's log.",
  DEVICE_FAILED:
    "End the process and start another one: a device's driver may not recover within it. Other requests of the engine end alike.",
  ENGINE_BROKEN: "Close the engine and create another one, or end the process; please report it.",
  NATIVE_MISSING: "Follow the message: it names the package to install or the command to run.",
};

// Entries of the registry with their comments, out of the source text.
export function registryEntries(source) {
  const begin = source.indexOf("const registry = {");
  const body = source.slice(begin, source.indexOf("\n} as const", begin));
  const entry = /\/\*\*((?:[^*]|\*(?!\/))*)\*\/\s*(\w+): \{ status: (\d+), retryable: (true|false) \}/g;
  return Array.from(body.matchAll(entry), ([, comment, name, status, retryable]) => ({
    name,
    status: Number(status),
    retryable: retryable === "true",
    meaning: commentText(comment),
  }));
}

export function errorsPage(source) {
  const entries = registryEntries(source);
  const codes = (source.match(/\{ status: \d+, retryable: /g) ?? []).length;
  if (codes !== entries.length)
    throw new Error(`${codes} codes in the registry, ${entries.length} with a comment`);
  const unknown = Object.keys(kRemedies).filter((name) => !entries.some((entry) => entry.name === name));
  if (unknown.length > 0) throw new Error(`remedies for codes that do not exist: ${unknown.join(", ")}`);
  const rows = entries.map(({ name, status, retryable, meaning }) => {
    const remedy = kRemedies[name];
    if (remedy === undefined) throw new Error(`tools/docs/errors.mjs: no remedy for ${name}`);
    return [code(name), String(status), retryable ? "yes" : "no", meaning, remedy];
  });
  return `${kOpening}\n${table(["code", "status", "retryable", "meaning", "what to do"], rows)}\n`;
}

const kOpening = `# Errors

Made by \`npm run docs\` from src/errors.ts.

Every function of the package throws, or rejects with, an \`InferenceError\`:

| property | meaning |
|---|---|
| \`code\` | one of the codes below; branch on it |
| \`message\` | one sentence for people: what was expected, what came, what to do. It may change between versions, and never holds text of a prompt |
| \`status\` | the HTTP status that a service should answer with |
| \`retryable\` | whether the same request may succeed later, or on another machine |
| \`path\` | of \`INVALID_OPTION\`: the option that is wrong, such as \`["stop", 1]\` |
| \`cause\` | what led here, such as an AbortSignal's reason |

How to use them in a service: [errors and retries](guides/errors-and-retries.md).
`;
