// Counts of passed, failed and skipped tests, read from the reports of ctest
// (JUnit) and vitest (JSON). A runner that left no report counts as one failure.
import { existsSync, readFileSync } from "node:fs";

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
