// `npm test [-- filters]`: sets up what is missing, then runs the native tests
// (ctest) and vitest. Arguments go to vitest. Ends with a line for each
// failed test, for each that passed at its second try only, and one of counts.
import { existsSync, mkdirSync, rmSync } from "node:fs";
import { availableParallelism } from "node:os";
import path from "node:path";
import { runForeground } from "./command.mjs";
import { runMain } from "./failure.mjs";
import { paths } from "./paths.mjs";
import { setUpTests } from "./setup.mjs";
import {
  countCtest,
  countVitest,
  failuresOfCtest,
  failuresOfVitest,
  sumCounts,
  unsteadyOfVitest,
} from "./test-counts.mjs";

await runMain(async () => {
  await setUpTests();
  mkdirSync(paths.reports, { recursive: true });
  const ctestReport = path.join(paths.reports, "ctest.xml");
  const vitestReport = path.join(paths.reports, "vitest.json");
  rmSync(ctestReport, { force: true });
  rmSync(vitestReport, { force: true });

  const env = { ...process.env, GGML_NO_BACKTRACE: "1" };
  const ctestFlags = ["--test-dir", paths.release, "--output-on-failure", "--no-tests=ignore"];
  let ctest = await runForeground(
    "ctest",
    [...ctestFlags, "--parallel", `${availableParallelism()}`, "--output-junit", ctestReport],
    { env },
  );
  const ctestCounts = countCtest(ctestReport);
  let ctestFailures = failuresOfCtest(ctestReport);
  const unsteady = [];
  // On a shared machine a test may meet a neighbour; in CI it gets a second try, told below.
  if (ctest && process.env.CI && existsSync(ctestReport)) {
    const again = path.join(paths.reports, "ctest-again.xml");
    rmSync(again, { force: true });
    ctest = await runForeground("ctest", [...ctestFlags, "--rerun-failed", "--output-junit", again], { env });
    const twice = failuresOfCtest(again);
    if (existsSync(again)) unsteady.push(...ctestFailures.filter((name) => !twice.includes(name)));
    ctestFailures = ctestFailures.filter((name) => !unsteady.includes(name));
    ctestCounts.passed += unsteady.length;
    ctestCounts.failed -= unsteady.length;
  }
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${vitestReport}`];
  const tries = process.env.CI ? ["--retry=1"] : [];
  const vitest = await runForeground(
    process.execPath,
    [paths.vitest, "run", ...reporters, ...tries, ...process.argv.slice(2)],
    { env },
  );
  const counts = sumCounts(ctestCounts, countVitest(vitestReport));
  const failures = [...ctestFailures, ...failuresOfVitest(vitestReport)];
  unsteady.push(...unsteadyOfVitest(vitestReport));
  for (const test of unsteady) process.stdout.write(`unsteady: ${test}\n`);
  for (const failure of failures) process.stdout.write(`failed: ${failure}\n`);
  process.stdout.write(
    `tests: ${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped\n`,
  );
  return ctest || vitest ? 1 : 0;
});
