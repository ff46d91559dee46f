// The page at / to try a model, and the files that it is made of (assets/playground): read once,
// answered to everybody, since they hold nothing of this server. What the page then asks for
// needs a key like any other request.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { extname, join } from "node:path";
import type { Hono } from "hono";
import { wrongMethod } from "../http/openai-routes.js";
import { errorReply } from "../http/replies.js";
import { packageRoot } from "../package-root.js";

const types: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".svg": "image/svg+xml",
};

/**
 * Scripts, styles and requests are this server's own, nothing inline runs, and no text can become
 * markup: what a model writes stays text whatever it says.
 */
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join("; ");

const usualHeaders: Readonly<Record<string, string>> = {
  "Content-Security-Policy": policy,
  "X-Content-Type-Options": "nosniff",
  "Referrer-Policy": "no-referrer",
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Resource-Policy": "same-origin",
  // Kept, and asked for again each time: a server that was updated never meets half of an old page.
  "Cache-Control": "no-cache",
};

interface PageFile {
  readonly body: Buffer<ArrayBuffer>;
  readonly headers: Readonly<Record<string, string>>;
  readonly tag: string;
}

/** The files by their paths on the server. @throws where they cannot be read */
function pageFiles(): ReadonlyMap<string, PageFile> {
  const folder = join(packageRoot(), "assets/playground");
  const files = readdirSync(folder).flatMap((name): [string, PageFile][] => {
    const type = types[extname(name)];
    if (type === undefined) return [];
    const body = readFileSync(join(folder, name));
    const tag = `"${createHash("sha256").update(body).digest("base64url").slice(0, 22)}"`;
    const headers = { ...usualHeaders, "Content-Type": type, ETag: tag };
    return [[name === "index.html" ? "/" : `/playground/${name}`, { body, headers, tag }]];
  });
  return new Map(files);
}

/** Adds / and what it loads below /playground/. @throws where the files cannot be read */
export function addPlayground(app: Hono): void {
  for (const [path, file] of pageFiles()) {
    app.on(["GET", "HEAD"], path, ({ req }) => fileReply(file, req.header("if-none-match")));
    app.all(path, ({ req }) => errorReply(wrongMethod(path, "GET", req.method), { Allow: "GET, HEAD" }));
  }
}

/** @param known tags of what the caller has */
function fileReply({ body, headers, tag }: PageFile, known = ""): Response {
  const has = known.split(",").some((each) => each.trim().replace(/^W\//, "") === tag);
  return has || known.trim() === "*"
    ? new Response(null, { status: 304, headers })
    : new Response(body, { headers });
}
