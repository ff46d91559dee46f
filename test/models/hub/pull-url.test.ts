// Pulls one file by its address: digests that are verified or told, versions that change.
import { readFile } from "node:fs/promises";
import { expect, it } from "vitest";
import { pullUrl } from "../../../src/models/hub/pull.js";
import { sha256 } from "../../../tools/hub-emulator/index.mjs";
import { bytesOf, folder, hubOf, quick, settingsOf } from "./hub-fixture.js";

const content = bytesOf(200_000, 5);
const files = { "m.gguf": content };

async function served() {
  const hub = await hubOf({ "owner/name": { files } });
  const settings = { ...settingsOf(hub, await folder(), "hf_secret"), endpoint: "https://hub.invalid" };
  return { hub, settings, url: `${hub.endpoint}/owner/name/resolve/main/m.gguf` };
}

it("tells the digest, sends no token, and fetches an unchanged file once", async () => {
  const { hub, settings, url } = await served();
  const pulled = await pullUrl(`${url}?secret=1`, settings, { limits: quick });
  expect(pulled).toMatchObject({ sha256: sha256(content), fetched: true });
  expect((await readFile(pulled.path)).equals(content)).toBe(true);
  expect(pulled.path).toMatch(/\.infernode\/urls\/[0-9a-f]{16}\/m\.gguf$/);
  expect(await readFile(`${pulled.path}.json`, "utf8")).not.toContain("secret");
  const sent = hub.sentBytes();
  expect(await pullUrl(`${url}?secret=1`, settings, { limits: quick })).toEqual({
    ...pulled,
    fetched: false,
  });
  expect(hub.sentBytes() - sent).toBeLessThan(10);
  expect(hub.requests.some(({ headers }) => headers.authorization !== undefined)).toBe(false);
});

it("verifies the digest that the address names, and needs no network for it again", async () => {
  const { hub, settings, url } = await served();
  const wrong = pullUrl(`${url}#sha256=${"0".repeat(64)}`, settings, { limits: quick });
  await expect(wrong).rejects.toMatchObject({
    code: "DOWNLOAD_FAILED",
    message: expect.stringContaining("its SHA-256 is"),
  });
  const address = `${url}#sha256=${sha256(content)}`;
  expect((await pullUrl(address, settings, { limits: quick })).fetched).toBe(true);
  const count = hub.requests.length;
  expect((await pullUrl(address, { ...settings, offline: true }, { limits: quick })).fetched).toBe(false);
  expect(hub.requests.length).toBe(count);
});

it("takes the new version of a file that is replaced in the middle", async () => {
  const { hub, settings, url } = await served();
  const later = bytesOf(200_000, 6);
  let version = content;
  hub.state.intercept = (request, response, _, origin) => {
    if (origin !== "store") return false;
    const [, first = "0", last = "0"] = /(\d+)-(\d+)/.exec(request.headers.range ?? "") ?? [];
    if (first === "131072") version = later;
    const body = version.subarray(Number(first), Number(last) + 1);
    const range = `bytes ${first}-${last}/${version.length}`;
    response.writeHead(206, {
      etag: `"${sha256(version)}"`,
      "content-range": range,
      "content-length": body.length,
    });
    response.end(body);
    return true;
  };
  const pulled = await pullUrl(url, settings, { limits: { ...quick, connections: 1 } });
  expect(pulled.sha256).toBe(sha256(later));
});
