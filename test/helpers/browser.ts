// Chromium, as people have it, for tests of the page that `infernode serve` answers with. Where
// none is installed these tests are skipped under a name that says so, or fail where
// INFERNODE_REQUIRE_CHROMIUM=1 says that one must be there (.ci/run).
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

function executable(): string | undefined {
  const folders = (process.env.PATH ?? "").split(delimiter).filter((folder) => folder !== "");
  return folders.flatMap((folder) => names.map((name) => join(folder, name))).find(isExecutable);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** For each step of a test: long enough for a machine that does other things too. */
const patienceMs = 60_000;

/** A page in a browser profile of its own. */
export type WithPage = (
  url: string,
  options: BrowserContextOptions,
  work: (page: Page, visit: Visit) => Promise<void>,
) => Promise<void>;

/** What a page did beside what a test asked it for. */
export interface Visit {
  /** Addresses of all its requests. */
  readonly requests: readonly string[];
  /** Errors of its scripts, of its policy and of requests. */
  readonly complaints: readonly string[];
}

/** A suite in Chromium. @param before runs in each page before its own scripts */
export function describeInBrowser(
  name: string,
  suite: (withPage: WithPage) => void,
  before?: { readonly content: string },
): void {
  const file = executable();
  if (file === undefined && process.env.INFERNODE_REQUIRE_CHROMIUM === "1") {
    it(name, () => expect.fail("chromium is not on the PATH, and INFERNODE_REQUIRE_CHROMIUM=1"));
    return;
  }
  describe.skipIf(file === undefined)(
    `${name}${file === undefined ? ": chromium is not on the PATH" : ""}`,
    () => {
      let browser: Browser;
      beforeAll(async () => {
        browser = await chromium.launch({ executablePath: file ?? "", args: ["--no-sandbox"] });
      });
      afterAll(() => browser?.close());
      suite(async (url, options, work) => {
        const context = await browser.newContext(options);
        context.setDefaultTimeout(patienceMs);
        try {
          if (before !== undefined) await context.addInitScript(before);
          const page = await context.newPage();
          const visit = watched(page);
          await page.goto(url);
          await work(page, visit);
        } finally {
          await context.close();
        }
      });
    },
  );
}

function watched(page: Page): Visit {
  const requests: string[] = [];
  const complaints: string[] = [];
  page.on("request", (request) => requests.push(request.url()));
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("console", (message) => {
    if (message.type() === "error") complaints.push(message.text());
  });
  page.on("dialog", (dialog) => {
    complaints.push(`a dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  return { requests, complaints };
}
