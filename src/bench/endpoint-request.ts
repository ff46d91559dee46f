// What an endpoint of OpenAI's API is asked, and what it says where it refuses. Shared by endpoints
// that stream and those that are polled.
import type { PromptSizer } from "./prompt-text.js";
import type { Ask } from "./record.js";

/** Which of the API's addresses is asked. */
export type RequestApi = "chat" | "completions";

/** What of a request's body is not its prompt. */
export interface BodyFacts {
  readonly api: RequestApi;
  readonly model: string;
  readonly ignoreEos: boolean;
  readonly stream: boolean;
}

/** The body, as an object. */
export function requestBody(ask: Ask, { api, model, ignoreEos, stream }: BodyFacts) {
  const { content, outputTokens, temperature, seed } = ask;
  const text = "prompt" in content ? content.prompt : content.messages.map((each) => each.content).join("\n");
  const messages = "messages" in content ? content.messages : [{ role: "user", content: content.prompt }];
  return {
    model,
    ...(api === "chat" ? { messages } : { prompt: text }),
    ...{ max_tokens: outputTokens, temperature, seed, stream },
    ...(stream && { stream_options: { include_usage: true } }),
    ...(ignoreEos && { ignore_eos: true }),
  };
}

/** A sizer that counts words. */
export function wordSizer(tokensPerWord: number, overhead: number): PromptSizer {
  const wordsFor = (tokens: number) => Math.max(1, Math.round((tokens - overhead) / tokensPerWord));
  return {
    overhead,
    cut: (text, tokens) => text.split(" ").slice(0, wordsFor(tokens)).join(" "),
    wordsFor: (tokens) => Math.max(1, Math.ceil(tokens / tokensPerWord)),
  };
}

const advice: Readonly<Record<number, string>> = {
  401: "the key is missing or wrong; name its variable with --api-key-env",
  403: "the key is not allowed to do this; name another one's variable with --api-key-env",
  404: "the address or the model is not known there; correct --url or the model's name",
};

/** What a server says in an error, in one line. */
export function statusSentence(status: number, body: string): string {
  const said = /"message"\s*:\s*("(?:[^"\\]|\\.)*")/.exec(body)?.[1];
  const text = (said === undefined ? body : String(JSON.parse(said))).replace(/\s+/g, " ").trim();
  const parts = [`status ${status}`, text.slice(0, 200), advice[status] ?? ""];
  return parts.filter((part) => part !== "").join(": ");
}
