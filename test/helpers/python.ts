// A Python that has what a test needs: the one that INFERNODE_TEST_PYTHON names, else python3.
// Where it lacks a module the tests are skipped under a name that says so.
import { spawnSync } from "node:child_process";

/** An interpreter, or the reason why there is none. */
export interface Python {
  readonly program?: string;
  readonly reason?: string;
}

export function python(...modules: readonly string[]): Python {
  const program = process.env.INFERNODE_TEST_PYTHON ?? "python3";
  const { status, error } = spawnSync(program, ["-c", `import ${modules.join(", ")}`]);
  if (status === 0) return { program };
  const lacks = error ? "cannot be started" : `lacks ${modules.join(" or ")}`;
  return { reason: `${program} ${lacks}; INFERNODE_TEST_PYTHON names another one` };
}
