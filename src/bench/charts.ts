// Charts as static SVG text, drawn by ECharts without a browser. Colours are CSS variables of the
// document that the SVG stands in, so that one drawing serves light and dark. Each chart is drawn in two
// sizes: letters of a wide one that is squeezed into a telephone cannot be read.
import { LineChart, ScatterChart } from "echarts/charts";
import { GridComponent, LegendComponent } from "echarts/components";
import { init, use } from "echarts/core";
import { SVGRenderer } from "echarts/renderers";
import { labelPlaces } from "./label-places.js";

use([LineChart, ScatterChart, GridComponent, LegendComponent, SVGRenderer]);

/** One line of a chart. */
export interface Line {
  readonly name: string;
  /** One value for each place on the horizontal axis; null leaves a hole. */
  readonly values: readonly (number | null)[];
  readonly isDashed?: boolean;
  /** Whether another line's name in the legend stands for this one, too. */
  readonly isUnnamed?: boolean;
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

/** A chart in both sizes. */
export interface Drawings {
  readonly wide: string;
  /** For a screen of 360 pixels and more. */
  readonly narrow: string;
}

interface Size {
  readonly width: number;
  readonly height: number;
  readonly margins: {
    readonly left: number;
    readonly right: number;
    readonly top: number;
    readonly bottom: number;
  };
}

const sizes: Readonly<Record<keyof Drawings, Size>> = {
  wide: { width: 720, height: 320, margins: { left: 70, right: 90, top: 60, bottom: 50 } },
  narrow: { width: 350, height: 300, margins: { left: 52, right: 30, top: 60, bottom: 50 } },
};

/** Where names of dots may stand: numbers of an axis are no place for them. */
function plotOf({ width, height, margins }: Size) {
  return { left: margins.left, right: width, top: margins.top - 20, bottom: height - margins.bottom };
}

const ink = "var(--ink)";
const faint = "var(--line)";
const text = { color: ink };
const still = { silent: true, animation: false, emphasis: { disabled: true } };

/** A name that a line crosses stays readable. */
const halo = { textBorderColor: "var(--paper)", textBorderWidth: 3 };
const dotLabel = { ...halo, show: true, formatter: "{b}", position: "right" as const, ...text, opacity: 1 };
/** The series of a chart whose dots have names; the line comes before it. */
const dotSeries = 1;

/** Lines; values start at 0. */
export function lineChart({ places, placesName, valuesName, lines }: LineChartSpec): Drawings {
  const named = lines.filter(({ isUnnamed }) => !isUnnamed);
  return drawn({
    legend: {
      ...{ top: 4, itemGap: 24, textStyle: text, data: named.map(({ name }) => name) },
      ...{ backgroundColor: "transparent", borderColor: "transparent" },
    },
    xAxis: { ...axis(placesName, "middle", 30), type: "category", data: [...places] },
    yAxis: { ...axis(valuesName, "end", 14), type: "value", min: 0 },
    series: lines.map(({ name, values, isDashed, colour }) => ({
      ...{ ...still, type: "line" as const, name, data: [...values], symbol: "circle", symbolSize: 6 },
      itemStyle: { color: `var(--series-${colour})` },
      lineStyle: { color: `var(--series-${colour})`, width: 2, type: isDashed ? "dashed" : "solid" },
    })),
  });
}

/** Dots with their names; the marked one is larger. */
export function dotChart({ xName, yName, dots, joined, marked }: DotChartSpec): Drawings {
  const option = {
    xAxis: { ...axis(xName, "middle", 30), type: "value" },
    yAxis: { ...axis(yName, "end", 14), type: "value" },
    series: [
      {
        ...{ ...still, type: "line", data: joined.map(({ x, y }) => [x, y]), symbol: "none" },
        lineStyle: { color: "var(--series-1)", width: 2 },
      },
      {
        ...{ ...still, type: "scatter", symbolSize: 9 },
        itemStyle: { color: "var(--series-1)", opacity: 1 },
        data: dots.map(({ name, x, y }) => ({ name, value: [x, y] })),
        label: dotLabel,
      },
      {
        ...{ ...still, type: "scatter", symbolSize: 18, itemStyle: { color: "var(--series-2)", opacity: 1 } },
        data: marked === null ? [] : [{ name: "knee", value: [marked.x, marked.y] }],
        label: { show: true, formatter: "{b}", position: "bottom", ...halo, ...text, opacity: 1 },
      },
    ],
  };
  return drawn(option, dots);
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
export function rooflineChart({ bytesPerSecond, operationsPerSecond, dots }: RooflineSpec): Drawings {
  const ridge = operationsPerSecond / bytesPerSecond;
  const left = Math.min(ridge, ...dots.map(({ x }) => x)) / 4;
  const right = Math.max(ridge, ...dots.map(({ x }) => x)) * 4;
  const at = (x: number) => [x, Math.min(x * bytesPerSecond, operationsPerSecond) / giga];
  const option = {
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
        ...{ ...still, type: "scatter", symbolSize: 9 },
        itemStyle: { color: "var(--series-1)", opacity: 1 },
        data: dots.map(({ name, x, y }) => ({ name, value: [x, y / giga] })),
        label: dotLabel,
      },
    ],
  };
  return drawn(
    option,
    dots.map(({ name, x, y }) => ({ name, x, y: y / giga })),
  );
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

/** @param named the dots of dotSeries */
function drawn(option: Option, named?: readonly Dot[]): Drawings {
  return { wide: drawing(sizes.wide, option, named), narrow: drawing(sizes.narrow, option, named) };
}

function drawing(size: Size, option: Option, named?: readonly Dot[]): string {
  const { width, height, margins } = size;
  const chart = init(null, null, { width, height, renderer: "svg", ssr: true });
  try {
    chart.setOption({
      animation: false,
      backgroundColor: "transparent",
      textStyle: text,
      grid: margins,
      ...option,
    });
    if (named !== undefined) chart.setOption({ series: labelled(chart, named, size) });
    return cleaned(chart.renderToSVGString());
  } finally {
    chart.dispose();
  }
}

/** The names' places are known when the axes are. */
function labelled(chart: ReturnType<typeof init>, dots: readonly Dot[], size: Size) {
  const pixels = dots.map(({ name, x, y }) => {
    const [left = 0, top = 0] = chart.convertToPixel({ seriesIndex: dotSeries }, [x, y]) as number[];
    return { name, x: left, y: top };
  });
  const places = labelPlaces(pixels, plotOf(size));
  const data = dots.map(({ name, x, y }, index) => {
    const place = places[index] ?? null;
    return { name, value: [x, y], label: place === null ? { show: false } : { position: place } };
  });
  return Array.from({ length: dotSeries + 1 }, (_, index) => (index === dotSeries ? { data } : {}));
}

/** Without what serves a pointer's movements, and without black as the colour of what has no area. */
function cleaned(svg: string): string {
  return svg
    .replace(/<style[\s\S]*?<\/style>\s*/g, "")
    .replace(/ (?:class|pointer-events|ecmeta_\w+)="[^"]*"/g, "")
    .replaceAll('fill="#000"', 'fill="none"');
}
