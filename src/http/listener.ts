// A web application on a socket of this machine. A client that is slow to send its headers
// or body gets 408 and is cut off, one that goes silent after an answer is closed.
import { once } from "node:events";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { getRequestListener } from "@hono/node-server";
import { sleep } from "../backoff.js";
import { ApiError } from "../openai/api-error.js";
import { errorReply } from "./replies.js";

export interface ListenOptions {
  readonly host: string;
  /** 0: one that is free. */
  readonly port: number;
  /** Milliseconds for a request's headers. */
  readonly headersMs: number;
  /** Milliseconds for the whole request. */
  readonly requestMs: number;
  /** Milliseconds that a connection stays open between requests. */
  readonly idleMs: number;
}

/** Of connections that are too slow. */
const lookEveryMs = 500;
const mostConnections = 4096;
/** After which a silent connection is asked whether its other end is still there. */
const probeAfterMs = 30_000;
/** Milliseconds the last answers get to reach their callers. */
const lastAnswersMs = 1000;

export interface Listener {
  readonly port: number;
  /** Requests whose answers are not whole on their way yet. */
  readonly answering: number;
  /** Resolves when the answers to the requests that there are now are on their way, or their callers gone. */
  answered(): Promise<void>;
  /** Takes no connection any more and ends those that there are; answers get a second. */
  close(): Promise<void>;
}

/** @throws where the address cannot be had */
export async function listen(
  fetch: (request: Request) => Response | Promise<Response>,
  { host, port, headersMs, requestMs, idleMs }: ListenOptions,
): Promise<Listener> {
  const answer = getRequestListener((request) => fetch(request), {
    overrideGlobalObjects: false,
    hostname: "localhost", // for HTTP/1.0, whose requests need name no host
    errorHandler: (thrown) =>
      errorReply(new ApiError(400, `the request cannot be read: ${(thrown as Error).message}`)),
  });
  const options = {
    headersTimeout: headersMs,
    requestTimeout: requestMs,
    keepAliveTimeout: idleMs,
    connectionsCheckingInterval: Math.min(lookEveryMs, headersMs),
    keepAlive: true,
    keepAliveInitialDelay: probeAfterMs,
  };
  const unanswered = new Map<http.ServerResponse, Promise<void>>();
  const server = http.createServer(options, (request, response) => {
    unanswered.set(response, leftOf(response, unanswered));
    void answer(request, response);
  });
  server.maxConnections = mostConnections;
  server.listen(port, host);
  await once(server, "listening");
  const { port: actual } = server.address() as AddressInfo;
  return {
    port: actual,
    get answering() {
      return unanswered.size;
    },
    answered: async () => void (await Promise.all(unanswered.values())),
    close: () => closed(server),
  };
}

/** Resolves when all of the response was handed to the system, or its connection is closed. */
function leftOf(response: http.ServerResponse, among: Map<http.ServerResponse, unknown>): Promise<void> {
  return new Promise((resolve) => {
    response.once("close", () => {
      among.delete(response);
      resolve();
    });
  });
}

async function closed(server: http.Server): Promise<void> {
  const close = new AbortController();
  server.close(() => close.abort());
  server.closeIdleConnections();
  await sleep(lastAnswersMs, close.signal);
  server.closeAllConnections();
}
