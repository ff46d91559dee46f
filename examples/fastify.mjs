// OpenAI's API on Fastify beside a route of your own, behind keys that Fastify checks.
//   API_KEY=a-key node fastify.mjs
//   curl http://127.0.0.1:3000/v1/models -H "Authorization: Bearer a-key"
import { createHash, timingSafeEqual } from "node:crypto";
import Fastify from "fastify";
import { embeddedModelPath, loadModel } from "infernode";
import { createOpenaiApi } from "infernode/openai";

const key = process.env.API_KEY;
if (!key) throw new Error("API_KEY must hold the key that callers send; set it and start again");

const model = await loadModel(process.env.MODEL_NAME ?? embeddedModelPath());
const engine = await model.createEngine({ slots: 8, queueLimit: 64 });
const openai = createOpenaiApi({ engine, model, names: ["my-model"] });
const app = Fastify({ bodyLimit: 20_000_000 });

const digest = (text) => createHash("sha256").update(text).digest();
const expected = digest(`Bearer ${key}`);
app.addHook("onRequest", async (request, reply) => {
  if (timingSafeEqual(digest(request.headers.authorization ?? ""), expected)) return;
  return reply.code(401).send({ error: { message: "the API key is missing or wrong" } });
});

app.all("/v1/*", async ({ url, method, body }, reply) => {
  const answer = await openai.answer({ path: url, method, body, response: reply.raw });
  return reply.code(answer.status).headers(answer.headers).send(answer.body);
});

const schema = { body: { type: "object", required: ["text"], properties: { text: { type: "string" } } } };
app.post("/summary", { schema }, async ({ body }, reply) => {
  const messages = [{ role: "user", content: `Summarize: ${body.text}` }];
  const generation = engine.generate({ messages, maxTokens: 60 });
  reply.raw.once("close", () => generation.cancel()); // the client has left, or all is sent
  return { summary: (await generation).text };
});

console.log(`Listening on ${await app.listen({ port: Number(process.env.PORT ?? 3000) })}`);

process.once("SIGTERM", async () => {
  await engine.drain({ signal: AbortSignal.timeout(25_000) }).catch(() => {});
  await engine.close();
  await app.close();
  await model.close();
});
