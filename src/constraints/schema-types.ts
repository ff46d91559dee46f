// The keywords of one type in a JSON schema: what they must be, and how they are
// written for llama.cpp.
import { jsonPattern } from "./regex.js";
import { type Json, type Keywords, type Place, refuseAt } from "./schema-keywords.js";

const maximumCount = 2000;

const formats = ["date", "time", "date-time", "uuid"];

function count({ node, path }: Place, keyword: string, otherwise: number): number {
  const value = node[keyword];
  if (value === undefined) return otherwise;
  if (typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= maximumCount)
    return value;
  return refuseAt(path, `must have ${keyword} from 0 to ${maximumCount}, got ${JSON.stringify(value)}`);
}

function counts(place: Place, least: string, most: string): void {
  const minimum = count(place, least, 0);
  if (minimum <= count(place, most, maximumCount)) return;
  refuseAt(place.path, `must have ${least} at most ${most}`);
}

export function judgeString(place: Place): void {
  const { node, path } = place;
  counts(place, "minLength", "maxLength");
  const { pattern, format } = node;
  const given = ["pattern", "format", "minLength", "maxLength"].filter(
    (keyword) => node[keyword] !== undefined,
  );
  if (given.length > 1 && (pattern !== undefined || format !== undefined)) {
    refuseAt(path, `cannot use ${given.join(" and ")} together`);
  }
  if (format !== undefined && !formats.includes(format as string)) {
    refuseAt(
      path,
      `cannot use the format ${JSON.stringify(format)}, only ${formats.join(", ")}; leave it away`,
    );
  }
  if (pattern === undefined) return;
  if (typeof pattern !== "string") refuseAt(path, "must have a pattern that is a string");
  node.pattern = jsonPattern(pattern, `jsonSchema (at ${path}): pattern`);
}

export function judgeInteger({ node, path }: Place): void {
  const bounds = (inclusive: string, exclusive: string, inwards: 1 | -1): number | undefined => {
    const round = inwards === 1 ? Math.ceil : Math.floor;
    const outer = inwards === 1 ? Math.floor : Math.ceil;
    const found = [
      bound(node, path, inclusive, round),
      bound(node, path, exclusive, (value) => outer(value) + inwards),
    ];
    const given = found.filter((value) => value !== undefined);
    delete node[exclusive];
    if (given.length === 0) return undefined;
    return inwards === 1 ? Math.max(...given) : Math.min(...given);
  };
  const least = bounds("minimum", "exclusiveMinimum", 1);
  const most = bounds("maximum", "exclusiveMaximum", -1);
  if (least !== undefined) node.minimum = least;
  if (most !== undefined) node.maximum = most;
  if ((least ?? -Infinity) > (most ?? Infinity)) refuseAt(path, "must have a minimum at most its maximum");
}

const largest = 1e15; // whose digits the conversion counts right

function bound(
  node: Keywords,
  path: string,
  keyword: string,
  round: (value: number) => number,
): number | undefined {
  const value = node[keyword];
  if (value === undefined) return undefined;
  if (typeof value === "number" && Math.abs(value) <= largest) return round(value);
  return refuseAt(path, `must have ${keyword} from -1e15 to 1e15, got ${JSON.stringify(value)}`);
}

export function judgeArray(place: Place): void {
  const { node, path } = place;
  counts(place, "minItems", "maxItems");
  const tuple = node.prefixItems ?? node.items;
  if (!Array.isArray(tuple)) return;
  if (node.prefixItems !== undefined) delete node.items; // there are no more than these
  const { length } = tuple;
  if (count(place, "minItems", 0) > length || count(place, "maxItems", length) < length) {
    refuseAt(path, `must have minItems and maxItems that allow the ${length} items of the tuple`);
  }
}

export function judgeObject({ node, path }: Place): void {
  const names = node.required ?? [];
  if (!Array.isArray(names) || !names.every((name) => typeof name === "string")) {
    refuseAt(path, "must have names in required");
  }
  const properties = (node.properties ?? {}) as Record<string, Json>;
  const missing = names.find((name) => !Object.hasOwn(properties, name as string));
  if (missing !== undefined)
    refuseAt(path, `must have ${JSON.stringify(missing)}, which is required, in properties`);
}
