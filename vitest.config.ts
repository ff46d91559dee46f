// vitest's settings: tests mirror src/ below test/; those that need processes
// of their own start them themselves.
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.{ts,mjs}"],
    pool: "forks", // an addon's crash or leak stays in one test file
    // Tests wait for processes and timers more than they compute.
    maxWorkers: 2,
    testTimeout: 120_000,
    passWithNoTests: true,
  },
});
