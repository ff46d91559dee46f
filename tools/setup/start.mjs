// `npm start [-- arguments]`: sets up what is missing, then runs the main job.

import path from "node:path";
import { runForeground } from "./command.mjs";
import { runMain } from "./failure.mjs";
import { paths } from "./paths.mjs";
import { setUpProduct } from "./setup.mjs";

await runMain(async () => {
  await setUpProduct();
  const program = path.join(paths.dist, "cli/main.js");
  const env = { ...process.env, GGML_NO_BACKTRACE: "1" };
  const given = process.argv.slice(2);
  // A machine that runs this may hold stdin open for ever: it is read where "-p -" asks for it.
  const stdin = given.includes("-") ? "inherit" : "ignore";
  return runForeground(process.execPath, [program, "generate", "--echo", ...given], { env, stdin });
});
