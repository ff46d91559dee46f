// A model hub for tests, on two origins of this machine: the hub with its API, and a store
// that it redirects to for LFS files, which notes every header it is sent. The judge of
// whether it speaks as a real hub does is the real client, Python's huggingface_hub.
import { createServer } from "node:http";
import { sendContent } from "./content.mjs";
import { sendFault } from "./faults.mjs";
import { makeRepository, treeEntry } from "./repositories.mjs";

export { faultKinds, randomNumbers, seededFaults } from "./faults.mjs";
export { gitSha1, sha256 } from "./repositories.mjs";

/**
 * Starts a hub.
 * @param repositories by owner/name, as makeRepository() takes them
 * @param options.fault names a request's fault: ({ origin, path, method, range }) => kind or undefined
 * @param options.bytesPerSecond of each response
 * @param options.intercept answers by itself: (request, response, url) => true where it did
 */
export async function startHub(repositories, options = {}) {
  const requests = [];
  const state = { repositories: new Map(), requests, ...options, sent: 0 };
  for (const [name, given] of Object.entries(repositories))
    state.repositories.set(name, makeRepository(given));
  const hub = await listen((request, response) => answer(state, "hub", request, response));
  const store = await listen((request, response) => answer(state, "store", request, response));
  state.storeUrl = store.url;
  return {
    endpoint: hub.url,
    store: store.url,
    requests,
    state,
    commitOf: (name) => state.repositories.get(name).commit,
    /** Bytes of files' contents that were sent. */
    sentBytes: () => state.sent,
    close: () => Promise.all([hub.close(), store.close()]),
  };
}

async function listen(onRequest) {
  const server = createServer(onRequest);
  server.on("clientError", (_, socket) => socket.destroy());
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const close = () =>
    new Promise((resolve) => {
      server.close(resolve);
      server.closeAllConnections();
    });
  return { url: `http://127.0.0.1:${server.address().port}`, close };
}

function answer(state, origin, request, response) {
  const url = new URL(request.url, "http://hub");
  const { method, headers } = request;
  const entry = { origin, method, path: url.pathname, range: headers.range, headers };
  state.requests.push(entry);
  request.resume();
  response.on("error", () => {});
  const fault = state.fault?.(entry);
  if (state.intercept?.(request, response, url, origin)) return;
  if (origin === "store") sendStored(state, url, request, response, fault);
  else if (url.pathname.startsWith("/api/models/")) sendApi(state, url, request, response, fault);
  else sendResolved(state, url, request, response, fault);
}

function sendJson(response, value, fault, headers = {}) {
  const body = Buffer.from(JSON.stringify(value));
  const all = { "content-type": "application/json", "content-length": body.length, ...headers };
  if (fault !== undefined && sendFault(fault, response, { status: 200, headers: all, body, entire: body }))
    return;
  response.writeHead(200, all);
  response.end(body);
}

function refuse(response, status, code, message) {
  const body = JSON.stringify({ error: message });
  response.writeHead(status, {
    "content-type": "application/json",
    "x-error-message": message,
    ...(code && { "x-error-code": code }),
  });
  response.end(body);
}

/** The repository and revision, or undefined where a refusal was sent. */
function admitted(state, name, revision, request, response, isContent) {
  const repository = state.repositories.get(name);
  const given = request.headers.authorization;
  const isTokenValid = repository?.token !== undefined && given === `Bearer ${repository.token}`;
  if (repository === undefined || (repository.isPrivate && !isTokenValid)) {
    // A real hub tells a stranger nothing of what exists.
    if (given === undefined) refuse(response, 401, undefined, "Invalid username or password.");
    else refuse(response, 404, "RepoNotFound", "Repository not found");
    return undefined;
  }
  if (repository.gated && isContent && !isTokenValid) {
    const status = given === undefined ? 401 : 403;
    refuse(response, status, "GatedRepo", `Access to model ${name} is restricted.`);
    return undefined;
  }
  if (revision !== repository.commit && !repository.revisions.includes(revision)) {
    refuse(response, 404, "RevisionNotFound", `Invalid rev id: ${revision}`);
    return undefined;
  }
  return repository;
}

function sendApi(state, url, request, response, fault) {
  const [, name, kind, rest = ""] =
    /^\/api\/models\/([^/]+\/[^/]+)(?:\/(revision|tree)\/(.*))?$/.exec(url.pathname) ?? [];
  if (name === undefined) return refuse(response, 404, undefined, "Not found");
  const revision = kind === undefined ? "main" : decodeURIComponent(rest);
  const repository = admitted(state, name, revision, request, response, false);
  if (repository === undefined) return undefined;
  const entries = [...repository.entries.values()];
  if (kind === "tree") return sendTree(state, url, entries, response, fault);
  const siblings = entries.map(({ path }) => ({ rfilename: path }));
  const info = {
    _id: "0",
    id: name,
    modelId: name,
    sha: repository.commit,
    siblings,
    tags: [],
    gated: repository.gated && "auto",
  };
  const times = { lastModified: "2026-01-01T00:00:00.000Z", createdAt: "2026-01-01T00:00:00.000Z" };
  return sendJson(
    response,
    { ...info, ...times, private: repository.isPrivate, downloads: 0, likes: 0 },
    fault,
  );
}

/** In pages, as a real hub sends a thousand entries at a time. */
function sendTree(state, url, entries, response, fault) {
  const page = state.pageSize ?? 1000;
  const start = Number(url.searchParams.get("cursor") ?? 0);
  const next = new URL(url.pathname + url.search, `http://${response.req.headers.host}`);
  next.searchParams.set("cursor", String(start + page));
  const link = start + page < entries.length ? { link: `<${state.nextPage ?? next}>; rel="next"` } : {};
  const listed = entries.slice(start, start + page).map(treeEntry);
  sendJson(response, state.tree?.(listed) ?? listed, fault, link);
}

function sendResolved(state, url, request, response, fault) {
  const [, name, revision, encoded] = /^\/([^/]+\/[^/]+)\/resolve\/([^/]+)\/(.+)$/.exec(url.pathname) ?? [];
  if (name === undefined) return refuse(response, 404, undefined, "Not found");
  const repository = admitted(state, name, decodeURIComponent(revision), request, response, true);
  if (repository === undefined) return undefined;
  const path = decodeURIComponent(encoded);
  const file = repository.entries.get(path);
  if (file === undefined) return refuse(response, 404, "EntryNotFound", "Entry not found");
  const headers = { "x-repo-commit": repository.commit };
  if (!file.isLfs) return send(state, request, response, file, fault, headers);
  const location = `${state.storeUrl}/${file.digest}?signature=${repository.commit.slice(0, 8)}`;
  if (
    fault !== undefined &&
    sendFault(fault, response, { status: 302, headers: {}, body: Buffer.alloc(0), entire: Buffer.alloc(0) })
  )
    return undefined;
  response.writeHead(302, {
    ...headers,
    location,
    "x-linked-size": file.content.length,
    "x-linked-etag": `"${file.digest}"`,
    "content-length": 0,
  });
  return response.end();
}

function sendStored(state, url, request, response, fault) {
  const digest = url.pathname.slice(1);
  for (const repository of state.repositories.values()) {
    for (const file of repository.entries.values()) {
      if (file.digest === digest) return send(state, request, response, file, fault, {});
    }
  }
  response.writeHead(403);
  return response.end();
}

function send(state, request, response, file, fault, headers) {
  const onSent = (count) => {
    state.sent += count;
  };
  const { bytesPerSecond } = state;
  return sendContent(request, response, file.content, {
    etag: file.digest,
    fault,
    bytesPerSecond,
    onSent,
    headers,
  });
}
