import { parseHeaderText, type RawHeader } from "./header.js";
import { HEADER_SHAPES } from "./header-shapes.js";
import type { HandlerHeader, HostHeader, MessageHeader } from "./messages.js";
import type { FieldRow, FieldShape, HeaderShape } from "./shape.js";

/** Codes of the `nack` that answers a message nobody can act on. */
export type NackCode =
  | "bad_header"
  | "unsupported"
  | "missing_field"
  | "invalid_field"
  | "too_large"
  | "unknown_delivery"
  | "unexpected";

export interface HeaderFault {
  readonly code: NackCode;
  readonly detail: string;
}

export type HeaderCheck<Header> =
  | { readonly header: Header; readonly fault: null }
  | { readonly header: null; readonly fault: HeaderFault };

type Found = { code: "missing_field" | "invalid_field"; path: string } | null;

/** Checks a header that reached the host. */
export function checkForHost(header: RawHeader): HeaderCheck<HandlerHeader> {
  return check(header, "host_to_handler") as HeaderCheck<HandlerHeader>;
}

/** Checks a header that reached a handler process. */
export function checkForHandler(header: RawHeader): HeaderCheck<HostHeader> {
  return check(header, "handler_to_host") as HeaderCheck<HostHeader>;
}

/** The same from the header's text. */
export function checkHeaderText(
  text: string,
  receiver: "host" | "handler",
): HeaderCheck<MessageHeader> {
  const header = parseHeaderText(text);
  if (header === null) {
    const detail = "Expected the header to be one JSON object with a string `type`";
    return { header: null, fault: { code: "bad_header", detail } };
  }
  return receiver === "host" ? checkForHost(header) : checkForHandler(header);
}

function check(header: RawHeader, wrongWay: HeaderShape["direction"]): HeaderCheck<MessageHeader> {
  const shape = Object.hasOwn(HEADER_SHAPES, header.type)
    ? (HEADER_SHAPES as Readonly<Record<string, HeaderShape>>)[header.type]
    : undefined;
  if (shape === undefined || shape.direction === wrongWay) {
    const detail = `Message type \`${header.type.slice(0, 100)}\` is not known in this direction`;
    return { header: null, fault: { code: "unsupported", detail } };
  }
  const found = checkFields(header, shape.fields, "");
  if (found !== null) {
    const problem = found.code === "missing_field" ? "is missing" : "has an invalid value";
    const detail = `Field \`${found.path}\` of \`${header.type}\` ${problem}`;
    return { header: null, fault: { code: found.code, detail } };
  }
  // The shapes are generated from the same schemas as the types.
  return { header: header as unknown as MessageHeader, fault: null };
}

/** A missing field is reported before an invalid one, so the answer does not depend on field order. */
function checkFields(
  value: Readonly<Record<string, unknown>>,
  fields: readonly FieldRow[],
  path: string,
): Found {
  let invalid: Found = null;
  for (const [name, isRequired, shape] of fields) {
    const field = Object.hasOwn(value, name) ? value[name] : undefined;
    if (field === undefined) {
      if (isRequired) return { code: "missing_field", path: path + name };
    } else if (field === null) {
      if (isRequired) invalid ??= { code: "invalid_field", path: path + name };
    } else if (invalid === null) {
      const found = checkValue(field, shape, path + name);
      if (found?.code === "missing_field") return found;
      invalid = found;
    }
  }
  return invalid;
}

function checkValue(value: unknown, shape: FieldShape, path: string): Found {
  if (!isSimple(shape)) return checkNested(value, shape, path);
  return isSimpleValid(value, shape) ? null : { code: "invalid_field", path };
}

type NestedShape = Extract<FieldShape, { is: "array" | "map" | "object" }>;
type SimpleShape = Exclude<FieldShape, NestedShape>;

function isSimple(shape: FieldShape): shape is SimpleShape {
  return shape.is !== "array" && shape.is !== "map" && shape.is !== "object";
}

function isSimpleValid(value: unknown, shape: SimpleShape): boolean {
  switch (shape.is) {
    case "string":
      return typeof value === "string" && isWithin(value.length, shape);
    case "integer":
      return Number.isSafeInteger(value) && isWithin(value as number, shape);
    case "number":
      return typeof value === "number" && Number.isFinite(value) && isWithin(value, shape);
    case "boolean":
      return typeof value === "boolean";
    case "word":
      return typeof value === "string" && shape.words.includes(value);
  }
}

function isWithin(size: number, limits: { readonly min?: number; readonly max?: number }): boolean {
  return (
    size >= (limits.min ?? Number.NEGATIVE_INFINITY) &&
    size <= (limits.max ?? Number.POSITIVE_INFINITY)
  );
}

function checkNested(value: unknown, shape: NestedShape, path: string): Found {
  const invalid = { code: "invalid_field", path } as const;
  if (shape.is === "array") {
    if (!Array.isArray(value) || value.length > shape.max) return invalid;
    return firstFound(value, (item, index) => checkValue(item, shape.items, `${path}[${index}]`));
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return invalid;
  const record = value as Readonly<Record<string, unknown>>;
  if (shape.is === "object") return checkFields(record, shape.fields, `${path}.`);
  return firstFound(Object.entries(record), ([key, item]) =>
    checkValue(item, shape.values, `${path}.${key}`),
  );
}

function firstFound<Item>(
  items: readonly Item[],
  look: (item: Item, index: number) => Found,
): Found {
  for (const [index, item] of items.entries()) {
    const found = look(item, index);
    if (found !== null) return found;
  }
  return null;
}
