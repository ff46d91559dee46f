// An answer as an object whose types TypeScript knows.
import { embeddedModelPath, loadModel } from "infernode";
import { z } from "zod";

const Animal = z.object({ name: z.string().max(12), kind: z.enum(["cat", "dog", "owl"]), age: z.number().int().min(0).max(20) });
type Animal = z.infer<typeof Animal>;

const model = await loadModel(embeddedModelPath());
const engine = await model.createEngine();
async function invent(prompt: string): Promise<Animal> {
  const { object } = await engine.generate({ messages: [{ role: "user", content: prompt }], jsonSchema: Animal });
  return object;
}
const animal = await invent("Invent an animal.");
const next: number = animal.age + 1;
console.log(animal.name.toUpperCase(), animal.kind, next);
await engine.close();
await model.close();
