// Finds texts by their meaning.
import { embeddedModelPath, loadModel } from "infernode";

const model = await loadModel(embeddedModelPath());
const engine = await model.createEngine();
const texts = ["The dog sat in the garden.", "A bear ate honey.", "The ship was far away.", "The moon is bright."];
const { embeddings } = await engine.embed(texts);
async function search(question, count = 2) {
  const { embeddings: [query] } = await engine.embed(question);
  const score = (vector) => vector.reduce((sum, x, i) => sum + x * query[i], 0);
  return texts.map((text, i) => ({ text, score: score(embeddings[i]) })).sort((a, b) => b.score - a.score).slice(0, count);
}
console.log(await search("The dog sat in the garden."));
console.log(await search("honey"), embeddings[0].length);
await engine.close();
