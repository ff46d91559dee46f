// Whether texts are what a JSON schema allows, judged by ajv in the schema's own
// dialect, with formats judged by zod and Node.
import { isIP } from "node:net";
import { Ajv, type Options } from "ajv";
import { Ajv2020 } from "ajv/dist/2020.js";
import { z } from "zod";

const judged: Readonly<Record<string, (text: string) => boolean>> = {
  email: (text) => z.email().safeParse(text).success,
  uri: (text) => URL.canParse(text) && /^[\x21-\x7e]+$/.test(text),
  uuid: (text) => z.guid().safeParse(text).success,
  date: (text) => z.iso.date().safeParse(text).success,
  // A time that its day and zone complete.
  time: (text) => z.iso.datetime({ offset: true }).safeParse(`2000-01-01T${text}`).success,
  "date-time": (text) => z.iso.datetime({ offset: true }).safeParse(text).success,
  duration: (text) => z.iso.duration().safeParse(text).success,
  hostname: (text) => z.hostname().safeParse(text).success,
  ipv4: (text) => isIP(text) === 4,
  ipv6: (text) => isIP(text) === 6,
};

/** Judges texts; of the schema itself, everything is taken. */
export function validator(schema: object): (text: string) => boolean {
  const options: Options = { strict: false, validateFormats: true, multipleOfPrecision: 9, logger: false };
  const { $schema, ...rest } = schema as { readonly $schema?: string };
  const isOld = $schema?.includes("draft-07") ?? false;
  const ajv = isOld ? new Ajv(options) : new Ajv2020(options);
  for (const [name, validate] of Object.entries(judged)) ajv.addFormat(name, validate);
  const validate = ajv.compile(rest);
  return (text) => validate(JSON.parse(text));
}
