// `npm run build`: everything `npm start` needs, and no more.
import { runMain } from "./failure.mjs";
import { setUpProduct } from "./setup.mjs";

await runMain(setUpProduct);
