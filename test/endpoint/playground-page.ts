// What tests of the page wait for.
import type { Page } from "playwright-core";

/** The page knows its server and its model. */
export async function opened(page: Page): Promise<void> {
  await page.locator('#state[data-state="ready"]').waitFor();
  await page.locator("#model option").first().waitFor({ state: "attached" });
}

/** No answer is on its way, and the last one has its figures or its error. */
export async function ended(page: Page): Promise<void> {
  await page.locator(".turn").last().locator(".below:not([hidden])").waitFor();
  await page.getByRole("button", { name: "Send" }).waitFor();
}
