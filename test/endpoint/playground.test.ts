// The page to try a model as a server answers it: its files, who gets them, how long they are kept.
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { versionIn } from "../../src/package-root.js";
import { call, json, withServer } from "../http/scene.js";
import { obedient, withHandler } from "./scene.js";

const folder = join(import.meta.dirname, "../../assets/playground");
const paths = readdirSync(folder).map((name) => (name === "index.html" ? "/" : `/playground/${name}`));

describe("the page", () => {
  it("is answered with its files, each of its type, under a policy that runs nothing inline", async () => {
    await withServer({}, async ({ url }) => {
      expect(paths.length).toBeGreaterThan(3);
      for (const path of paths) {
        const { status, headers, text } = await call(`${url}${path}`);
        expect([path, status]).toEqual([path, 200]);
        const type = path.endsWith(".js") ? "text/javascript" : /css|svg|html/.exec(path)?.[0];
        expect(headers["content-type"]).toContain(type ?? "text/html");
        expect(headers["content-security-policy"]).toMatch(/^default-src 'none'; script-src 'self'; /);
        expect(headers["content-security-policy"]).not.toContain("unsafe");
        expect(headers["x-content-type-options"]).toBe("nosniff");
        expect(text).not.toMatch(/(?:src|href|from|url\()\s*=?\s*["']?(?:https?:)?\/\/(?!www\.w3\.org)/);
        expect((await call(`${url}${path}`, "HEAD")).text).toBe("");
      }
    });
  });

  it("is kept by its reader until it changes, and asked for anew each time", async () => {
    await withServer({}, async ({ url }) => {
      for (const path of paths) {
        const { headers } = await call(`${url}${path}`);
        expect(headers["cache-control"]).toBe("no-cache");
        const asked = (tag: string) => call(`${url}${path}`, "GET", undefined, { "If-None-Match": tag });
        const tag = headers.etag ?? "";
        for (const known of [tag, `W/${tag}`, `"another", ${tag}`, "*"]) {
          const { status, text } = await asked(known);
          expect([path, known, status, text]).toEqual([path, known, 304, ""]);
        }
        expect((await asked('"another"')).status).toBe(200);
      }
    });
  });

  it("has no other files, and is read alone", async () => {
    await withServer({}, async ({ url }) => {
      for (const path of ["/playground", "/playground/", "/playground/..%2f..%2fpackage.json", "/index.html"])
        expect([path, (await call(`${url}${path}`)).status]).toEqual([path, 404]);
      const posted = await call(`${url}/`, "POST", "{}", json);
      expect([posted.status, posted.headers.allow]).toEqual([405, "GET, HEAD"]);
    });
  });

  it("is open where the API has keys, and by a link from elsewhere", async () => {
    await withServer({ options: { keys: ["secret-key"] } }, async ({ url }) => {
      const headers = { "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate" };
      for (const path of paths) {
        const { status, text } = await call(`${url}${path}`, "GET", undefined, headers);
        expect([path, status]).toEqual([path, 200]);
        expect(text).not.toContain("secret-key");
      }
      for (const path of ["/v1/models", "/version", "/metrics"])
        expect([path, (await call(`${url}${path}`)).status]).toEqual([path, 401]);
    });
  });

  it("is not there where it was turned off, and where a handler has no model", async () => {
    await withServer({ options: { playground: false } }, async ({ url, lines }) => {
      for (const path of paths) expect([path, (await call(`${url}${path}`)).status]).toEqual([path, 404]);
      expect(lines.join("\n")).not.toContain("A page");
    });
    await withHandler(obedient, async ({ url, lines }) => {
      expect((await call(`${url}/`)).status).toBe(404);
      expect(lines.join("\n")).not.toMatch(/A page|curl/);
    });
  });
});

describe("a server that is ready", () => {
  it("says where its page is, and a command that works", async () => {
    await withServer({}, async ({ url, lines }) => {
      expect(lines).toContainEqual(expect.stringContaining(`A page to try it: ${url}/`));
      const command = lines.find((line) => line.includes("curl")) ?? "";
      const [, address, body] = /curl -s (\S+) .* -d '(.*)'$/.exec(command) ?? [];
      const reply = await call(address ?? "", "POST", body, json);
      expect(reply.json.choices[0].message.content).not.toBe("");
    });
  });

  it("tells its version as vLLM does", async () => {
    await withServer({}, async ({ url }) => {
      expect((await call(`${url}/version`)).json).toEqual({ version: versionIn("package.json") });
    });
  });
});
