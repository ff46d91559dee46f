// Where the names of a chart's dots stand so that none lies on another one or on a dot. Pure: pixels in,
// places out; ECharts' own layout moves nothing in drawings that are made without a browser.

/** A dot by its pixels and its name. */
export interface NamedDot {
  readonly name: string;
  readonly x: number;
  readonly y: number;
}

/** As ECharts names them. */
export type LabelPlace = "right" | "left" | "top" | "bottom";

/** What names may cover. */
export interface Extent {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

const places: readonly LabelPlace[] = ["right", "left", "top", "bottom"];
/** Of letters of 12 pixels: no letter of a load's name is wider on average. */
const letter = { width: 6.6, height: 13 };
const radius = 5;
const gap = 5;

/** @returns of each dot: where its name stands; null where it fits nowhere, and is left out */
export function labelPlaces(dots: readonly NamedDot[], extent: Extent): readonly (LabelPlace | null)[] {
  const taken: Extent[] = dots.map(({ x, y }) => around(x, y, radius, radius));
  return dots.map((dot) => {
    const fits = (place: LabelPlace) => {
      const box = boxOf(dot, place);
      const isInside =
        box.left >= extent.left &&
        box.right <= extent.right &&
        box.top >= extent.top &&
        box.bottom <= extent.bottom;
      return isInside && !taken.some((other) => overlap(box, other));
    };
    const place = places.find(fits) ?? null;
    if (place !== null) taken.push(boxOf(dot, place));
    return place;
  });
}

function boxOf({ name, x, y }: NamedDot, place: LabelPlace): Extent {
  const [halfWidth, halfHeight] = [(name.length * letter.width) / 2, letter.height / 2];
  const sideways = radius + gap + halfWidth;
  const upright = radius + gap + halfHeight;
  if (place === "right") return around(x + sideways, y, halfWidth, halfHeight);
  if (place === "left") return around(x - sideways, y, halfWidth, halfHeight);
  return around(x, place === "top" ? y - upright : y + upright, halfWidth, halfHeight);
}

function around(x: number, y: number, halfWidth: number, halfHeight: number): Extent {
  return { left: x - halfWidth, right: x + halfWidth, top: y - halfHeight, bottom: y + halfHeight };
}

function overlap(one: Extent, other: Extent): boolean {
  const sideBySide = one.right <= other.left || other.right <= one.left;
  return !sideBySide && one.bottom > other.top && other.bottom > one.top;
}
