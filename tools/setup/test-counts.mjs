// Counts of passed, failed and skipped tests and the names of the failed and unsteady ones, read
// from the reports of ctest (JUnit) and vitest (JSON). A runner that left no report counts as one failure.
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { root } from "./paths.mjs";

const noReport = { passed: 0, failed: 1, skipped: 0 };

export function countCtest(file) {
  if (!existsSync(file)) return noReport;
  const statuses = [...readFileSync(file, "utf8").matchAll(/<testcase\b[^>]*\bstatus="(\w+)"/g)].map(
    (m) => m[1],
  );
  const passed = statuses.filter((status) => status === "run").length;
  const failed = statuses.filter((status) => status === "fail").length;
  return { passed, failed, skipped: statuses.length - passed - failed };
}

export function countVitest(file) {
  if (!existsSync(file)) return noReport;
  const report = JSON.parse(readFileSync(file, "utf8"));
  const brokenFiles = report.testResults.filter(
    (result) =>
      result.status === "failed" && result.assertionResults.every((test) => test.status !== "failed"),
  );
  return {
    passed: report.numPassedTests,
    failed: report.numFailedTests + brokenFiles.length,
    skipped: report.numPendingTests + (report.numTodoTests ?? 0),
  };
}

export function sumCounts(...counts) {
  const sum = (key) => counts.reduce((total, count) => total + count[key], 0);
  return { passed: sum("passed"), failed: sum("failed"), skipped: sum("skipped") };
}

// One line for each failed test: its file and name, and what it said first.
export function failuresOfCtest(file) {
  if (!existsSync(file)) return ["ctest: it left no report"];
  const cases = [...readFileSync(file, "utf8").matchAll(/<testcase name="([^"]+)"[^>]*\bstatus="fail"/g)];
  return cases.map(([, name]) => `ctest: ${name}`);
}

export function failuresOfVitest(file) {
  if (!existsSync(file)) return ["vitest: it left no report"];
  const { testResults } = JSON.parse(readFileSync(file, "utf8"));
  return testResults.flatMap((result) => {
    const name = path.relative(root, result.name);
    const failed = result.assertionResults.filter((test) => test.status === "failed");
    if (failed.length === 0 && result.status === "failed") return [`${name}: ${firstLine(result.message)}`];
    return failed.map((test) => `${name} > ${test.fullName}: ${firstLine(test.failureMessages[0] ?? "")}`);
  });
}

// One line for each test that passed at its second try only (CI): what it said at the first.
export function unsteadyOfVitest(file) {
  if (!existsSync(file)) return [];
  const { testResults } = JSON.parse(readFileSync(file, "utf8"));
  return testResults.flatMap((result) =>
    result.assertionResults
      .filter((test) => test.status === "passed" && test.failureMessages.length > 0)
      .map(
        (test) =>
          `${path.relative(root, result.name)} > ${test.fullName}: ${firstLine(test.failureMessages[0])}`,
      ),
  );
}

function firstLine(text) {
  return text.split("\n", 1)[0].slice(0, 400);
}
