// The page in Chromium as people meet it: light and dark, on a phone and a desk, checked with
// axe-core, and used with the keyboard alone.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { AxeResults } from "axe-core";
import type { Page } from "playwright-core";
import { expect, it } from "vitest";
import { describeInBrowser } from "../helpers/browser.js";
import { withServer } from "../http/scene.js";
import { ended, opened } from "./playground-page.js";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

const screens = {
  phone: { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true },
  desk: { viewport: { width: 1280, height: 800 } },
} as const;

/** What axe-core objects to, and whether the page is wider than the screen. */
async function judged(page: Page): Promise<void> {
  const found = await page.evaluate(async () => {
    const { axe: judge } = globalThis as unknown as { axe: { run(): Promise<AxeResults> } };
    return (await judge.run()).violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html)}`);
  });
  expect(found).toEqual([]);
  const [content, screen] = await page.evaluate<number[]>(
    "[document.documentElement.scrollWidth, innerWidth]",
  );
  expect(content).toBeLessThanOrEqual(screen ?? 0);
}

describeInBrowser(
  "the page",
  (withPage) => {
    for (const [screen, options] of Object.entries(screens)) {
      it.each(["light", "dark"] as const)(`has no barrier on a ${screen}, %s`, async (colorScheme) => {
        await withServer({}, async ({ url }) => {
          await withPage(url, { ...options, colorScheme }, async (page, { complaints }) => {
            await opened(page);
            await judged(page);
            await page.getByRole("button", { name: "Who are you?" }).click();
            await ended(page);
            await judged(page);
            await page.getByRole("button", { name: "Code" }).click();
            await judged(page);
            await page.keyboard.press("Escape");
            if (screen === "phone") {
              expect(await page.getByLabel("Temperature").isVisible()).toBe(false);
              await page.getByRole("button", { name: "Settings" }).click();
            }
            await page.getByText("More", { exact: true }).click();
            await page.getByLabel("Repetition penalty").fill("11");
            await judged(page);
            await page.getByLabel("Message").fill("Who?");
            await page.getByRole("button", { name: "Send" }).click();
            await page.getByRole("alert").filter({ hasText: "repetition_penalty" }).waitFor();
            await judged(page);
            // The server refused one request, which browsers call an error.
            expect(complaints).toEqual([expect.stringContaining("400")]);
          });
        });
      });
    }

    it("is used by the keyboard alone", async () => {
      await withServer({}, async ({ url }) => {
        await withPage(url, screens.desk, async (page) => {
          await opened(page);
          const focused = () =>
            page.evaluate("document.activeElement.textContent || document.activeElement.id");
          const { keyboard } = page;
          const tabTo = async (name: string) => {
            while ((await focused()) !== name) await keyboard.press("Tab");
          };
          expect(await focused()).toBe("prompt");
          await keyboard.type("Who are");
          await keyboard.press("Shift+Enter");
          await keyboard.type("you?");
          await keyboard.press("Enter");
          await ended(page);
          expect(await focused()).toBe("prompt");
          expect(await page.locator(".asked .text").innerText()).toBe("Who are\nyou?");
          await keyboard.press("Shift+Tab"); // from the place to write back to the answer above it
          expect(await focused()).toBe("Again");
          await keyboard.press("Enter");
          await ended(page);
          expect(await page.locator(".turn").count()).toBe(1);
          await tabTo("Code");
          await keyboard.press("Enter");
          await tabTo("curl");
          await keyboard.press("ArrowLeft");
          expect(await focused()).toBe("Python");
          await page.getByRole("tabpanel").filter({ hasText: "from openai import OpenAI" }).waitFor();
          await keyboard.press("ArrowRight");
          await page.getByRole("tabpanel").filter({ hasText: "curl -N" }).waitFor();
          await keyboard.press("Escape");
          expect(await focused()).toBe("Code");
          await page.getByRole("radio", { name: "Chat" }).focus();
          await keyboard.press("ArrowRight");
          await page.getByLabel("Text to continue").waitFor();
          await tabTo("Once upon a time");
          await keyboard.press("Space");
          await ended(page);
          expect(await page.locator(".answer").innerText()).toMatch(/^Once upon a time./);
        });
      });
    });

    it("says to screen readers what comes, once and whole", async () => {
      await withServer({}, async ({ url }) => {
        await withPage(url, screens.desk, async (page) => {
          await opened(page);
          await page.evaluate(`{
            const news = document.querySelector('[role="status"]');
            globalThis.told = [];
            new MutationObserver(() => told.push(news.textContent)).observe(news, { childList: true });
          }`);
          await page.getByRole("button", { name: "Who are you?" }).click();
          await ended(page);
          const answer = await page.locator(".answer").textContent();
          expect(await page.evaluate("told")).toEqual(["Answering", `Answer: ${answer}`]);
          const headings = await page.getByRole("heading", { level: 2 }).allTextContents();
          expect(headings).toEqual(["You", "Answer"]);
        });
      });
    });
  },
  { content: axe },
);
