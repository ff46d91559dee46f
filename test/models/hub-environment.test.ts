// The hub's settings as huggingface_hub reads them, and which targets a proxy is for.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { proxyFor } from "../../src/models/hub/proxies.js";
import { hubSettings } from "../../src/models/hub-environment.js";

const none = "/nowhere";

it.each([
  [{}, join(homedir(), ".cache/huggingface/hub")],
  [{ XDG_CACHE_HOME: "/x" }, "/x/huggingface/hub"],
  [{ HF_HOME: "/h", XDG_CACHE_HOME: "/x" }, "/h/hub"],
  [{ HF_HOME: "~/h" }, join(homedir(), "h/hub")],
  [{ HF_HOME: "/h", HUGGINGFACE_HUB_CACHE: "/old" }, "/old"],
  [{ HUGGINGFACE_HUB_CACHE: "/old", HF_HUB_CACHE: "/new" }, "/new"],
  [{ HF_HUB_CACHE: "$BASE/c", BASE: "/b" }, "/b/c"],
])("keeps models where huggingface_hub does: %j", (variables, cacheFolder) => {
  expect(hubSettings(variables).cacheFolder).toBe(cacheFolder);
});

it("takes the token of the environment, else of the file, without line breaks", () => {
  const home = mkdtempSync(join(tmpdir(), "infernode-token-"));
  try {
    expect(hubSettings({ HF_HOME: home }).token).toBeUndefined();
    writeFileSync(join(home, "token"), "hf_file\n");
    expect(hubSettings({ HF_HOME: home }).token).toBe("hf_file");
    expect(hubSettings({ HF_HOME: home, HUGGING_FACE_HUB_TOKEN: "hf_old" }).token).toBe("hf_old");
    expect(
      hubSettings({ HF_HOME: home, HUGGING_FACE_HUB_TOKEN: "hf_old", HF_TOKEN: "hf_a\r\nx" }).token,
    ).toBe("hf_ax");
  } finally {
    rmSync(home, { recursive: true });
  }
});

it.each([
  [{ HF_ENDPOINT: "not a url" }, "HF_ENDPOINT must be"],
  [{ HF_ENDPOINT: "ftp://hub" }, "HF_ENDPOINT must be"],
  [{ HTTPS_PROXY: "socks5://proxy:1" }, "HTTPS_PROXY (or ALL_PROXY) must be"],
])("refuses %j in a sentence", (variables, sentence) => {
  expect(() => hubSettings({ HF_HOME: none, ...variables })).toThrow(sentence);
});

it("is offline by either variable, and an endpoint ends without a slash", () => {
  expect(hubSettings({ HF_HUB_OFFLINE: "1" }).offline).toBe(true);
  expect(hubSettings({ TRANSFORMERS_OFFLINE: "yes" }).offline).toBe(true);
  expect(hubSettings({ HF_HUB_OFFLINE: "0" }).offline).toBe(false);
  expect(hubSettings({ HF_ENDPOINT: "https://mirror.example/hub/" }).endpoint).toBe(
    "https://mirror.example/hub",
  );
});

it.each([
  ["https://hub.example/x", "", true],
  ["https://hub.example/x", "*", false],
  ["https://hub.example/x", "hub.example", false],
  ["https://cdn.hub.example/x", "hub.example", false],
  ["https://cdn.hub.example/x", ".hub.example", false],
  ["https://nothub.example/x", "hub.example", true],
  ["https://hub.example/x", "hub.example:8443", true],
  ["https://hub.example:8443/x", "hub.example:8443", false],
  ["https://127.0.0.1:1/x", "localhost, 127.0.0.1", false],
  ["https://[::1]:1/x", "[::1]", false],
])("asks a proxy for %s with NO_PROXY=%s: %s", (target, except, uses) => {
  const proxy = { https: "http://proxy:1/", http: undefined, except };
  expect(proxyFor(new URL(target), proxy)).toBe(uses ? "http://proxy:1/" : undefined);
});
