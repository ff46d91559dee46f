// Cells of the other package managers: pnpm, and yarn with each of its linkers.
import { cell, generates, succeeds } from "./cells.mjs";
import { makeConsumer } from "./consumer.mjs";

export async function byOthers(dependencies, url) {
  await cell("pnpm", ["pnpm"], async ({ pnpm }) => {
    const consumer = makeConsumer(url, { dependencies });
    await succeeds(consumer, process.execPath, [pnpm, "install", "--store-dir", ".store"]);
    await generates(consumer, process.execPath);
  });
  for (const linker of ["node-modules", "pnp"]) {
    await cell(`yarn, ${linker}`, ["yarn"], async ({ yarn }) => {
      const consumer = makeConsumer(url, { dependencies });
      consumer.write("yarn.lock", "");
      const env = { YARN_NODE_LINKER: linker, YARN_ENABLE_IMMUTABLE_INSTALLS: "false" };
      await succeeds(consumer, process.execPath, [yarn, "install"], env);
      const pnp = ["--require", "./.pnp.cjs", "--loader", "./.pnp.loader.mjs", "--no-warnings"];
      await generates(consumer, process.execPath, linker === "pnp" ? pnp : []);
    });
  }
}
