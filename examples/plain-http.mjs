// A stream of text by node:http alone.
//   node plain-http.mjs
//   curl -N http://127.0.0.1:3000/ -d '{"prompt": "Once upon a time"}'
import { createServer } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { embeddedModelPath, loadModel } from "infernode";

const model = await loadModel(process.env.MODEL_NAME ?? embeddedModelPath());
const engine = await model.createEngine({ slots: 8, queueLimit: 64 });

async function answer(request, response) {
  const { prompt } = JSON.parse(Buffer.concat(await request.toArray()).toString() || "{}");
  const generation = engine.generate({ prompt, maxTokens: 60 });
  response.once("close", () => generation.cancel()); // the client has left, or all is sent
  await generation.accepted; // a refusal has a status of its own
  response.writeHead(200, { "Content-Type": "text/plain; charset=utf-8" });
  await pipeline(Readable.fromWeb(generation.toReadableStream()), response);
}

const server = createServer((request, response) => {
  answer(request, response).catch((error) => {
    if (response.headersSent) return response.destroy();
    const status = error instanceof SyntaxError ? 400 : (error.status ?? 500);
    response.writeHead(status, { "Content-Type": "application/json" });
    response.end(JSON.stringify({ error: { code: error.code, message: error.message } }));
  });
});
server.listen(Number(process.env.PORT ?? 3000), "127.0.0.1", () => {
  console.log(`Listening on http://127.0.0.1:${server.address().port}`);
});

process.once("SIGTERM", async () => {
  server.close();
  await engine.drain({ signal: AbortSignal.timeout(25_000) }).catch(() => {});
  await engine.close();
  await model.close();
});
