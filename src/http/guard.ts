// Who may call the API: holders of a key, and never a web page of another site unless its
// origin was allowed. Without keys the address itself is the protection, so a request must
// name this machine: a page whose host name was bent to this address (DNS rebinding) does not.
import type { Context, MiddlewareHandler } from "hono";
import { cors } from "hono/cors";
import { ApiError } from "../openai/api-error.js";
import { ofAnotherPage } from "../serverless/local-caller.js";
import type { KeyRing } from "./keys.js";
import { errorReply } from "./replies.js";

export interface GuardOptions {
  readonly keys: KeyRing;
  /** Origins of web pages that may call, such as "https://app.example"; "*": all. */
  readonly origins: readonly string[];
  /** Whether requests must name this machine by "localhost" or an address. */
  readonly isLocal: boolean;
}

/** Answered without a key: they tell nothing but whether the server works. */
export const openPaths: ReadonlySet<string> = new Set(["/health", "/ping"]);

const refusedPage = new ApiError(
  403,
  "web pages of another origin may not call this server; allow the origin with --cors",
  { code: "origin_not_allowed" },
);
const refusedHost = new ApiError(
  403,
  "a server without an API key answers to localhost and IP addresses only; start it with --api-key, " +
    "or with --behind-gateway where a proxy guards it",
  { code: "host_not_allowed" },
);
const refusedKey = new ApiError(
  401,
  "the API key is missing or wrong; send it as Authorization: Bearer KEY or as x-api-key",
  { type: "authentication_error", code: "invalid_api_key" },
);

/** The answers to web pages carry what lets their browsers read them. */
export function crossOrigin(origins: readonly string[]): MiddlewareHandler {
  return cors({
    origin: origins.includes("*") ? "*" : [...origins],
    allowMethods: ["GET", "POST", "DELETE"],
    // All that the page asks for: clients of OpenAI and Anthropic send many of their own.
    allowHeaders: [],
    exposeHeaders: ["Retry-After"],
    // Cookies are those of a gateway in front. Pages of everybody must not use them.
    credentials: !origins.includes("*"),
    maxAge: 600,
  });
}

export function guard({ keys, origins, isLocal }: GuardOptions): MiddlewareHandler {
  return async (context, next) => {
    if (openPaths.has(context.req.path)) return next();
    const { path } = context.req;
    if (isLocal && keys.isEmpty && !namesThisMachine(context.req.header("host") ?? "localhost"))
      return errorReply(refusedHost, {}, path);
    if (!isAllowedPage(context, origins) && ofAnotherPage(pageHeaders(context)))
      return errorReply(refusedPage, {}, path);
    if (!keys.admits(context.req.raw.headers))
      return errorReply(refusedKey, { "WWW-Authenticate": "Bearer" }, path);
    return next();
  };
}

function isAllowedPage(context: Context, origins: readonly string[]): boolean {
  const origin = context.req.header("origin");
  return origin !== undefined && (origins.includes("*") || origins.includes(origin));
}

function pageHeaders({ req }: Context): Record<string, string | undefined> {
  return Object.fromEntries(
    ["origin", "host", "content-type", "sec-fetch-site"].map((name) => [name, req.header(name)]),
  );
}

function namesThisMachine(host: string): boolean {
  const name = host.replace(/:\d+$/, "").toLowerCase();
  return /^(?:(?:.+\.)?localhost|\d+\.\d+\.\d+\.\d+|\[[0-9a-f:.]+\])$/.test(name);
}
