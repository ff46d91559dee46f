// Routes that vLLM has beside /v1, over a socket.
import { expect, it } from "vitest";
import { call, json, withServer } from "./scene.js";

it("tokens and ranks are asked for by POST, beside /v1 and in it", async () => {
  await withServer({}, async ({ url }) => {
    const post = (path: string, body: object) => call(`${url}${path}`, "POST", JSON.stringify(body), json);
    const { json: tokens } = await post("/tokenize", { prompt: "Once upon a time" });
    expect(tokens.count).toBe(tokens.tokens.length);
    const { json: text } = await post("/detokenize", { tokens: tokens.tokens });
    expect(text.prompt).toContain("Once upon a time");
    for (const path of ["/v1/rerank", "/rerank", "/v2/rerank"]) {
      const refused = await post(path, { query: "a", documents: ["b"] });
      expect([path, refused.status, refused.json.error.message]).toEqual([
        path,
        400,
        expect.stringMatching(/rank/),
      ]);
    }
    expect((await call(`${url}/tokenize`)).status).toBe(405);
  });
});
