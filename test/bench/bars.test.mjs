// Bars of the benchmarks: figures in, verdict out. No benchmark is run.
import { describe, expect, it } from "vitest";
import { barText, missedBars, verdict } from "../../tools/bench/bars.mjs";
import { peerVersions } from "../../tools/bench/peers/packages.mjs";

const node = `node-llama-cpp ${peerVersions["node-llama-cpp"]}`;
const llamaNode = `llama.node ${peerVersions["@fugood/llama.node"]}`;

describe("a bar", () => {
  it("is reached at its limit and missed beyond it, as measured and not as rounded", () => {
    const reached = [
      { what: "a", value: 0.97, atLeast: 0.97 },
      { what: "b", value: 0.25, atMost: 0.25 },
    ];
    const missed = [
      { what: "c", value: 0.9699, atLeast: 0.97 },
      { what: "d", value: 0.2501, atMost: 0.25 },
    ];
    expect(missedBars([...reached, ...missed])).toEqual(missed);
  });

  it("is missed by a value that is no number, and by any value where it has no limit", () => {
    const bars = [
      { what: "a", value: Number.NaN, atLeast: 1 },
      { what: "b", value: Number.NaN, atMost: 1 },
      { what: "c", value: 1 },
    ];
    expect(missedBars(bars)).toEqual(bars);
  });

  it("is printed with its limit and unit", () => {
    expect(barText({ value: 1, atLeast: 2 })).toBe(">= 2");
    expect(barText({ value: 1, atMost: 0.5, unit: "passes a token" })).toBe("<= 0.5 passes a token");
  });
});

describe("the verdict", () => {
  const reached = { what: "fast enough", value: 2, atLeast: 1 };

  it("names every missed bar with its figure, and no other", () => {
    const missed = { what: "8 at once", value: 0.9682, atLeast: 0.97 };
    expect(verdict([reached, missed])).toBe("1 of 2 bars missed:\n  8 at once: 0.9682, bar >= 0.97");
  });

  it("tells all bars reached from no bar at all", () => {
    expect(verdict([reached])).toBe("All 1 bars reached.");
    expect(verdict([])).toBe("No figure here has a bar.");
  });
});

const each = (value, names) => Object.fromEntries(names.map((name) => [name, value]));

// One row and one round; `limits` are of the bars in order, `missed` says which are missed.
const cases = {
  decode: {
    row: {
      sequences: 8,
      variants: ["slow", "fast"],
      results: [{ infernode: { decode: 94 }, slow: { decode: 50 }, fast: { decode: 100 } }],
    },
    limits: [">= 0.95"],
    missed: [true],
  },
  "end-to-end": {
    row: {
      sequences: 8,
      results: [
        {
          infernode: latencies(199),
          [node]: latencies(100),
        },
      ],
    },
    limits: [">= 2"],
    missed: [true],
  },
  speculation: {
    row: {
      text: "t",
      sequences: 4,
      passes: 0.5,
      results: [each({ ...guesses(), tokensPerSecond: 1 }, ["guessing", "not guessing"])],
    },
    limits: ["<= 0.5 passes a token"],
    missed: [true],
  },
  jobs: {
    row: { slots: 8, results: [{ jobsPerSecond: 552, takeMs: 0.14, exitMs: 1 }] },
    limits: [">= 0.8"],
    missed: [true],
  },
  traffic: {
    row: {
      scenario: { name: "s" },
      server: 1.5,
      node: 2.5,
      gap: 0.25,
      results: [
        {
          infernode: traffic(150, 30),
          "llama-server": traffic(100, 100),
          "llama-server, KV unified": traffic(90, 200),
          [node]: traffic(70, 0),
        },
      ],
    },
    limits: [">= 1.5", ">= 2.5", "<= 0.25", "<= 0.25"],
    missed: [false, true, true, false],
  },
};

function latencies(tokensPerSecond) {
  return { tokensPerSecond, firstToken: 1, slowestFirstToken: 1, gap: 1, longGap: 1 };
}

function guesses() {
  return { draftedTokens: 0, acceptedTokens: 0, decodePasses: 201, draftPasses: 0 };
}

function traffic(tokensPerSecond, longGap) {
  return {
    tokensPerSecond,
    longGap,
    promptTokens: 1,
    promptTokensComputed: 1,
    rowsPerStep: 1,
    passesPerStep: 1,
  };
}

describe.each(Object.entries(cases))("%s", (name, { row, limits, missed }) => {
  it("judges its figures by the bars its table prints", async () => {
    const { bars, report } = await import(`../../tools/bench/${name}.mjs`);
    const found = bars({ rows: [row] });
    expect(found.map(barText)).toEqual(limits);
    expect(found.map((bar) => missedBars([bar]).length === 1)).toEqual(missed);
    const cells = report({ rows: [row] })
      .join("\n")
      .split(/ ?[|\n] ?/);
    expect(cells.filter((cell) => /^[<>]= /.test(cell))).toEqual(limits);
  });
});

it("a count of sequences without a bar has none", async () => {
  const { bars, report } = await import("../../tools/bench/end-to-end.mjs");
  const row = { sequences: 3, results: [each(latencies(1), ["infernode", node])] };
  expect(bars({ rows: [row] })).toEqual([]);
  expect(report({ rows: [row] })[1]).toMatch(/\| 1\.00 \| - \|$/);
});

it("cold start wants to be ahead of both peers", async () => {
  const { bars } = await import("../../tools/bench/cold-start.mjs");
  const row = { description: "m", results: [{ infernode: 400, [node]: 2000, [llamaNode]: 380 }] };
  const missed = missedBars(bars({ rows: [row] }));
  expect(missed.map(({ what }) => what)).toEqual([`m: ${llamaNode} / infernode`]);
});

it("the layouts have no bar", async () => {
  const { bars } = await import("../../tools/bench/layouts.mjs");
  expect(bars({ rows: [{}] })).toEqual([]);
});
