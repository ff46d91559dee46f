// A Python that has what a test needs: the one that INFERNODE_TEST_PYTHON names, else python3.
// Where it lacks a module the tests are skipped under a name that says so.
import { spawnSync } from "node:child_process";

/** @returns {{ program?: string, reason?: string }} the interpreter, or why there is none */
export function python(...modules) {
  const program = process.env.INFERNODE_TEST_PYTHON ?? "python3";
  const { status, error } = spawnSync(program, ["-c", `import ${modules.join(", ")}`]);
  if (status === 0) return { program };
  const lacks = error ? "cannot be started" : `lacks ${modules.join(" or ")}`;
  return { reason: `${program} ${lacks}; INFERNODE_TEST_PYTHON names another one` };
}
