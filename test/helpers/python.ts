// A Python that has what a test needs: the one that INFERNODE_TEST_PYTHON names, else the one of
// `npm run clients:python`, else python3. Where it lacks a module the tests are skipped under a name that
// says so.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { pythonPlace } from "../../tools/clients/python.mjs";

/** An interpreter, or the reason why there is none. */
export interface Python {
  readonly program?: string;
  readonly reason?: string;
}

export function python(...modules: readonly string[]): Python {
  const own = existsSync(pythonPlace) ? pythonPlace : "python3";
  const program = process.env.INFERNODE_TEST_PYTHON ?? own;
  // Found, not imported: torch alone takes seconds.
  const code = "import importlib.util, sys; sys.exit(not all(map(importlib.util.find_spec, sys.argv[1:])))";
  const { status, error } = spawnSync(program, ["-c", code, ...modules]);
  if (status === 0) return { program };
  const lacks = error ? "cannot be started" : `lacks ${modules.join(" or ")}`;
  return {
    reason: `${program} ${lacks}; INFERNODE_TEST_PYTHON names another one, or \`npm run clients:python\` makes one`,
  };
}

/** The version of a package that an interpreter has, such as "3.57". */
export function pythonVersion(program: string, distribution: string): string {
  const code = "import importlib.metadata, sys; print(importlib.metadata.version(sys.argv[1]))";
  const { stdout } = spawnSync(program, ["-c", code, distribution], { encoding: "utf8" });
  return stdout.trim().split(".").slice(0, 2).join(".");
}
