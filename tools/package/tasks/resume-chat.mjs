// Goes on with a conversation that an earlier process saved.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { embeddedModelPath, loadModel } from "infernode";

const model = await loadModel(embeddedModelPath());
const engine = await model.createEngine();
const messages = existsSync("chat.json") ? JSON.parse(readFileSync("chat.json", "utf8")) : [];
if (messages.length > 0) await engine.loadState("chat.state");
messages.push({ role: "user", content: process.argv[2] });
const { text, usage } = await engine.generate({ messages, maxTokens: 40 });
console.log(text, usage);
messages.push({ role: "assistant", content: text });
await engine.saveState("chat.state", { messages });
writeFileSync("chat.json", JSON.stringify(messages));
await engine.close();
await model.close();
