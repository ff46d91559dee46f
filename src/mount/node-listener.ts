// Requests of node:http and of Express as the routes take them: web Requests, or the call of a
// body that Express's json() has read already.
import type { IncomingMessage, ServerResponse } from "node:http";
import { getRequestListener } from "@hono/node-server";
import { errorReply } from "../http/replies.js";
import { ApiError } from "../openai/api-error.js";

/** A request of node:http, as the routes take it. */
export interface ListenedCall {
  /** With what Express has cut off where the routes are mounted below a path. */
  readonly url: string;
  readonly request: Request;
  /** Undefined: nobody has read it. */
  readonly body: unknown;
}

/** What Express adds to node:http's requests. */
interface ExpressFields {
  readonly originalUrl?: unknown;
  readonly body?: unknown;
}

/** @param reply never rejects */
export function nodeListener(reply: (call: ListenedCall) => Promise<Response>) {
  const listener = getRequestListener(
    (request, { incoming }) => {
      const { originalUrl, body } = incoming as ExpressFields;
      const url = typeof originalUrl === "string" ? originalUrl : (incoming.url ?? "/");
      return reply({ url, request, body });
    },
    {
      overrideGlobalObjects: false,
      errorHandler: (thrown) =>
        errorReply(new ApiError(400, `the request cannot be read: ${(thrown as Error).message}`)),
    },
  );
  return (request: object, response: object) =>
    listener(request as IncomingMessage, response as ServerResponse);
}
