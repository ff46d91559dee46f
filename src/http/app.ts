// The server's routes as one function of a web Request: who may call, whether the server is
// ready, and whose route it is. Knows no socket; the endpoint adds its routes.
import { type Context, Hono } from "hono";
import { ApiError, toApiError } from "../openai/api-error.js";
import { crossOrigin, type GuardOptions, guard, openPaths } from "./guard.js";
import { type OpenaiParts, openaiReply, shuttingDown, wrongMethod } from "./openai-routes.js";
import { errorReply, jsonReply } from "./replies.js";

/** What the server can do now. */
export type ServerState = "loading" | "ready" | "asleep" | "waking" | "draining" | "broken";

export interface AppParts {
  readonly guard: GuardOptions;
  readonly state: () => ServerState;
  /** Resolves when the state is no longer "loading", or after a while that requests may wait for it. */
  readonly loaded: () => Promise<void>;
  /** Told beside the state in /health. */
  readonly figures: () => Readonly<Record<string, unknown>>;
  /** In Prometheus's text format. */
  readonly metrics: () => Promise<{ readonly contentType: string; readonly text: string }>;
  /** Told by /version. */
  readonly version: string;
  /** Adds routes that are open to everybody. */
  readonly open: (app: Hono) => void;
  /** Undefined: there is no model behind /v1. */
  readonly openai: OpenaiParts | undefined;
  /** Adds the endpoint's routes. */
  readonly more: (app: Hono) => void;
}

/** By the state: RunPod's load balancer reads 204 as "is starting" and anything but 2xx as broken. */
const pingStatuses: Readonly<Record<ServerState, number>> = {
  loading: 204,
  ready: 200,
  asleep: 200, // a request wakes it
  waking: 204,
  draining: 503,
  broken: 503,
};

/** A model that is unloaded is loaded by the request that needs it, which waits for it. */
const takesWork: ReadonlySet<ServerState> = new Set(["ready", "asleep", "waking"]);

/** Routes that vLLM and llama-server have beside /v1. */
const besideV1: readonly string[] = ["/tokenize", "/detokenize", "/apply-template", "/rerank", "/v2/rerank"];

const loading = new ApiError(503, "the model is being loaded; send this request again later", {
  code: "model_loading",
});
const broken = new ApiError(503, "the engine has stopped by an error; the server is to be started again", {
  code: "engine_broken",
});
const noModel = new ApiError(
  404,
  "this server runs a handler, not a model; its jobs are at /v2/ENDPOINT/run, and /v2/ENDPOINT/openai/v1 where the handler speaks it",
  { code: "route_not_found" },
);

export function createApp(parts: AppParts): Hono {
  const { guard: guarding, state, loaded, figures, metrics, version, open, openai, more } = parts;
  const app = new Hono();
  open(app);
  if (guarding.origins.length > 0) app.use(crossOrigin(guarding.origins));
  app.use(guard(guarding));
  app.get("/ping", () => new Response(null, { status: pingStatuses[state()] }));
  app.get("/health", () => {
    const now = state();
    return jsonReply(takesWork.has(now) ? 200 : 503, { status: now, ...figures() });
  });
  app.get("/metrics", async () => {
    const { contentType, text } = await metrics();
    return new Response(text, { headers: { "Content-Type": contentType } });
  });
  app.get("/version", () => jsonReply(200, { version }));
  app.use(async (context, next) => {
    if (openPaths.has(context.req.path)) return wrongMethodReply(context.req.path, context.req.method);
    const { path, method } = context.req;
    if (state() === "loading" && !canWait(path)) await loaded();
    const now = state();
    if (now === "loading" && !canWait(path)) return errorReply(loading, {}, path);
    if (now === "broken") return errorReply(broken, {}, path);
    if (now === "draining" && startsWork(method, path)) return errorReply(shuttingDown, {}, path);
    return next();
  });
  const speaksOpenai = (context: Context) =>
    openai === undefined
      ? errorReply(noModel, {}, context.req.path)
      : openaiReply(openai, context.req.path.replace(/(.)\/$/, "$1"), context.req.raw);
  app.all("/v1/*", speaksOpenai);
  for (const path of besideV1) app.all(path, speaksOpenai);
  more(app);
  app.notFound(({ req }) => errorReply(noRoute(req.method, req.path)));
  app.onError((thrown, { req }) => errorReply(toApiError(thrown), {}, req.path));
  return app;
}

/** The application's probes alone, for a port of their own. */
export function probesOf(app: Hono): (request: Request) => Response | Promise<Response> {
  return (request) => {
    const { pathname } = new URL(request.url);
    if (pathname === "/ping" || pathname === "/health") return app.fetch(request);
    const said = `this port answers /ping and /health alone, not ${request.method} ${pathname.slice(0, 200)}`;
    return errorReply(new ApiError(404, said, { code: "route_not_found" }));
  };
}

/** Jobs wait in their queue until the model is loaded. */
function canWait(path: string): boolean {
  return /^\/v2\/[^/]+\/(?!openai(?:\/|$))/.test(path);
}

/** Jobs can be asked for, cancelled and streamed until the end. */
function startsWork(method: string, path: string): boolean {
  if (path.startsWith("/v1/") || besideV1.includes(path)) return method !== "GET";
  return /^\/v2\/[^/]+\/(?:run|runsync|openai|retry)(?:\/|$)/.test(path);
}

function wrongMethodReply(path: string, method: string): Response {
  return errorReply(wrongMethod(path, "GET", method), { Allow: "GET, HEAD" });
}

function noRoute(method: string, path: string): ApiError {
  return new ApiError(
    404,
    `there is no route ${method} ${path.slice(0, 200)}; there are /v1/…, /v2/ENDPOINT/…, /tokenize, /detokenize, /apply-template, /rerank, /metrics, /version, /health and /ping`,
    { code: "route_not_found" },
  );
}
