// Where this package lies. The file stays directly in src/, and what is built
// of it directly in dist/: both are one folder below the package's root.
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** Absolute path of the folder that holds package.json. */
export const packageRoot: string = join(dirname(fileURLToPath(import.meta.url)), "..");
