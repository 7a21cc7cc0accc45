import type { JsonObject } from "../../lib/json-number.js";
import { shown } from "../client/api.js";
import type { Palette } from "../terminal.js";

/** Labelled lines of the members that are named; absent ones are left out. */
export function renderFields(
  object: JsonObject,
  names: readonly string[],
  palette: Palette,
): string[] {
  const given = names.filter((name) => object[name] !== undefined && object[name] !== null);
  const width = Math.max(0, ...given.map((name) => name.length));
  return given.map((name) => `  ${palette.dim(name.padEnd(width))}  ${shown(object[name])}`);
}
