// /v2/ENDPOINT: RunPod's operations, and OpenAI's API below openai. All endpoints are the same
// worker, unless one id was said to be the only one.
import type { Hono } from "hono";
import { type OpenaiParts, openaiReply } from "../http/openai-routes.js";
import { jsonReply } from "../http/replies.js";
import { type HandlerCallParts, handlerCall } from "./handler-calls.js";
import type { JobApi } from "./job-api.js";

export interface PlatformParts {
  readonly api: JobApi;
  /** The one that is answered; undefined: any. */
  readonly endpointId: string | undefined;
  /** Undefined: calls of OpenAI's API become jobs of the handler. */
  readonly openai: OpenaiParts | undefined;
  readonly calls: HandlerCallParts;
}

const paths = /^\/v2\/([^/]+)\/(openai(?=\/))?(.*)$/;

export function addPlatformRoutes(app: Hono, parts: PlatformParts): void {
  app.all("/v2/*", ({ req }) => platformReply(parts, req.path, req.raw));
}

async function platformReply(
  { api, endpointId, openai, calls }: PlatformParts,
  path: string,
  request: Request,
): Promise<Response> {
  const [, endpoint, isOpenai, rest = ""] = paths.exec(path) ?? [];
  if (endpointId !== undefined && endpoint !== endpointId) {
    const error = `there is no endpoint ${endpoint?.slice(0, 100)} here; this server's is ${endpointId}`;
    return jsonReply(404, { error });
  }
  if (isOpenai === undefined) return api.reply(rest, request);
  const route = rest.replace(/(.)\/$/, "$1");
  return openai === undefined ? handlerCall(calls, route, request) : openaiReply(openai, route, request);
}
