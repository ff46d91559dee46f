// /v1/responses: made, read, deleted. What was made is kept where the server has a store.
import { randomBytes } from "node:crypto";
import type { ChatMessage } from "../chat/messages.js";
import { ApiError } from "./api-error.js";
import { type Body, booleanField, type OnUnknown, textField } from "./fields.js";
import { type NamedStream, withApiErrors } from "./named-events.js";
import type { ResponseStore, StoredResponse } from "./response-store.js";
import { ResponseAnswer } from "./responses-answer.js";
import { responsesRequest } from "./responses-request.js";
import type { TextModel } from "./text-model.js";

type Made = { readonly type: "object"; readonly object: object } | NamedStream;

export interface ResponsesCall {
  /** Undefined: nothing is kept. */
  readonly store: ResponseStore | undefined;
  readonly body: Body;
  readonly signal: AbortSignal | undefined;
  readonly onUnknown: OnUnknown;
}

/** @throws ApiError */
export async function createdResponse(
  model: TextModel,
  { store, body, signal, onUnknown }: ResponsesCall,
): Promise<Made> {
  const streams = booleanField(body, "stream") ?? false;
  const keeps = (booleanField(body, "store") ?? true) && store !== undefined;
  const id = model.answerId ?? `resp_${randomBytes(16).toString("hex")}`;
  if (keeps && store.get(id) !== undefined) {
    throw new ApiError(
      400,
      `request_id "${shown(id)}" is a stored response's; send another, or store false`,
      {
        param: "request_id",
        code: "invalid_value",
      },
    );
  }
  const history = historyOf(store, textField(body, "previous_response_id"));
  const { request, said, continuesFinal, echo, names } = responsesRequest(body, history, onUnknown);
  const answer = new ResponseAnswer(model, { id, createdAt: Math.floor(Date.now() / 1000), echo });
  const run = model.generate({ ...request, ...(signal && { signal }) });
  let whole: object | undefined;
  const events = withApiErrors(
    answer.events(run, ({ object, message }) => {
      whole = object;
      const conversation = continuesFinal ? continued(said, message) : [...said, message];
      if (keeps) store.put(id, { object, messages: [...history, ...conversation] });
    }),
    names,
  );
  if (streams) return { type: "events", events, failed: (error) => answer.failed(error) };
  for await (const _ of events);
  if (whole === undefined) throw new Error("a generation ended without its end");
  return { type: "object", object: whole };
}

/** The messages, of which the answer continues the last. */
function continued(said: readonly ChatMessage[], answer: ChatMessage): readonly ChatMessage[] {
  const begun = said.at(-1);
  const text = joinedText(begun) + joinedText(answer);
  return [...said.slice(0, -1), { ...begun, ...answer, content: text }];
}

function joinedText({ content = "" }: Pick<ChatMessage, "content"> = {}): string {
  return typeof content === "string" ? content : content.map(({ text }) => text).join("\n");
}

function historyOf(store: ResponseStore | undefined, id: string | undefined): StoredResponse["messages"] {
  if (id === undefined) return [];
  if (store !== undefined) return storedResponse(store, id, "previous_response_id").messages;
  throw new ApiError(
    400,
    "previous_response_id is not supported: no responses are kept here; send the items of the conversation as input",
    { param: "previous_response_id", code: "unsupported_parameter" },
  );
}

function storedResponse(store: ResponseStore | undefined, id: string, param: string): StoredResponse {
  const stored = store?.get(id);
  if (stored !== undefined) return stored;
  throw new ApiError(404, `there is no response "${shown(id)}": it was not stored, or its time is over`, {
    param,
    code: "response_not_found",
  });
}

/** Routes of OpenAI's that stand where an id does. */
const countRoutes: readonly string[] = ["input_tokens", "compact"];

/** @param path below /v1/responses/, such as "resp_1/cancel" @throws ApiError */
export function existingResponse(
  store: ResponseStore | undefined,
  method: string,
  path: string,
  query: string,
): object {
  const [encoded = "", operation, ...more] = path.split("/");
  const id = decoded(encoded);
  const isCount = method === "POST" && operation === undefined && countRoutes.includes(id);
  if (isCount || more.length > 0 || !["cancel", undefined].includes(operation)) {
    const said = isCount || operation === "input_items" ? "is not supported" : "does not exist";
    throw new ApiError(404, `the route /v1/responses/${shown(path)} ${said}`, { code: "route_not_found" });
  }
  if (operation === "cancel") return cancelled(store, method, id);
  if (method === "DELETE") {
    storedResponse(store, id, "response_id");
    store?.delete(id);
    return { id, object: "response", deleted: true };
  }
  if (method !== "GET" && method !== "HEAD") {
    throw new ApiError(405, `/v1/responses/ID takes GET and DELETE, got ${method}`, {
      code: "method_not_allowed",
      allow: "GET, HEAD, DELETE",
    });
  }
  const asked = new URLSearchParams(query);
  if (asked.get("stream") === "true") {
    throw new ApiError(400, "stream is not supported for a response that has ended; leave it out", {
      param: "stream",
      code: "unsupported_parameter",
    });
  }
  return storedResponse(store, id, "response_id").object;
}

/** There is nothing to cancel: what is stored has ended. */
function cancelled(store: ResponseStore | undefined, method: string, id: string): never {
  if (method !== "POST") {
    throw new ApiError(405, `/v1/responses/ID/cancel takes POST, got ${method}`, {
      code: "method_not_allowed",
    });
  }
  storedResponse(store, id, "response_id");
  throw new ApiError(
    400,
    `the response "${shown(id)}" has ended and was not made in the background; a response under way is cancelled by closing its connection`,
    { param: "response_id", code: "invalid_value" },
  );
}

/** An id as a sentence holds it. */
function shown(id: string): string {
  return id.length > 100 ? `${id.slice(0, 100)}…` : id;
}

function decoded(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}
