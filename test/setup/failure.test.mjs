// A script of the set-up ends once its work is done, whatever its process still holds.
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, it } from "vitest";

const failure = path.resolve(import.meta.dirname, "../../tools/setup/failure.mjs");

it("a script that leaves a server open ends with its own exit code, and says what is open", {
  timeout: 60_000,
}, async () => {
  const folder = mkdtempSync(path.join(tmpdir(), "infernode-failure-"));
  const script = path.join(folder, "script.mjs");
  writeFileSync(
    script,
    `import { createServer } from "node:net";
     import { runMain } from ${JSON.stringify(failure)};
     await runMain(async () => {
       createServer().listen(0, "127.0.0.1");
       return 3;
     });`,
  );
  const { code, stderr } = await new Promise((resolve) => {
    execFile(process.execPath, [script], (error, _stdout, text) =>
      resolve({ code: error?.code ?? 0, stderr: text }),
    );
  });
  rmSync(folder, { recursive: true });
  expect({ code, stderr }).toEqual({
    code: 3,
    stderr: "infernode: the work is done and something is still open: TCPServerWrap\n",
  });
});
