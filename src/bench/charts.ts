// Charts as static SVG text, drawn by ECharts without a browser. Colours are CSS variables of the
// document that the SVG stands in, so that one drawing serves light and dark.
import { LineChart, ScatterChart } from "echarts/charts";
import { GridComponent, LegendComponent } from "echarts/components";
import { init, use } from "echarts/core";
import { SVGRenderer } from "echarts/renderers";

use([LineChart, ScatterChart, GridComponent, LegendComponent, SVGRenderer]);

/** One line of a chart. */
export interface Line {
  readonly name: string;
  /** One value for each place on the horizontal axis; null leaves a hole. */
  readonly values: readonly (number | null)[];
  readonly isDashed?: boolean;
  /** The number of its colour, from 1. */
  readonly colour: number;
}

/** Lines over named places. */
export interface LineChartSpec {
  readonly places: readonly string[];
  readonly placesName: string;
  readonly valuesName: string;
  readonly lines: readonly Line[];
}

/** A named dot. */
export interface Dot {
  readonly name: string;
  readonly x: number;
  readonly y: number;
}

/** Dots, some of which a line joins. */
export interface DotChartSpec {
  readonly xName: string;
  readonly yName: string;
  readonly dots: readonly Dot[];
  /** From left to right. */
  readonly joined: readonly Dot[];
  readonly marked: Dot | null;
}

const size = { width: 720, height: 320 };
const ink = "var(--ink)";
const faint = "var(--line)";
const text = { color: ink };
const still = { silent: true, animation: false, emphasis: { disabled: true } };

/** Lines; values start at 0. */
export function lineChart({ places, placesName, valuesName, lines }: LineChartSpec): string {
  return drawn({
    legend: {
      ...{ top: 4, itemGap: 24, textStyle: text, data: lines.map(({ name }) => name) },
      ...{ backgroundColor: "transparent", borderColor: "transparent" },
    },
    xAxis: { ...axis(placesName, "middle", 30), type: "category", data: [...places] },
    yAxis: { ...axis(valuesName, "end", 14), type: "value" },
    series: lines.map(({ name, values, isDashed, colour }) => ({
      ...{ ...still, type: "line" as const, name, data: [...values], symbol: "circle", symbolSize: 6 },
      itemStyle: { color: `var(--series-${colour})` },
      lineStyle: { color: `var(--series-${colour})`, width: 2, type: isDashed ? "dashed" : "solid" },
    })),
  });
}

/** Dots with their names; the marked one is larger. */
export function dotChart({ xName, yName, dots, joined, marked }: DotChartSpec): string {
  return drawn({
    xAxis: { ...axis(xName, "middle", 30), type: "value" },
    yAxis: { ...axis(yName, "end", 14), type: "value" },
    series: [
      {
        ...{ ...still, type: "line", data: joined.map(({ x, y }) => [x, y]), symbol: "none" },
        lineStyle: { color: "var(--series-1)", width: 2 },
      },
      {
        ...{ ...still, type: "scatter", symbolSize: 9, itemStyle: { color: "var(--series-1)", opacity: 1 } },
        data: dots.map(({ name, x, y }) => ({ name, value: [x, y] })),
        label: { show: true, formatter: "{b}", position: "right", ...text, opacity: 1 },
      },
      {
        ...{ ...still, type: "scatter", symbolSize: 18, itemStyle: { color: "var(--series-2)", opacity: 1 } },
        data: marked === null ? [] : [{ name: "knee", value: [marked.x, marked.y] }],
        label: { show: true, formatter: "{b}", position: "bottom", ...text, opacity: 1 },
      },
    ],
  });
}

/** What a device can do by operations per byte: bandwidth up to a ridge, then its matrix rate. */
export interface RooflineSpec {
  /** Bytes and operations per second. */
  readonly bytesPerSecond: number;
  readonly operationsPerSecond: number;
  /** By operations per byte (x) and operations per second (y). */
  readonly dots: readonly Dot[];
}

/** Both axes are logarithmic; rates are in units of 1e9. */
export function rooflineChart({ bytesPerSecond, operationsPerSecond, dots }: RooflineSpec): string {
  const ridge = operationsPerSecond / bytesPerSecond;
  const left = Math.min(ridge, ...dots.map(({ x }) => x)) / 4;
  const right = Math.max(ridge, ...dots.map(({ x }) => x)) * 4;
  const at = (x: number) => [x, Math.min(x * bytesPerSecond, operationsPerSecond) / giga];
  return drawn({
    xAxis: { ...axis("operations per byte", "middle", 30), type: "log", ...decadesOf([left, right]) },
    yAxis: {
      ...axis("GFLOP/s", "end", 14),
      type: "log",
      ...decadesOf([...dots.map(({ y }) => y / giga), at(left)[1] ?? 1, operationsPerSecond / giga]),
    },
    series: [
      {
        ...{ ...still, type: "line", data: [at(left), at(ridge), at(right)], symbol: "none" },
        lineStyle: { color: "var(--series-2)", width: 2 },
      },
      {
        ...{ ...still, type: "scatter", symbolSize: 9, itemStyle: { color: "var(--series-1)", opacity: 1 } },
        data: dots.map(({ name, x, y }) => ({ name, value: [x, y / giga] })),
        label: { show: true, formatter: "{b}", position: "right", ...text, opacity: 1 },
      },
    ],
  });
}

const giga = 1e9;

/** Whole powers of ten around the values. */
function decadesOf(values: readonly number[]) {
  const least = Math.floor(Math.log10(Math.min(...values)));
  const most = Math.ceil(Math.log10(Math.max(...values)));
  return { min: 10 ** least, max: 10 ** most };
}

function axis(name: string, nameLocation: "middle" | "end", nameGap: number) {
  const line = { lineStyle: { color: faint } };
  const ofName = { name, nameLocation, nameGap, nameTextStyle: { ...text, align: align(nameLocation) } };
  return { ...ofName, axisLabel: text, axisLine: line, axisTick: line, splitLine: line };
}

/** A vertical axis's name begins above its axis, so that a long one is not cut off. */
function align(nameLocation: "middle" | "end"): "center" | "left" {
  return nameLocation === "middle" ? "center" : "left";
}

type Option = Parameters<ReturnType<typeof init>["setOption"]>[0];

function drawn(option: Option): string {
  const chart = init(null, null, { ...size, renderer: "svg", ssr: true });
  try {
    const grid = { left: 70, right: 90, top: 60, bottom: 50 };
    chart.setOption({ animation: false, backgroundColor: "transparent", textStyle: text, grid, ...option });
    return cleaned(chart.renderToSVGString());
  } finally {
    chart.dispose();
  }
}

/** Without what serves a pointer's movements, and without black as the colour of what has no area. */
function cleaned(svg: string): string {
  return svg
    .replace(/<style[\s\S]*?<\/style>\s*/g, "")
    .replace(/ (?:class|pointer-events|ecmeta_\w+)="[^"]*"/g, "")
    .replaceAll('fill="#000"', 'fill="none"');
}
