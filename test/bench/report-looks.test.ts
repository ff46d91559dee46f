// The report as Chromium shows it: light, dark and on paper, wide and on a telephone. Computed styles and
// places are judged, not the file's text (report.test.ts).
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Page } from "playwright-core";
import { afterAll, expect, it, vi } from "vitest";
import { htmlReport } from "../../src/bench/html-report.js";
import { describeInBrowser } from "../helpers/browser.js";
import { simulated } from "./simulated.js";

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const folder = mkdtempSync(join(tmpdir(), "infernode-report-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const loads = { seed: "looks", concurrency: [1, 2, 4, 8, 16, 32], repeats: 3 };
const wide = { width: 1200, height: 900 };
const telephone = { width: 390, height: 844 };

function written(): string {
  const path = join(folder, "report.html");
  writeFileSync(path, htmlReport(simulated(loads)));
  return pathToFileURL(path).href;
}

/** Of a page: each colour is red, green and blue from 0 to 255. */
interface Colours {
  readonly paper: readonly number[];
  readonly ink: readonly number[];
  readonly letters: readonly (readonly number[])[];
  readonly lines: readonly (readonly number[])[];
}

/** Of the page, its text, and the letters and lines of its charts. */
function coloursOf(page: Page): Promise<Colours> {
  return page.evaluate(`(() => {
    const numbers = (colour) => (colour.match(/[\\d.]+/g) ?? []).slice(0, 3).map(Number);
    const body = getComputedStyle(document.body);
    const all = (selector, property) =>
      [...document.querySelectorAll(selector)]
        .map((each) => getComputedStyle(each)[property])
        .filter((colour) => colour.startsWith("rgb("))
        .map(numbers);
    return {
      paper: numbers(body.backgroundColor),
      ink: numbers(body.color),
      letters: all("svg text", "fill"),
      lines: all("svg path", "stroke"),
    };
  })()`);
}

function luminance([red = 0, green = 0, blue = 0]: readonly number[]): number {
  const linear = [red, green, blue].map((each) => {
    const share = each / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * (linear[0] ?? 0) + 0.7152 * (linear[1] ?? 0) + 0.0722 * (linear[2] ?? 0);
}

/** As WCAG 2 defines it: 1 to 21. */
function contrast(one: readonly number[], other: readonly number[]): number {
  const [low = 0, high = 0] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}

/** Pairs of a chart's texts of which one lies on the other. */
function overlaps(page: Page): Promise<string[]> {
  return page.evaluate(`[...document.querySelectorAll("svg")].flatMap((svg) => {
    const texts = [...svg.querySelectorAll("text")]
      .filter((each) => each.textContent !== "")
      .map((each) => ({ name: each.textContent, box: each.getBoundingClientRect() }));
    const apart = (a, b) =>
      a.right <= b.left || b.right <= a.left || a.bottom <= b.top || b.bottom <= a.top;
    return texts.flatMap((one, index) =>
      texts
        .slice(index + 1)
        .filter((other) => !apart(one.box, other.box))
        .map((other) => one.name + " and " + other.name),
    );
  })`);
}

/** How wide the page is, how high its charts' letters are, and which regions a keyboard can scroll. */
interface Sizes {
  readonly page: number;
  readonly letters: readonly number[];
  /** Of those that are displayed: whether their left and right ends are on the screen. */
  readonly charts: readonly (readonly [boolean, boolean])[];
  readonly regions: readonly (string | null)[];
}

describeInBrowser("the report in a browser", (withPage) => {
  it.each(["light", "dark"] as const)(
    "%s: text and lines stand out, nothing lies on anything",
    async (scheme) => {
      await withPage(written(), { viewport: wide, colorScheme: scheme }, async (page, visit) => {
        const { paper, ink, letters, lines } = await coloursOf(page);
        expect(luminance(paper) > 0.5).toBe(scheme === "light");
        expect(contrast(paper, ink)).toBeGreaterThan(7);
        expect(letters.length).toBeGreaterThan(20);
        for (const letter of letters) expect(letter).toEqual(ink);
        // Grid lines are faint; what shows figures is not.
        const shown = lines.filter((line) => contrast(paper, line) > 3);
        expect(shown.length).toBeGreaterThan(12);
        expect(await overlaps(page)).toEqual([]);
        expect(visit).toMatchObject({ complaints: [], requests: [page.url()] });
      });
    },
  );

  it("on paper it is light, whatever the reader's scheme, and no chart is cut in two", async () => {
    await withPage(written(), { viewport: wide, colorScheme: "dark" }, async (page) => {
      await page.emulateMedia({ media: "print", colorScheme: "dark" });
      const { paper, ink } = await coloursOf(page);
      expect(paper).toEqual([255, 255, 255]);
      expect(contrast(paper, ink)).toBeGreaterThan(7);
      const breaks = await page.evaluate(`["figure", "tr", "h2"].map((name) => {
        const style = getComputedStyle(document.querySelector(name));
        return [name, style.breakInside, style.breakAfter];
      })`);
      expect(breaks).toEqual([
        ["figure", "avoid", "auto"],
        ["tr", "avoid", "auto"],
        ["h2", "auto", "avoid"],
      ]);
      const hidden = await page.evaluate(
        '[...document.querySelectorAll(".wide")].filter((each) => each.scrollWidth > each.clientWidth).length',
      );
      expect(hidden).toBe(0); // nothing is behind a scroll bar
    });
  });

  it("on paper the table has a page across, with all of its columns", async () => {
    await withPage(written(), { viewport: wide, colorScheme: "dark" }, async (page) => {
      const file = (await page.pdf({ preferCSSPageSize: true })).toString("latin1");
      const pages = [...file.matchAll(/\/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]/g)].map(([, width, height]) =>
        Number(width) > Number(height) ? "across" : "upright",
      );
      expect(pages[0]).toBe("across");
      expect(new Set(pages.slice(1))).toEqual(new Set(["upright"]));
      // Of paper across: 297 mm less the margins, in CSS pixels.
      await page.setViewportSize({ width: Math.floor((273 / 25.4) * 96), height: 700 });
      await page.emulateMedia({ media: "print" });
      const table = await page.evaluate<number>('document.querySelector(".wide table").scrollWidth');
      expect(table).toBeLessThanOrEqual(Math.floor((273 / 25.4) * 96));
    });
  });

  it.each(["light", "dark"] as const)(
    "on a telephone, %s, charts are whole and tables alone are scrolled",
    async (colorScheme) => {
      await withPage(written(), { viewport: telephone, colorScheme }, async (page) => {
        const sizes = await page.evaluate<Sizes>(`({
        page: document.documentElement.scrollWidth,
        letters: [...document.querySelectorAll("svg text")].map((each) => each.getBoundingClientRect().height),
        charts: [...document.querySelectorAll("svg")].map((each) => each.getBoundingClientRect())
          .filter(({ width }) => width > 0).map(({ left, right }) => [left >= 0, right <= innerWidth]),
        regions: [...document.querySelectorAll(".wide")].map((each) => each.getAttribute("tabindex")),
      })`);
        expect(sizes.page).toBe(telephone.width);
        expect(Math.min(...sizes.letters.filter((height) => height > 0))).toBeGreaterThan(9);
        expect(sizes.regions).toEqual(["0"]);
        expect(sizes.charts).toEqual(Array.from({ length: 5 }, () => [true, true]));
        expect(await overlaps(page)).toEqual([]);
        // The loads stay where they are when the table is scrolled.
        const left = await page.evaluate<number>(`(() => {
        document.querySelector(".wide").scrollLeft = 300;
        return document.querySelector(".wide td").getBoundingClientRect().left;
      })()`);
        expect(left).toBeGreaterThanOrEqual(0);
      });
    },
  );
});
