// The form as a request of OpenAI's API: fields that are empty are left out, so that the model's
// own defaults hold.

/**
 * @typedef {"chat" | "completion"} Mode
 * @typedef {{role: "system" | "user" | "assistant", content: string}} Message
 * @typedef {{path: string, body: Record<string, any>}} ApiRequest
 */

const numbers = [
  "max_tokens",
  "temperature",
  "top_p",
  "top_k",
  "min_p",
  "seed",
  "frequency_penalty",
  "presence_penalty",
  "repetition_penalty",
];

/**
 * @param {FormData} form @param {Message[]} earlier turns of the conversation @param {string} prompt
 * @returns {ApiRequest}
 */
export function requestOf(form, earlier, prompt) {
  const model = text(form, "model");
  const named = model === "" ? {} : { model };
  const streaming = { stream: true, stream_options: { include_usage: true } };
  if (modeOf(form) === "completion") {
    return { path: "v1/completions", body: { ...named, prompt, ...settings(form), ...streaming } };
  }
  const system = text(form, "system");
  /** @type {Message[]} */
  const messages = [
    ...(system.trim() === "" ? [] : [/** @type {Message} */ ({ role: "system", content: system })]),
    ...earlier,
    { role: "user", content: prompt },
  ];
  return { path: "v1/chat/completions", body: { ...named, messages, ...settings(form), ...streaming } };
}

/** @param {FormData} form @returns {Mode} */
export function modeOf(form) {
  return form.get("mode") === "completion" ? "completion" : "chat";
}

/** @param {FormData} form */
function settings(form) {
  /** @type {Record<string, number | string[]>} */
  const set = {};
  for (const name of numbers) {
    const value = text(form, name).trim();
    if (value !== "") set[name] = Number(value);
  }
  const stop = text(form, "stop")
    .split(/\r?\n/)
    .filter((line) => line !== "");
  if (stop.length > 0) set.stop = stop;
  return set;
}

/** @param {FormData} form @param {string} name */
function text(form, name) {
  const value = form.get(name);
  return typeof value === "string" ? value : "";
}
