// Tells why a model does not fit into memory.
import { inspectModel, loadModel } from "infernode";

const [file, slots, contextLength] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];
const info = inspectModel(file);
console.log("weights:", (info.fileBytes / 2 ** 30).toFixed(2), "GiB");
try {
  const model = await loadModel(file, { gpuLayers: 0 });
  console.log(model.memoryNeeded({ slots, contextLength }));
  const engine = await model.createEngine({ slots, contextLength });
  console.log("fits", engine.options);
  await engine.close();
} catch (error) {
  console.log(error.code, error.message);
}
