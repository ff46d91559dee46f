// A model behind the API's routes, in this process: a synthetic one with as many
// tokens as the model whose answers were recorded, and a template that knows tools.
import { errorBody, toApiError } from "../../src/openai/api-error.js";
import type { OnUnknown } from "../../src/openai/fields.js";
import { ResponseStore } from "../../src/openai/response-store.js";
import { answer } from "../../src/openai/routes.js";
import { readTextGenerationConfig } from "../../src/text-generation/config.js";
import { TextGenerationService } from "../../src/text-generation/service.js";
import { templateText } from "../helpers/templates.js";

export type Json = Readonly<Record<string, unknown>>;

/** What the API answers: a status and an object, or the objects of a stream. */
export interface Reply {
  readonly status: number;
  readonly reply?: Json;
  readonly events?: readonly unknown[];
}

export interface Api {
  call(path: string, body: unknown, onUnknown?: OnUnknown, method?: string): Promise<Reply>;
  chat(body: Json): Promise<Reply>;
  complete(body: Json): Promise<Reply>;
  close(): Promise<void>;
}

const recordedVocabulary = 49_152;

/** @param environment over the scene's own */
export async function openApi(environment: Readonly<Record<string, string>> = {}): Promise<Api> {
  const config = readTextGenerationConfig({
    MODEL_NAME: `synthetic:llama?layers=1&dim=64&vocab=${recordedVocabulary}&context=2048&seed=4`,
    OPENAI_SERVED_MODEL_NAME_OVERRIDE: "m",
    CHAT_TEMPLATE: templateText("Qwen-Qwen2.5-7B-Instruct"),
    MAX_NUM_SEQS: "4",
    ...environment,
  });
  const service = new TextGenerationService(config, {}, () => {});
  await service.load();
  const responses = new ResponseStore();
  const call = async (
    path: string,
    body: unknown,
    onUnknown?: OnUnknown,
    method = "POST",
  ): Promise<Reply> => {
    try {
      const given = await answer(service.model, { path, method, body, onUnknown, responses });
      if (given.type === "object") return { status: 200, reply: given.object as Json };
      if (given.type === "events") return { status: 200, events: await chunksOf(given.events) };
      return { status: 200, events: await chunksOf(given.chunks) };
    } catch (thrown) {
      const error = toApiError(thrown);
      return { status: error.status, reply: errorBody(path, error) as Json };
    }
  };
  return {
    call,
    chat: (body) => call("/v1/chat/completions", body),
    complete: (body) => call("/v1/completions", body),
    close: () => service.close(),
  };
}

/** A stream that is refused before its first event is a plain refusal, as over HTTP. */
async function chunksOf(chunks: AsyncIterable<object>): Promise<readonly unknown[]> {
  const read: unknown[] = [];
  for await (const chunk of chunks) read.push(JSON.parse(JSON.stringify(chunk)));
  return read;
}
