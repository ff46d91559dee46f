// A package registry on 127.0.0.1 for tests: serves the tarballs that it is given, and
// nothing else. Package managers ask it for the scope @infernode alone.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import http from "node:http";
import path from "node:path";
import { run } from "../setup/command.mjs";

// Resolves to { url, requests, close() }; `requests` lists the paths that were asked for.
export async function startRegistry(tarballs) {
  const documents = new Map();
  const files = new Map();
  const requests = [];
  const server = http.createServer((request, response) => {
    const asked = decodeURIComponent(new URL(request.url, "http://localhost").pathname.slice(1));
    requests.push(asked);
    const file = files.get(asked);
    const document = documents.get(asked);
    if (file) return response.end(file);
    if (document) {
      response.setHeader("content-type", "application/json");
      return response.end(JSON.stringify(document));
    }
    response.writeHead(404, { "content-type": "application/json" }).end('{"error":"not found"}');
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${server.address().port}`;
  for (const tarball of tarballs) {
    const bytes = readFileSync(tarball);
    const manifest = JSON.parse(await run("tar", ["xzOf", tarball, "package/package.json"], { what: "tar" }));
    const place = `${manifest.name}/-/${path.basename(tarball)}`;
    files.set(place, bytes);
    documents.set(manifest.name, documentOf(manifest, bytes, `${url}/${place}`));
  }
  return { url, requests, close: () => new Promise((resolve) => server.close(resolve)) };
}

// `time`: pnpm and yarn hold back packages that are too young and ask when each appeared.
function documentOf(manifest, bytes, tarball) {
  const { name, version } = manifest;
  const hash = (algorithm, encoding) => createHash(algorithm).update(bytes).digest(encoding);
  const dist = { tarball, integrity: `sha512-${hash("sha512", "base64")}`, shasum: hash("sha1", "hex") };
  const appeared = "2026-01-01T00:00:00.000Z";
  return {
    name,
    "dist-tags": { latest: version },
    versions: { [version]: { ...manifest, _id: `${name}@${version}`, dist } },
    time: { created: appeared, modified: appeared, [version]: appeared },
  };
}
