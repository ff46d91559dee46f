// examples/browser.html in Chromium, from an origin of its own: it streams an answer of a server
// that allows the origin, stops it, and says why it was refused.
import { readFileSync } from "node:fs";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { expect, it } from "vitest";
import { describeInBrowser } from "../helpers/browser.js";
import { withServer } from "../http/scene.js";

const page = readFileSync(join(import.meta.dirname, "../../examples/browser.html"));

/** Runs the work with the page at an origin of its own. */
async function withPage(work: (origin: string) => Promise<void>): Promise<void> {
  const server = http.createServer((_, response) =>
    response.setHeader("Content-Type", "text/html").end(page),
  );
  await new Promise<void>((resolve) => server.listen(0, "localhost", resolve));
  try {
    await work(`http://localhost:${(server.address() as AddressInfo).port}`);
  } finally {
    server.close();
    server.closeAllConnections();
  }
}

const messages = [{ role: "user" as const, content: "Tell me a story about a fox." }];
const long = { model: "tinytale", messages, max_tokens: 900, ...({ ignore_eos: true } as object) };

/** In the page. */
const hasEnded = "document.querySelector('button[name=stop]:disabled')";

describeInBrowser("examples/browser.html", (visit) => {
  it("streams an answer", async () => {
    await withPage(async (origin) => {
      await withServer({ options: { origins: [origin] } }, async ({ url }) => {
        await visit(`${origin}/?server=${url}`, {}, async (page) => {
          await page.getByRole("button", { name: "Ask" }).click();
          await page.waitForFunction("document.querySelector('output').textContent !== ''");
          await page.waitForFunction(hasEnded);
          expect(await page.locator("output").textContent()).not.toContain("It failed");
        });
      });
    });
  });

  it("stops a generation, one that waits for its turn, too", async () => {
    await withPage(async (origin) => {
      const options = { options: { origins: [origin] }, environment: { MAX_NUM_SEQS: "1" } };
      await withServer(options, async ({ url, client, served }) => {
        const others = Array.from({ length: 30 }, () =>
          client()
            .chat.completions.create(long)
            .catch(() => {}),
        );
        const waiting = () => served.text?.stats().waiting ?? 0;
        while (waiting() < others.length - 1) await new Promise(setImmediate);
        await visit(`${origin}/?server=${url}`, {}, async (page) => {
          await page.getByRole("button", { name: "Ask" }).click();
          await page.getByRole("button", { name: "Stop" }).click();
          await page.waitForFunction(hasEnded);
          while (served.text?.stats().cancelled !== 1) await new Promise(setImmediate);
        });
      });
    });
  });

  it("says why a request was refused", async () => {
    await withPage(async (origin) => {
      await withServer({ options: { origins: [origin] } }, async ({ url }) => {
        await visit(`${origin}/?server=${url}`, {}, async (page) => {
          await page.getByLabel("Question").fill("a ".repeat(9000));
          await page.getByRole("button", { name: "Ask" }).click();
          await page.getByText("It failed: ").waitFor();
          expect(await page.locator("output").textContent()).toContain("context");
        });
      });
    });
  });
});
