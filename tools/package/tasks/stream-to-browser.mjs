// Streams answers to a page in a browser.
import { createServer } from "node:http";
import { pipeline } from "node:stream/promises";
import { embeddedModelPath, loadModel } from "infernode";

const page = `<meta charset=utf-8><form><input name=q></form><pre></pre><script>
const q = new URL(location).searchParams.get("q");
if (q) fetch("/chat?q=" + encodeURIComponent(q)).then(async (r) => {
  for await (const t of r.body.pipeThrough(new TextDecoderStream())) document.querySelector("pre").append(t);
});</script>`;
const model = await loadModel(embeddedModelPath());
const engine = await model.createEngine({ slots: 4 });
createServer((request, response) => {
  const url = new URL(request.url, "http://x");
  if (url.pathname !== "/chat") return response.end(page);
  const messages = [{ role: "user", content: url.searchParams.get("q") }];
  response.setHeader("Content-Type", "text/plain; charset=utf-8");
  pipeline(engine.generate({ messages, maxTokens: 80 }).textStream, response).catch(() => {});
}).listen(3100);
