// Serves a model as a plugin of Fastify.
import Fastify from "fastify";
import { embeddedModelPath, loadModel } from "infernode";

const app = Fastify();
app.register(async (scope) => {
  const model = await loadModel(embeddedModelPath());
  const engine = await model.createEngine({ slots: 4, queueLimit: 16 });
  scope.addHook("onClose", async () => { await engine.close(); await model.close(); });
  scope.get("/health", (request, reply) => reply.code(engine.healthy ? 200 : 503).send(engine.stats()));
  scope.post("/chat", async (request, reply) => {
    const generation = engine.generate({ messages: request.body.messages, maxTokens: 40 });
    reply.raw.once("close", () => generation.cancel());
    await generation.accepted;
    return reply.type("text/plain; charset=utf-8").send(generation.textStream);
  });
}, { prefix: "/llm" });
app.setErrorHandler((error, request, reply) => reply.code(error.status ?? 500).send({ code: error.code, message: error.message }));
await app.listen({ port: 3101 });
process.once("SIGTERM", () => app.close());
